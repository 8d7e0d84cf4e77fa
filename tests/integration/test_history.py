"""History that is imported: judged, marked, and on nobody's desk."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from analytics.jobs import alert_sender, case_days, case_hours, claims, health_store
from analytics.jobs.store import Store, open_store
from dashboards.app import create_web
from tests import parts
from tests.parts import as_analytics, as_web
from tests.towns import TOWN
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import Alerts, Analytics, load
from verkehrspuls.storage.case_lists import list_cases
from verkehrspuls.storage.database import connect
from verkehrspuls.storage.operation import read_lag_s
from verkehrspuls.storage.sensors import list_sensors
from verkehrspuls.storage.sites import list_sites

#: eight weeks of 2023, hour by hour
FIRST = datetime(2023, 5, 1, tzinfo=UTC)
HOURS = 8 * 7 * 24
HOUR = timedelta(hours=1)
LAST = FIRST + (HOURS - 1) * HOUR
ALL = Alerts(
    rules=("*:low",), webhook_url=SecretStr("http://127.0.0.1:9/"), newest_h=8760
)


def volume(n: int) -> int:
    """A day like any other, but for a night of zeros and an afternoon of a match."""
    if 1010 <= n < 1016:
        return 0
    return 100 + n * 7 % 13 + (500 if 1100 <= n < 1104 else 0)


def compute(store: Store) -> None:
    now = datetime.now(UTC)
    while claims.process(store, Analytics(), now=now):
        pass
    while case_hours.judge(store, now=now) or case_days.judge(store, now=now):
        pass
    claims.check_silence(store, now=now + timedelta(days=2))


@pytest.fixture(scope="module")
def url(
    _plain: parts.Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    path: Path = tmp_path_factory.mktemp("history") / "counts.csv"
    rows = [
        f"{FIRST + n * HOUR:%Y-%m-%dT%H:%MZ},{site},in,3600,{volume(n)}"
        for site in ("ring", "tor")
        for n in range(HOURS)
    ]
    path.write_text("\n".join(["time,site,channel,interval_s,total", *rows, ""]))
    with _plain.fresh() as url:
        subprocess.run(
            [
                *(sys.executable, "-m", "verkehrspuls", "import", "counts"),
                *("--format", "generic", str(path)),
                *("--municipality", "landau", "--state", "RP"),
            ],
            env={**os.environ, "VERKEHRSPULS_DATABASE__URL": url},
            check=True,
            capture_output=True,
        )
        with open_store(as_analytics(url), application="test") as store:
            compute(store)
        yield url


@pytest.fixture
def client(url: str) -> Iterator[TestClient]:
    with TestClient(
        create_web(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))
    ) as client:
        yield client


def test_history_is_judged_and_laid_on_no_desk(url: str, client: TestClient) -> None:
    counts = client.get("/api/v1/cases").json()["counts"]
    assert counts["current"] == counts["older"] == 0
    assert counts["history"] >= 2
    past = client.get("/api/v1/cases?history=true").json()
    assert past["total"] == counts["history"]
    assert "zeros" in {case["reason"] for case in past["cases"]}
    assert {case["standing"] for case in past["cases"]} == {"history"}
    for address in ("/de/", "/de/towns/landau", "/de/towns/landau/ring"):
        page = client.get(address).text
        assert "ffene Fälle: " not in page.split('id="cases-heading"')[0]
        assert "Fälle sind Geschichte" in page
    metrics = client.get("/metrics").text
    assert 'verkehrspuls_open_cases{municipality="landau"} 0.0' in metrics


def test_nobody_is_told_of_history(url: str) -> None:
    with connect(url) as connection:
        now = datetime.now(UTC)
        # however long ago a rule lets a case have ended
        alert_sender._make(
            connection, ALL.model_copy(update={"newest_h": 80_000}), now=now
        )
        made = connection.execute("select count(*) from vp.alert").fetchone()
    assert made == (0,)


def test_who_only_imports_is_not_silent(url: str) -> None:
    with connect(url) as connection:
        found = list_cases(connection, standing=None)
    recent = [c for c in found if c.ended > datetime(2024, 1, 1, tzinfo=UTC)]
    assert recent == []


def test_newest_reading_and_newest_message_are_two_facts(
    url: str, client: TestClient
) -> None:
    site = client.get("/api/v1/sites/landau/ring").json()
    assert site["newest_reading_at"] == f"{LAST:%Y-%m-%dT%H:%M:%SZ}"
    assert site["last_received_at"] > "2024"
    assert site["sensors"][0]["newest_reading_at"] == site["newest_reading_at"]
    (first, *_) = client.get("/api/v1/sites").json()["sites"]
    assert first["newest_reading_at"] == site["newest_reading_at"]
    page = client.get("/de/towns/landau/ring").text
    assert "Neueste Messung Mo, 26.06.2023, 01:00, importiert " in page
    assert not re.search("Letzte Meldung [ua]m", page)
    overview = client.get("/de/towns/landau").text
    assert "neueste Messung Mo, 26.06.2023, 01:00, importiert " in overview
    assert "noch keine Daten" not in overview


def test_an_import_is_no_sign_of_a_broker_that_sends(url: str) -> None:
    with connect(url) as connection:
        assert read_lag_s(connection) is None


def test_nothing_is_expected_to_come_today(url: str) -> None:
    """A site of which all was imported has no running day that could be judged."""
    with open_store(as_analytics(url), application="test") as store:
        health_store.mark_running(store, now=datetime.now(UTC))
        ((newest,),) = store.connection.execute(
            "select max(day) from stale_day"
        ).fetchall()
        store.connection.rollback()
    assert newest is None or newest <= LAST.date() + timedelta(days=1)


def test_the_newest_reading_is_known_and_looked_for_only_from_there(
    plain_database: str,
) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    old = now - timedelta(days=90)
    with connect(plain_database, autocommit=True) as connection:
        register(connection, TOWN)

        def measure(*times: datetime) -> None:
            connection.execute(
                "select ensure_range('count_reading', %s, %s)",
                [min(times), max(times)],
            )
            for time in times:
                connection.execute(
                    "insert into count_reading (channel_id, time, interval_s,"
                    " sensor_id, received_at, total) select channel_id, %s, 3600,"
                    " sensor_id, now(), 7 from installation where output = '1'",
                    [time],
                )
                connection.execute(
                    "insert into stale_bucket select channel_id, %s from installation"
                    " where output = '1'",
                    [time],
                )

        def newest() -> datetime | None:
            (site,) = list_sites(connection)
            sensor, _ = list_sensors(connection, sensor="camera-1")
            assert sensor.newest_reading_at == site.newest_reading_at
            found = site.newest_reading_at
            return found

        assert newest() is None
        # a clock that is ahead tells no reading that was measured
        measure(old, now + timedelta(days=1))
        assert newest() == old
        with open_store(as_analytics(plain_database), application="test") as store:
            compute(store)
        assert newest() == old
        assert connection.execute("select time from newest_reading").fetchall() == [
            (old,)
        ]
        # where raw readings are not kept for so long
        connection.execute("delete from count_reading where time < now()")
        assert newest() == old
        # what has just come is there before anything is computed of it
        measure(now - timedelta(hours=2))
        assert newest() == now - timedelta(hours=2)
