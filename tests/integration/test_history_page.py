"""The history of a site for engineers: devices, the last day, and traces."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from psycopg.types.json import Jsonb

from analytics.reports.trace import report_trace
from tests import people, served
from tests.integration.test_sessions_over_http import Browser
from tests.people import ANNE, BERND, TOWN, People
from verkehrspuls.cli import command
from verkehrspuls.errors import FoundProblems
from verkehrspuls.registry import maintenance
from verkehrspuls.registry.maintenance import Maintenance
from verkehrspuls.storage.database import connect
from verkehrspuls.storage.sites import read_site
from verkehrspuls.storage.tallies import TALLIES

NOW = datetime(2026, 3, 4, 0, 20, tzinfo=UTC)
HERE = f"/de/history/{TOWN}/pariser-strasse"
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.fixture
def known(plain_world: str) -> Iterator[People]:
    with people.of(plain_world) as found:
        found.put(ANNE, ("engineer", TOWN))
        found.put(BERND, ("planner", TOWN))
        yield found


@pytest.fixture
def engineer(plain_world: str, known: People) -> Iterator[Browser]:
    browser = Browser(served.web(plain_world, NOW))
    with browser.client:
        browser.log_in(ANNE)
        yield browser


def trace(url: str, channel: str, at: datetime, site: str = "pariser-strasse") -> str:
    """Return the step at which a trace fails."""
    with connect(url) as connection:
        found = read_site(connection, TOWN, site)
        (which,) = (one for one in found.channels if one.key == channel)
        return report_trace(connection, found, which, at, now=NOW).fails


def test_a_trace_names_the_step_that_fails(plain_world: str) -> None:
    assert trace(plain_world, "ost-1", NOON) == ""
    # the second lane is silent, but its device sends
    assert trace(plain_world, "ost-2", NOON) == "stored"
    assert trace(plain_world, "ost-1", datetime(2025, 6, 1, tzinfo=UTC)) == "attached"
    assert trace(plain_world, "ost-1", NOON + timedelta(days=1)) == "received"
    with connect(plain_world) as connection:
        connection.execute("delete from vp.volume where time = %s", [NOON])
        tallies = dict.fromkeys(TALLIES, 0)
        tallies |= {"messages_received": 3, "messages_rejected": 3}
        connection.execute(
            "insert into vp.ledger select made.* from vp.ledger l, lateral"
            " jsonb_populate_record(l, %s) made where l.sensor_id = (select sensor_id"
            " from vp.sensor where key = 'loop') limit 1",
            [Jsonb({**tallies, "hour": f"{NOON + timedelta(days=1)}"})],
        )
        connection.commit()
    assert trace(plain_world, "ost-1", NOON) == "figure"
    later = NOON + timedelta(days=1)
    assert trace(plain_world, "alle", later, site="radweg") == "decoded"


def test_what_a_person_excluded_is_left_out(plain_world: str) -> None:
    with connect(plain_world) as connection:
        connection.execute(
            "insert into vp.anomaly_case (site_id, channel_id, detector, began, ended,"
            " score, reason, state, effect) select site_id, channel_id, 'spike',"
            " %(at)s, %(at)s + interval '1 hour', 9, 'spike', 'confirmed', 'exclude'"
            " from vp.channel where key = 'ost-1'",
            {"at": NOON},
        )
        connection.execute(
            "insert into vp.case_member (anomaly_case_id, channel_id, detector, began,"
            " ended, score, reason) select anomaly_case_id, channel_id, detector,"
            " began, ended, score, reason from vp.anomaly_case where detector = 'spike'"
            " and began = %s",
            [NOON],
        )
        connection.commit()
    assert trace(plain_world, "ost-1", NOON) == "left-out"


def test_the_page_shows_devices_what_was_done_and_messages(
    engineer: Browser, known: People
) -> None:
    with known.operator() as connection:
        maintenance.add(
            connection,
            TOWN,
            Maintenance(
                sensor="camera", done_at=NOON, kind="cleaning", note="Linse <b>"
            ),
        )
    page = engineer.get(HERE).text
    assert "Linse &lt;b&gt;" in page
    assert "1 Eintrag im Wartungsbuch." in page
    assert "Sensor camera (camera)" in page
    traced = engineer.get(f"{HERE}?channel=ost-2&at=2026-03-03T13:00").text
    assert "keine hatte einen Messwert dieser Zeit" in traced
    assert traced.count("✓") == 3
    # a message leads to its readings, and each to its trace
    message = re.search(r'href="([^"]+received=[^"]+)#trace"', page)
    assert message
    became = engineer.get(unescape(message[1])).text
    reading = re.search(r'href="([^"]+&amp;at=[^"]+)#trace"', became)
    assert reading
    assert "Er steckt in den Zahlen" in engineer.get(unescape(reading[1])).text


def test_rejected_messages_are_told_with_their_reason(
    engineer: Browser, known: People
) -> None:
    page = engineer.get(f"/de/history/{TOWN}/radweg").text
    assert "vp/v1/kaiserslautern/loop/counts" in page
    assert "Die Nachricht hat nicht die Form ihres Formats" in page


def test_what_makes_no_sense_is_said_beside_its_field(engineer: Browser) -> None:
    answer = engineer.get(f"{HERE}?channel=ost-1&at=morgen&from=gestern")
    assert answer.status_code == 422
    assert "Schreiben Sie eine Zeit wie" in answer.text
    assert engineer.get(f"{HERE}?sensor=zzz&received=2026-03-03").status_code == 404
    assert engineer.get(f"/de/history/{TOWN}/nirgends").status_code == 404


def test_it_is_for_engineers(known: People, plain_world: str) -> None:
    browser = Browser(served.web(plain_world, NOW))
    with browser.client:
        browser.log_in(BERND)
        assert browser.get(HERE).status_code == 403


def test_a_command_traces(
    plain_world: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("VERKEHRSPULS_DATABASE__URL", plain_world)
    traced = ["sensor", "trace", "--json", "--at", "2026-03-03T13:00"]
    here = f"{TOWN}/pariser-strasse"
    command.app([*traced, f"{here}/ost-1"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["figures"][0]["interval_s"] == 900
    with pytest.raises(FoundProblems):
        command.app([*traced, f"{here}/ost-2"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["fails"] == "stored"
