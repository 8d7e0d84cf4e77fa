"""Devices: how the sensors of a town are, on the page, by REST and by the command."""

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fastapi import FastAPI
from httpx2 import Response
from psycopg.rows import dict_row
from pydantic import SecretStr

from analytics.cases import casework
from analytics.jobs.alert_sender import send
from analytics.jobs.case_devices import check_devices
from analytics.jobs.store import open_store
from analytics.reports.devices import Device, report_devices
from dashboards.pages.devices import route
from tests import people, served
from tests.integration.test_page_sizes import MAX_PAGE_BYTES
from tests.integration.test_sessions_over_http import Browser
from tests.people import ANNE, BERND, OTHER, TOWN, People
from verkehrspuls.cli import command
from verkehrspuls.errors import FoundProblems
from verkehrspuls.registry import maintenance
from verkehrspuls.registry.maintenance import Maintenance
from verkehrspuls.settings import Alerts, Health, Pages
from verkehrspuls.storage.case_lists import (
    Counts,
    Where,
    count_cases,
    list_cases,
    list_open_cases,
)
from verkehrspuls.storage.database import Connection, connect

#: the newest message came half a minute before it
NOW = datetime(2026, 3, 4, 0, 20, tzinfo=UTC)
HERE = f"/de/devices/{TOWN}"


def told(connection: Connection, sensor: str, battery: list[float]) -> None:
    """Let a device say how full its battery was, day by day until now."""
    connection.execute(
        "insert into vp.status_day (sensor_id, day, battery_pct) select sensor_id,"
        " %(now)s::date - %(count)s::int + n::int, level from vp.sensor, unnest("
        "%(levels)s::real[]) with ordinality as given (level, n) where key = %(key)s",
        {"now": NOW, "count": len(battery), "levels": battery, "key": sensor},
    )
    connection.execute(
        "insert into vp.sensor_status (sensor_id, state, since, battery_pct) select"
        " sensor_id, 'online', %(now)s, %(level)s from vp.sensor where key = %(key)s",
        {"now": NOW, "level": battery[-1], "key": sensor},
    )


def devices(
    connection: Connection, now: datetime = NOW, town: str = TOWN
) -> dict[str, Device]:
    found = report_devices(connection, town, limits=Health(), now=now)
    return {device.registered.key: device for device in found}


@pytest.fixture
def url(plain_world: str) -> str:
    with connect(plain_world) as connection:
        told(connection, "camera", [60.0 - n for n in range(20)])
        told(connection, "loop", [95.0, 15.0])
        connection.commit()
    return plain_world


def test_each_device_is_told_how_it_is(url: str) -> None:
    with connect(url) as connection:
        found = devices(connection)
        later = devices(connection, NOW + timedelta(minutes=40))
    assert {key: device.condition for key, device in found.items()} == {
        "air": "reporting",
        "camera": "reporting",
        "gate": "reporting",
        "loop": "battery",
    }
    # it falls a percent a day, and has 41 left
    assert found["camera"].empty_on == (NOW + timedelta(days=41)).date()
    assert found["loop"].empty_on is None
    assert later["loop"].problems == ("silent", "battery")
    assert later["loop"].condition == "silent"


def test_completeness_is_the_share_that_readings_cover(url: str) -> None:
    with connect(url) as connection:
        found = devices(connection)
    # one of three lanes is silent for the day
    assert found["camera"].complete_day == pytest.approx(2 / 3)
    # it began 145 hours ago
    assert found["camera"].complete_week == pytest.approx((2 * 145 + 121) / (3 * 168))
    # five of six readings come
    assert found["air"].complete_day == pytest.approx(5 / 6)


def test_a_sensor_that_is_not_attached_has_no_completeness(url: str) -> None:
    with connect(url) as connection:
        connection.execute(
            "update vp.installation set period = tstzrange(lower(period), %s) from"
            " vp.sensor where sensor.sensor_id = installation.sensor_id"
            " and key in ('loop', 'air')",
            [NOW - timedelta(days=8)],
        )
        connection.execute("update vp.sensor set status = 'planned' where key = 'air'")
        found = devices(connection)
    assert found["loop"].complete_day is found["loop"].complete_week is None
    assert found["loop"].condition == "out-of-service"
    assert [site.key for site in found["loop"].registered.sites] == ["radweg"]
    assert found["air"].condition == "planned"


def test_maintenance_is_due_by_its_log(url: str) -> None:
    done = Maintenance(sensor="air", done_at=NOW, due_on=NOW.date())
    with connect(url) as connection:
        maintenance.add(connection, TOWN, done)
        found = devices(connection)["air"]
        before = devices(connection, NOW - timedelta(days=1))["air"]
    assert (found.condition, found.due_on) == ("maintenance", NOW.date())
    assert before.problems == ()


def test_a_clock_that_is_ahead_is_a_problem(url: str) -> None:
    with connect(url) as connection:
        connection.execute(
            "update vp.count_reading r set time = time + interval '2 hours'"
            " from vp.sensor where sensor.sensor_id = r.sensor_id and key = 'loop'"
            " and time > %s",
            [NOW - timedelta(hours=2)],
        )
        found = devices(connection)["loop"]
    assert found.problems == ("clock", "battery")
    assert found.clock
    assert found.clock.minutes_ahead == 120


def test_daily_totals_are_complete_until_the_next_one_is_due(url: str) -> None:
    with connect(url) as connection:
        connection.execute("update vp.sensor set interval_s = 86400 where key = 'loop'")
        connection.execute(
            "delete from vp.volume where channel_id in (select"
            " channel_id from vp.channel where key = 'alle')"
        )
        connection.execute(
            "insert into vp.long_volume (channel_id, time, interval_s, volume)"
            " select channel_id, %s - n * interval '1 day', 86400, 100"
            " from vp.channel, generate_series(1, 12) n where key = 'alle'",
            [datetime(2026, 3, 3, 23, tzinfo=UTC)],
        )
        noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
        found = devices(connection, noon)["loop"]
        assert (found.complete_day, found.complete_week) == (1.0, 1.0)
        # the total of the third did not come
        late = devices(connection, noon + timedelta(days=1))["loop"]
        assert late.complete_day == pytest.approx(12 / 24, abs=0.05)


def member(connection: Connection) -> dict[str, Any]:
    """Return the only finding about a device."""
    query = (
        "select m.case_member_id, m.began, m.ended, m.anomaly_case_id, a.severity"
        " from vp.case_member m join vp.anomaly_case a using (anomaly_case_id)"
        " where m.detector like 'device-%'"
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        (found,) = cursor.execute(query.encode()).fetchall()
    return found


def test_a_battery_is_one_case_for_as_long_as_it_is_low(url: str) -> None:
    now = datetime.now(UTC)
    with open_store(url, application="test") as store:

        def look(hours: int) -> dict[str, Any]:
            at = now + timedelta(hours=hours)
            assert check_devices(store, Health(), now=at) in (0, 1)
            return member(store.connection)

        first, again = look(0), look(7)
        assert again["case_member_id"] == first["case_member_id"]
        assert again["began"] == first["began"]
        assert again["ended"] > first["ended"]
        assert (first["severity"], again["severity"]) == ("low", "medium")
        case = first["anomaly_case_id"]
        casework.change(store.connection, case, who="test", state="explained")
        # what a person decided goes on, and opens nothing
        for hours in (8, 40, 80):
            found = look(hours)
        assert found["case_member_id"] == first["case_member_id"]


def test_a_battery_says_nothing_of_what_was_counted(url: str) -> None:
    now = datetime.now(UTC)
    with open_store(url, application="test") as store:

        def known() -> tuple[Counts, dict[Where, Counts], list[int], tuple[int, ...]]:
            counts = count_cases(store.connection, now=now)
            (site,) = store.connection.execute(
                "select site_id from vp.site where key = 'radweg'"
            ).fetchall()
            asked: dict[str, Any] = {"start": now - timedelta(9), "end": now}
            of_bicycles = list_cases(
                store.connection, site="radweg", quantity="bicycle", **asked, now=now
            )
            place = (site[0], "bicycle", "all")
            return (
                counts.pop((TOWN, None)),
                counts,
                [case.anomaly_case_id for case in of_bicycles],
                list_open_cases(store.connection, [place], **asked),
            )

        of_town, *of_sites = known()
        check_devices(store, Health(), now=now)
        after, *same = known()
    assert after.current == of_town.current + 1
    assert same == of_sites


def test_alerts_of_devices_keep_quiet_hours(url: str) -> None:
    now = datetime.now(UTC)
    hour = now.astimezone(ZoneInfo("Europe/Berlin"))
    quiet = f"{hour:%H}:00-{hour + timedelta(hours=2):%H}:00"
    settings = Alerts(
        devices=True,
        quiet=quiet,
        webhook_url=SecretStr("http://127.0.0.1:1/"),
    )
    with open_store(url, application="test") as store:
        check_devices(store, Health(), now=now)
        at = now + timedelta(seconds=1)
        assert not send(store.connection, Alerts(), now=at)
        send(store.connection, settings, now=at)
        (alert,) = store.execute(
            "due_alerts",
            now=at + timedelta(hours=3),
            destinations=["webhook"],
            most=[9],
        )
    assert alert["kind"] == "opened"
    assert alert["attempts"] == 0, "nothing was tried"


@pytest.fixture
def known(url: str) -> Iterator[People]:
    with people.of(url) as found:
        found.put(ANNE, ("engineer", TOWN))
        found.put(BERND, ("planner", TOWN))
        yield found


@pytest.fixture
def app(url: str) -> FastAPI:
    return served.web(url, NOW)


@pytest.fixture
def engineer(app: FastAPI, known: People) -> Iterator[Browser]:
    browser = Browser(app)
    with browser.client:
        browser.log_in(ANNE)
        yield browser


def names(page: str) -> list[str]:
    """Return the keys of the devices that a page lists, in their order."""
    return re.findall(rf'<th scope="row"><a href="{HERE}/([a-z0-9-]+)"', page)


def test_the_page_searches_filters_and_sorts(engineer: Browser) -> None:
    page = engineer.get(HERE).text
    assert names(page) == ["air", "camera", "gate", "loop"]
    assert "4 Geräte. Um 1 muss sich jemand kümmern." in page
    assert "41\N{NARROW NO-BREAK SPACE}%, leer etwa am 14.04.2026" in page
    assert "66" in page or "67" in page
    assert names(engineer.get(f"{HERE}?search=RADWEG").text) == ["loop"]
    assert names(engineer.get(f"{HERE}?condition=problem").text) == ["loop"]
    assert names(engineer.get(f"{HERE}?sort=battery").text)[:2] == ["loop", "camera"]
    assert names(engineer.get(f"{HERE}?sort=-battery").text)[:2] == ["camera", "loop"]
    assert "Nichts gefunden" in engineer.get(f"{HERE}?search=zzz").text
    assert engineer.get(f"{HERE}?page=99&sort=nothing").status_code == 200


def test_a_device_is_opened_by_its_label(
    app: FastAPI, engineer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = f"/de/labels/{TOWN}?sensor=loop"
    assert "Etiketten brauchen die öffentliche Adresse" in engineer.get(labels).text
    pages = Pages(address="http://verkehr.example.org")
    app.state.settings = app.state.settings.model_copy(update={"pages": pages})
    page = engineer.get(labels).text
    assert "http://verkehr.example.org/device/kaiserslautern/loop" in page
    assert page.count('class="segno"') == 1
    # what does not fit on a page is on the next one
    monkeypatch.setattr(route, "MAX_LABELS", 3)
    shown = [
        re.findall(r"/device/kaiserslautern/(\w+)</span></p>", engineer.get(part).text)
        for part in (f"/de/labels/{TOWN}?page={number}" for number in (1, 2, 99))
    ]
    assert [len(each) for each in shown] == [3, 1, 1]
    assert {name for each in shown for name in each} == {
        *("air", "camera", "gate", "loop")
    }
    answer = engineer.get(f"/device/{TOWN}/loop")
    assert answer.headers["location"] == f"{HERE}/loop"
    assert "Batterie schwach" in engineer.get(f"{HERE}/loop").text
    assert engineer.get(f"{HERE}/nothing").status_code == 404


def test_the_code_of_a_lorawan_device_fills_in_the_form(
    engineer: Browser, known: People
) -> None:
    scan, code = f"/de/scan/{TOWN}", "LW:D0:1122334455667788:AABBCCDDEEFF0011:AABB1122"
    engineer.client.headers["origin"] = "http://testserver"
    token = re.search(r'name="form_token" value="(\w+)"', engineer.get(scan).text)
    assert token

    def send(text: str) -> Response:
        fields = {"form_token": token[1], "code": text, "network": "chirpstack-v4"}
        return engineer.post(scan, **fields)

    wrong = send("LW:D0:1")
    assert wrong.status_code == 422
    assert "Das ist kein Code eines LoRaWAN-Geräts" in wrong.text
    form = engineer.get(send(f"{code}:OGEHEIM").headers["location"]).text
    assert 'value="AABBCCDDEEFF0011"' in form
    assert "application/+/device/aabbccddeeff0011/event/+" in form
    assert "GEHEIM" not in form
    with known.operator() as connection:
        connection.execute(
            "update vp.sensor set serial = 'aabb-ccdd-eeff-0011' where key = 'loop'"
        )
    assert send(code).headers["location"] == f"{HERE}/loop"


def test_devices_are_for_engineers_of_their_town(
    engineer: Browser, app: FastAPI, known: People
) -> None:
    assert engineer.get(f"/de/devices/{OTHER}").status_code in (403, 404)
    planner = Browser(app)
    with planner.client:
        planner.log_in(BERND)
        assert planner.get(HERE).status_code == 403


def test_file_and_api_tell_the_same(engineer: Browser, known: People) -> None:
    found = engineer.get(f"{HERE}.csv?condition=battery")
    (row,) = csv.DictReader(io.StringIO(found.text))
    assert (row["sensor"], row["battery_pct"], row["sites"]) == (
        "loop",
        "15.0",
        "radweg",
    )
    with connect(known.url) as connection:
        (loop,) = (d for d in devices(connection).values() if d.problems)
    assert {name: row[name] for name in ("condition", "open_cases")} == {
        name: str(loop.facts[name]) for name in ("condition", "open_cases")
    }


def test_a_command_shows_them(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VERKEHRSPULS_DATABASE__URL", url)
    with pytest.raises(FoundProblems):
        command.app(["sensor", "condition", TOWN, "--json"], standalone_mode=False)
    found = {row["sensor"]: row for row in json.loads(capsys.readouterr().out)}
    assert found["loop"]["battery_pct"] == 15
    assert found["loop"]["condition"] == "silent", "it is long past"


def test_a_thousand_devices_are_a_small_page(engineer: Browser, known: People) -> None:
    with known.operator() as connection:
        connection.execute(
            "insert into vp.sensor (municipality_id, key, name, payload_format,"
            " interval_s) select municipality_id, 'radar-' || n, 'Radar ' || n,"
            " 'native', 300 from vp.municipality, generate_series(1, 1000) n"
            " where key = %s",
            [TOWN],
        )
        connection.execute(
            "insert into vp.channel (site_id, key, name, quantity) select site_id,"
            " 'radar-' || n, 'Radar', 'motor' from vp.site, generate_series(1, 1000) n"
            " where key = 'radweg'"
        )
        connection.execute(
            "insert into vp.installation (sensor_id, channel_id, output, period)"
            " select sensor_id, channel_id, '1', tstzrange('2026-01-01', null)"
            " from vp.sensor s join vp.channel c on c.key = s.key"
            " where s.key like 'radar-%'"
        )
    page = engineer.get(HERE)
    assert len(page.content) < MAX_PAGE_BYTES
    assert len(names(page.text)) == 100
    assert "1.004 Geräte" in page.text
    last = engineer.get(f"{HERE}?page=11").text
    assert names(last)[-1] == "loop"
