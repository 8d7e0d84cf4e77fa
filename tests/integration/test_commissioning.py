"""A sensor is brought into service: what pages say of it, minute by minute."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import msgspec
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from analytics.jobs import claims
from analytics.jobs.store import open_store
from dashboards import render
from dashboards.app import create_web
from ingest.batch import Collector, Message
from ingest.check import Limits
from ingest.formats import formats
from ingest.resolve import read_registry
from ingest.write import Writer
from tests.parts import as_analytics, as_ingest, logins, patient
from tests.towns import AIR_TOPIC, COUNTS_TOPIC, TOWN
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import Ingest, Settings, load
from verkehrspuls.storage.database import connect

#: a Wednesday, 10:05 in Kusel
BEGUN = datetime(2026, 11, 25, 9, 5, tzinfo=UTC)


class Service:
    """A town, its pages, and messages that come as time goes by."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.now = BEGUN
        self.settings: Settings = load(
            {
                **logins(url),
            }
        )
        with connect(url) as connection:
            register(connection, TOWN)
            self._registry = read_registry(connection)
        self.app: FastAPI = create_web(self.settings)
        self.app.dependency_overrides[render.now] = lambda: self.now
        self.client = TestClient(self.app)

    def send(self, *classes: str, at: datetime) -> None:
        """Receive a message for the five minutes before `at`, and compute."""
        counts = [
            {"channel": output, "classes": dict.fromkeys(classes, 4)}
            for output in ("1", "2")
        ]
        body: dict[str, Any] = {
            "time": at - timedelta(minutes=5),
            "interval_s": 300,
            "counts": counts,
        }
        self.receive(Message(COUNTS_TOPIC, msgspec.json.encode(body), at))

    def receive(self, message: Message) -> None:
        """Write a message as a worker does, and compute."""
        at = message.received_at
        collector = Collector(self._registry, formats(), Limits.at(at, Ingest()))
        writer = Writer(as_ingest(self.url), Ingest(), pause=patient())
        writer.write(collector.collect([message]), collector)
        writer.close()
        with open_store(as_analytics(self.url), application="test") as store:
            while claims.process(store, self.settings.analytics, now=at):
                pass

    def page(self, path: str, *, after: timedelta) -> str:
        """Return the words of a page so long after the begin."""
        self.now = BEGUN + after
        self.app.state.standing = None
        answer = self.client.get(path)
        assert answer.status_code == 200
        words = re.sub(r"<script.*?</script>", "", answer.text, flags=re.DOTALL)
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", words)).split())


@pytest.fixture
def service(plain_database: str) -> Iterator[Service]:
    service = Service(plain_database)
    with service.client:
        yield service


MINUTES = timedelta(minutes=1)


def test_first_message_is_told_alike_on_all_pages(service: Service) -> None:
    before = service.page("/de/towns/kusel", after=-MINUTES)
    assert "keine Daten" in before
    assert "Meldung nie" in before
    service.send("car", at=BEGUN)
    age = timedelta(seconds=76)
    overview = service.page("/de/", after=age)
    assert "meldet, noch ohne Werte" in overview
    assert (
        "Meldung um 10:05 Uhr; Werte erscheinen, sobald eine Stunde voll ist"
        in overview
    )
    assert "keine Daten" not in overview
    assert "1 von 1 Messstelle meldet rechtzeitig" in overview
    site = service.page("/de/towns/kusel/b420?quantity=motor", after=age)
    assert (
        "Erste Meldungen, die letzte um 10:05 Uhr; Werte erscheinen, sobald eine "
        "Viertelstunde voll ist." in site
    )
    assert "Summe im Zeitraum – Kfz bis gestern gezählt" in site
    assert "Noch ist keine ganze Viertelstunde beobachtet." in site
    assert "Noch keine Daten" not in site
    assert "keine Daten" not in site


def test_first_value_of_the_environment_is_shown(service: Service) -> None:
    body = {
        "time": BEGUN - timedelta(minutes=10),
        "interval_s": 600,
        "values": {"no2_ugm3": 31.5},
    }
    service.receive(Message(AIR_TOPIC, msgspec.json.encode(body), BEGUN))
    site = service.page("/de/towns/kusel/b420?quantity=no2_ugm3", after=MINUTES)
    assert "31,5 µg/m³" in site
    assert "Noch keine Daten" not in site
    assert "keine Daten" not in service.page("/de/towns/kusel", after=MINUTES)


def test_values_come_when_a_quarter_hour_and_an_hour_are_full(service: Service) -> None:
    for minutes in range(15, 120, 5):
        service.send("car", at=BEGUN + minutes * MINUTES)
        if minutes == 30:
            site = service.page(
                "/de/towns/kusel/b420?quantity=motor", after=31 * MINUTES
            )
            assert "Letzte Meldung um 10:35 Uhr." in site
            assert "Spitze 12 Kfz/15 min" in site
            assert "Wie sieht ein üblicher Tag aus?" not in site
            assert "Werte erscheinen" not in site
    overview = service.page("/de/towns/kusel", after=116 * MINUTES)
    assert "noch ohne Vergleich" in overview
    assert "Werte erscheinen" not in overview


def test_messages_that_cannot_be_used_are_no_silence(service: Service) -> None:
    service.send("lorry", at=BEGUN)
    overview = service.page("/de/towns/kusel", after=MINUTES)
    assert "Meldungen unbrauchbar" in overview
    assert "Meldung um 10:05 Uhr; der Sensor wird gerade eingerichtet" in overview
    assert "0 von 1 Messstelle melden rechtzeitig" in overview
    site = service.page("/de/towns/kusel/b420", after=MINUTES)
    assert "Letzte Meldung um 10:05 Uhr; von denen der letzten Stunde ist" in site
    assert "Meldungen kommen an, aber die der letzten Stunde sind nicht" in site
    assert "werden in einer Minute berechnet" not in site
    # once one is used it is told as any other
    service.send("car", at=BEGUN + 2 * MINUTES)
    assert "meldet, noch ohne Werte" in service.page(
        "/de/towns/kusel", after=3 * MINUTES
    )


def test_figures_of_a_file_are_no_messages_of_a_sensor(service: Service) -> None:
    at = BEGUN - timedelta(days=40)
    body = {
        "time": at,
        "interval_s": 3600,
        "counts": [{"channel": "1", "classes": {"car": 9}}],
    }
    from ingest.files.write import write

    write(service.settings, [Message(COUNTS_TOPIC, msgspec.json.encode(body), BEGUN)])
    with open_store(as_analytics(service.url), application="test") as store:
        while claims.process(store, service.settings.analytics, now=BEGUN):
            pass
    assert "keine Daten" in service.page("/de/towns/kusel", after=MINUTES)
