"""One bad site, sensor or town never takes down the pages and figures of another.

Each kind of bad row is written by SQL, as a hand at the database or an older release
could have done. What the database itself refuses is a kind that cannot be.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import psycopg
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from analytics.jobs import case_days
from analytics.jobs.store import Store, open_store
from analytics.jobs.worker import Worker
from analytics.volumes.daily import METHOD
from ingest.resolve import read_registry
from tests import parts, served, walk, world
from tests.parts import as_analytics, logins
from verkehrspuls.settings import load
from verkehrspuls.stack.checks import PROBLEM, examine
from verkehrspuls.storage.database import connect

NOW = datetime(2026, 3, 4, 0, 30, tzinfo=UTC)
GOOD = "kaiserslautern"
PERIOD = {"from": "2026-03-01", "to": "2026-03-04"}
QUERY = {
    "before-after": {"measure": "2026-03-02"},
    "compare": {
        **{"first": "2026-03-02", "last": "2026-03-02"},
        **{"with_first": "2026-03-01", "with_last": "2026-03-01"},
    },
    "speed-field": {"to": "2026-03-02"},
    "ranking": {"middle": "2026-03-02"},
    "days-as-known": {"known_at": "2026-03-04T00:00:00Z"},
}

#: what is wrong with a site of a good town: its columns, in place of good ones
SITES = {
    "south-pole": {"latitude": -90, "longitude": 0},
    "north-pole": {"latitude": 90, "longitude": 180},
    "null-island": {"latitude": 0, "longitude": 0},
    "swapped": {"latitude": 7.77, "longitude": 49.44},
    "not-a-number": {"latitude": "NaN", "longitude": "NaN"},
    "infinite": {"latitude": "Infinity", "longitude": 7.7},
    "half-a-place": {"latitude": 49.4, "longitude": None},
    "no-place": {"latitude": None, "longitude": None},
    "no-name": {"name": ""},
    "long-name": {"name": "ß" * 90_000},
    "rtl-name": {"name": "abc\u202edef\u2066"},
    "controls": {"name": "a\x1b[2Jb\x9b\x1c\u2028c", "road": "a\tb\nc"},
    "markup": {"name": "</title><script>alert(1)</script>[/bold]{{7*7}}%(x)s{}"},
    "no-speed": {"speed_limit_kmh": 0},
    "never": {"since": "infinity", "until": "-infinity"},
}
#: the same of a channel
CHANNELS = {
    "unknown-quantity": {"quantity": "phlogiston"},
    "empty-quantity": {"quantity": ""},
    "counted-in-name": {"quantity": "Motor"},
    "absurd-lane": {"lane": -32768},
    "absurd-thresholds": {"thresholds": '{"HQ1": "much", "": [1], "x": 1e300}'},
    "thresholds-list": {"thresholds": "[1, 2]"},
    "no-channel-name": {"name": "", "direction_name": "\x85\u2029"},
}
#: the same of a sensor
SENSORS = {
    "unknown-scheme": {"class_scheme": "tls-99"},
    "no-scheme": {"class_scheme": None},
    "no-interval": {"interval_s": 0},
    "huge-interval": {"interval_s": 2_000_000_000},
    "longest-interval": {"interval_s": 86_400},
    "unknown-format": {"payload_format": "carrier-pigeon", "topic": "a/b"},
    "bad-profile": {
        "payload_format": "tasmota",
        "topic": "tele/x/SENSOR",
        "profile": '{"times": [{"field": "Time", "zone": "right/Europe/Berlin"}]}',
    },
    "absurd-profile": {
        "payload_format": "tasmota",
        "topic": "tele/y/SENSOR",
        "profile": '["no", "object"]',
    },
    "bad-filter": {"payload_format": "scalar", "topic": "#/a/#"},
}
#: the same of its installation
PERIODS = {
    "for-ever": "(,)",
    "infinite-ends": "[-infinity,infinity]",
    "long-ago": "[4000-01-01 BC,3000-01-01 BC)",
    "far-ahead": "[200000-01-01,)",
    "reversed": "[2026-02-01,2026-01-01)",
    "empty": "empty",
}
#: the same of a town with one site
TOWNS: dict[str, dict[str, Any]] = {
    **{
        f"zone-{n}": {"time_zone": zone}
        for n, zone in enumerate(
            (
                *("localtime", "Factory", "right/Europe/Berlin", "posix/Europe/Berlin"),
                *("europe/berlin", "Europe/../Europe/Berlin", "+01:00", "ABC+3", ""),
                *("Europe/Atlantis", "Europe/Berlin\n", "../../etc/passwd", "GMT+25"),
            )
        )
    },
    "zone-etc": {"time_zone": "Etc/GMT+1"},
    "zone-half": {"time_zone": "Australia/Lord_Howe"},
    "no-state": {"state": ""},
    "unknown-state": {"state": "XX"},
    "pole": {"latitude": -90, "longitude": 0},
    "nameless": {"name": ""},
    "bold": {"name": "[/bold]\x1b]0;x\x07", "licence": "\u202e"},
    "endless": {"name": "x" * 90_000},
}

_TOWN = {"name": "Ort", "state": "RP", "time_zone": "Europe/Berlin", "licence": ""}
_SITE = {"name": "Stelle", "latitude": 49.45, "longitude": 7.75, "road": "Ring"}
_CHANNEL = {"name": "Spur", "quantity": "motor", "direction": "nord"}
_SENSOR = {"name": "Radar", "interval_s": 300, "class_scheme": "tls-8+1"}


class Poison:
    """Writes bad rows; counts what the database refused."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self.refused: set[str] = set()

    def put(self, name: str, town: str, **bad: Any) -> None:
        try:
            with self._connection.transaction():
                self._put(name, town, **bad)
        except psycopg.Error:
            self.refused.add(name)

    def _insert(self, table: str, **columns: object) -> int:
        names = ", ".join(columns)
        places = ", ".join(["%s"] * len(columns))
        row = self._connection.execute(
            f"insert into vp.{table} ({names}) values ({places}) returning {table}_id",
            list(columns.values()),
        ).fetchone()
        return int(row[0]) if row else 0

    def _put(self, name: str, town: str, **bad: Any) -> None:
        of_town, of_site, of_channel, of_sensor = (
            bad.get(kind, {}) for kind in ("of_town", "site", "channel", "sensor")
        )
        row = self._connection.execute(
            "select municipality_id from vp.municipality where key = %s", [town]
        ).fetchone()
        town_id = row[0] if row else self._insert("municipality", key=town, **of_town)
        of = {"municipality_id": town_id, "key": f"bad-{name}"}
        site_id = self._insert("site", **of, **_SITE | of_site)
        channel_id = self._insert(
            "channel", site_id=site_id, key="a", **_CHANNEL | of_channel
        )
        sensor_id = self._insert("sensor", **of, **_SENSOR | of_sensor)
        self._insert(
            "installation",
            sensor_id=sensor_id,
            channel_id=channel_id,
            output="1",
            period=bad.get("period", "[2026-01-01,)"),
        )
        self._connection.execute(
            "insert into vp.count_reading (channel_id, time, interval_s, sensor_id,"
            " received_at, time_origin, car) select %s, g, 300, %s, g, 0, 7"
            " from generate_series(%s, %s, interval '5 minutes') g",
            [channel_id, sensor_id, NOW - timedelta(days=2), NOW],
        )
        self._connection.execute(
            "insert into vp.stale_bucket select %s, generate_series(%s::timestamptz,"
            " %s, interval '1 hour')",
            [channel_id, world.LAST - timedelta(days=2), world.LAST],
        )
        for hour in range(72):
            self._connection.execute(
                "insert into vp.volume (channel_id, interval_s, time, observed_s,"
                " volume, usual, usual_spread) values (%s, 3600, %s, 3600, 5, 6, 2)",
                [channel_id, world.FIRST + timedelta(hours=hour)],
            )
        case_id = self._insert(
            "anomaly_case",
            **{"site_id": site_id, "channel_id": channel_id, "detector": "silence"},
            **{"began": world.FIRST, "ended": NOW, "observed": 0, "usual": 5},
            **{"score": 6, "reason": "silent", "opened_at": NOW, "updated_at": NOW},
        )
        self._connection.execute(
            "insert into vp.case_member (anomaly_case_id, channel_id, detector, began,"
            " ended, score, reason) select anomaly_case_id, channel_id, detector,"
            " began, ended, score, reason from vp.anomaly_case"
            " where anomaly_case_id = %s",
            [case_id],
        )
        self._connection.execute(
            "insert into vp.daily_figure (site_id, quantity, direction, day, volume,"
            " volume_normalised, observed, normalised, imputed, excluded, valid,"
            " method) values (%s, %s, 'all', '2026-03-02', 70, 70, 1, 0, 0, 0, true,"
            " %s)",
            [site_id, (_CHANNEL | of_channel)["quantity"], METHOD],
        )


@pytest.fixture(scope="module")
def refused() -> set[str]:
    """What the database refused, once `url` is made."""
    return set()


@pytest.fixture(scope="module")
def url(_plain: parts.Databases, refused: set[str]) -> Iterator[str]:
    with _plain.fresh(world.build) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "select vp.ensure_range('count_reading', %s, %s)",
                [world.FIRST, world.LAST + timedelta(days=2)],
            )
            poison = Poison(connection)
            for name, site in SITES.items():
                poison.put(name, GOOD, site=site)
            for name, channel in CHANNELS.items():
                poison.put(name, GOOD, channel=channel)
            for name, sensor in SENSORS.items():
                poison.put(name, GOOD, sensor=sensor)
            for name, period in PERIODS.items():
                poison.put(name, GOOD, period=period)
            for name, town in TOWNS.items():
                poison.put(name, f"bad-{name}", of_town=_TOWN | town)
            refused |= poison.refused
        yield url


@pytest.fixture(scope="module")
def app(url: str) -> FastAPI:
    return served.web(url, NOW)


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_every_page_and_endpoint_of_good_towns_is_there(
    app: FastAPI, client: TestClient
) -> None:
    places = client.get("/api/v1/sites").json()["sites"]
    bad = [site for site in places if site["key"].startswith("bad-")]
    assert len(bad) > 20
    number = client.get("/api/v1/cases").json()["cases"][0]["anomaly_case_id"]
    known = {
        "municipality": GOOD,
        "site": "pariser-strasse",
        "corridor": "nordtangente-ost",
        "junction": "mainzer-tor",
        "number": str(number),
        "kind": "aadt",
    }
    found = {}
    for path, operation in walk.open_reads(app):
        address = path.format(**known)
        query = PERIOD | QUERY.get(path.rpartition("/")[2], {})
        named = {p["name"] for p in operation.get("parameters", [])}
        answer = client.get(
            address, params={k: v for k, v in query.items() if k in named}
        )
        found[address] = answer.status_code
    for language in ("de", "en"):
        for address in (
            *("", f"{GOOD}", f"{GOOD}/pariser-strasse", f"{GOOD}/radweg"),
            *(f"{GOOD}/corridor/nordtangente-ost", f"case/{number}"),
            *("about", "accessibility", "bad-unknown-state", "bad-zone-etc"),
        ):
            found[address] = client.get(f"/{language}/{address}").status_code
    wrong = {address: code for address, code in found.items() if code != 200}
    assert not wrong


def test_no_page_of_a_bad_site_is_an_error_of_the_server(client: TestClient) -> None:
    places = client.get("/api/v1/sites").json()["sites"]
    wrong = {}
    for site in places:
        for address in (
            f"/de/{site['municipality']}/{site['key']}",
            f"/api/v1/sites/{site['municipality']}/{site['key']}/series.csv",
        ):
            code = client.get(address).status_code
            if code >= 500:
                wrong[address] = code
    assert not wrong


def test_worker_computes_all_but_what_cannot_be(url: str) -> None:
    settings = load(logins(url))
    worker = Worker(settings, on_ready=lambda: None, clock=lambda: NOW)
    with open_store(as_analytics(url), application="test") as store:
        while worker._process(store):
            pass
        while worker._judge_cases(store):
            pass
        while worker._judge_health(store):
            pass
        worker._estimate(store)
        assert worker._avoid == {}


def test_ingest_reads_the_registry(url: str) -> None:
    with connect(url) as connection:
        assert (GOOD, "camera") in read_registry(connection)


def test_doctor_names_each(url: str) -> None:
    found = {
        one.part: one for one in examine(load(logins(url))) if one.state == PROBLEM
    }
    text = found[f"registration {GOOD}"].detail
    assert "latitude = -90" in text
    for town in ("pole", "unknown-state", "no-state"):
        assert f"registration bad-{town}" in found, town
    assert "registration verborgen" not in found


def test_pages_list_a_bad_site_with_what_is_wrong(client: TestClient) -> None:
    page = client.get(f"/de/{GOOD}").text
    assert "misst „phlogiston“, das hier nicht bekannt ist." in page
    assert "Ihre Koordinaten (-90, 0) liegen nicht in Deutschland." in page
    # the map is that of the good ones
    assert "Ihre Koordinaten (0, 0) liegen nicht in Deutschland." in page


def test_the_database_itself_refuses_what_nothing_can_work_with(
    url: str, refused: set[str]
) -> None:
    zones = {f"zone-{n}" for n in range(13)}
    names = {"no-name", "long-name", "rtl-name", "controls", "nameless", "endless"}
    others = {"bold", "absurd-thresholds", "thresholds-list", "not-a-number"}
    assert zones | names | others <= refused


def test_one_failing_town_or_site_does_not_stop_the_others(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[int] = []

    def judge(store: Store, taken: list[Any], **_: object) -> None:
        failed.append(taken[0].municipality_id)
        raise KeyError("poison")

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "insert into vp.stale_case_day select municipality_id, '2026-03-01'"
            " from vp.municipality on conflict do nothing"
        )
        connection.execute("delete from vp.stale_bucket")
        connection.execute("delete from vp.stale_case_hour")
    monkeypatch.setattr(case_days, "_judge", judge)
    worker = Worker(
        load(logins(url)),
        on_ready=lambda: None,
        clock=lambda: NOW,
    )
    with open_store(as_analytics(url), application="test") as store:
        while worker._judge_cases(store):
            pass
    assert len(failed) == len(set(failed)) > 2
    named = {one.part: one.detail for one in examine(load(logins(url)))}
    assert "KeyError('poison')" in named[f"figures {GOOD}"]


def test_zones_are_known_to_all(database: str) -> None:
    with psycopg.connect(database) as connection:
        zones = [row[0] for row in connection.execute("select name from vp.time_zone")]
    moment = pl.Series([NOW], dtype=pl.Datetime("us", "UTC"))
    for zone in zones:
        ZoneInfo(zone)
        moment.dt.convert_time_zone(zone)
    assert len(zones) > 300
