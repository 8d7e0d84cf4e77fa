"""Corridors and junctions over HTTP: three counters, a jam each morning."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from starlette.testclient import TestClient

from analytics.reports.corridors import on_workdays
from dashboards.app import create_web
from tests import parts
from tests.cases import Finding, open_case
from tests.parts import as_web
from tests.suspicion import suspected_until_decided, suspicion
from tests.towns import corridor, junction, linz
from verkehrspuls.errors import UsageError
from verkehrspuls.model import Channel, Site, Town
from verkehrspuls.registry.faults import check
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import load
from verkehrspuls.storage import corridors
from verkehrspuls.storage.database import Connection, connect

#: midnight in Berlin, a Monday
START = datetime(2026, 11, 1, 23, tzinfo=UTC)
DAYS = 14
PERIOD = {"from": "2026-11-02", "to": "2026-11-16"}
SITES = ("a", "b", "c")


def town(**parts_of_town: Any) -> Town:
    return linz(
        *(
            Site(
                key=key,
                name=key,
                visibility="private" if key == "d" else "public",
                channels=(
                    Channel(key="in", name="in", quantity="motor", direction="in"),
                ),
            )
            for key in (*SITES, "d")
        ),
        **parts_of_town,
    )


TOWN = town(
    corridors=(
        corridor("road", ("a", "in", 0), ("b", "in", 1000), ("c", "in", 2000)),
        corridor("hidden", ("a", "in", 0), ("d", "in", 500)),
    ),
    junctions=(junction("crossing", ("a", "in", "in"), ("c", "in", "out")),),
)


@pytest.fixture(scope="module")
def url(_plain: parts.Databases) -> Iterator[str]:
    with _plain.fresh() as url:
        with connect(url) as connection:
            register(connection, TOWN)
            register(connection, TOWN)  # once more changes nothing
            fill(connection)
            _case(connection)
        yield url


def fill(connection: Connection, *, start: datetime = START, days: int = DAYS) -> None:
    """A and B are slow from 7 to 9; C counts a tenth too little."""
    ids = dict(
        connection.execute(
            "select s.key, channel_id from vp.channel c join vp.site s using (site_id)"
        ).fetchall()
    )
    connection.execute(
        "select vp.ensure_range('volume', %s, %s)",
        [start, start + timedelta(days=days)],
    )
    rows = []
    for n in range(days * 96):
        hour = (n % 96) // 4
        for site in SITES:
            slow = 7 <= hour < 9 and site != "c"
            rows.append(
                (
                    *(ids[site], 900, start + n * timedelta(minutes=15), 900),
                    *(90 if site == "c" else 100, 20.0 if slow else 50.0),
                )
            )
    rows += [
        (channel, 3600, start + n * timedelta(hours=1), 3600, 4 * volume, 50.0)
        for n in range(days * 24)
        for channel, volume in ((ids["a"], 100), (ids["b"], 100), (ids["c"], 90))
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into vp.volume (channel_id, interval_s, time, observed_s, volume,"
            " speed_kmh) values (%s, %s, %s, %s, %s, %s)",
            rows,
        )
    connection.commit()


def _case(connection: Connection) -> None:
    """It is led by A, and B has a part in it."""
    at = START + timedelta(days=3)
    open_case(
        connection,
        *(
            Finding(site, "motor", "day-below-usual", at, at + timedelta(days=1))
            for site in ("a", "b")
        ),
    )
    connection.commit()


def ask(client: TestClient, path: str, **query: str) -> Any:
    response = client.get(f"/api/v1/{path}", params=PERIOD | query)
    assert response.status_code == 200, response.text
    return response.json()


def test_corridor_is_listed_only_where_all_its_sites_are_public(
    client: TestClient,
) -> None:
    found = client.get("/api/v1/corridors").json()["corridors"]
    assert [row["key"] for row in found] == ["road"]
    assert [s["chainage_m"] for s in found[0]["stations"]] == [0, 1000, 2000]
    assert client.get("/api/v1/corridors/linz/hidden/balance").status_code == 404


def test_passports_name_the_cases_of_their_places(client: TestClient) -> None:
    for path in (
        "corridors/linz/road/travel-times",
        "corridors/linz/road/balance",
        "junctions/linz/crossing/balance",
    ):
        assert len(ask(client, path)["passport"]["cases"]) == 1, path
        later = ask(client, path, **{"from": "2026-11-10"})
        assert later["passport"]["cases"] == [], path


def test_passports_tell_what_a_person_excluded(client: TestClient, url: str) -> None:
    """A day of A and B: two of three stations, and each balance."""
    query = {"from": "2026-11-05", "to": "2026-11-07"}
    paths = {
        "corridors/linz/road/travel-times": 2 / 3,
        "corridors/linz/road/balance": 1.0,
        "junctions/linz/crossing/balance": 1.0,
    }

    def shares(path: str) -> tuple[float, float]:
        passport = ask(client, path, **query)["passport"]
        return passport["observed"], passport["excluded"]

    assert {path: shares(path) for path in paths} == dict.fromkeys(paths, (1, 0))
    with decided(url, "confirmed", "exclude"):
        assert {path: shares(path) for path in paths} == {
            path: pytest.approx((1 - share / 2, share / 2))
            for path, share in paths.items()
        }


@pytest.mark.parametrize(
    ("path", "share"),
    [
        ("corridors/linz/road/travel-times", 1 / 3),
        ("corridors/linz/road/reliability", 1 / 3),
        ("corridors/linz/road/bottlenecks", 1 / 3),
        ("corridors/linz/road/speed-field", 1 / 3),
        ("corridors/linz/road/balance", 1 / 2),
        ("junctions/linz/crossing/balance", 1),
    ],
)
def test_what_a_frozen_counter_touches_is_told_without_it_as_well(
    client: TestClient, url: str, path: str, share: float
) -> None:
    """A is frozen on a morning, through its jam: one of three stations."""
    began, ended = (START + timedelta(days=2, hours=hour) for hour in (6, 12))
    query = {"from": "2026-11-03", "to": "2026-11-05"}
    if path.endswith("reliability"):
        query = PERIOD
    found, trusted = suspected_until_decided(
        lambda: ask(client, path, **query), url, "a", "motor", began, ended
    )
    hours = 24 * (14 if query is PERIOD else 2)
    assert found["passport"]["suspected"] == pytest.approx(6 / hours * share)
    if "corridor_intervals" in found:
        times = {row["time"]: row["travel_s"] for row in trusted["corridor_intervals"]}
        # only one section is left, so the whole is unknown
        assert times["2026-11-04T06:00:00Z"] is None
        assert times["2026-11-03T06:00:00Z"] == pytest.approx(306)
    if path.startswith("junctions"):
        (crossing,) = trusted["balances"]
        assert crossing["entered"] == (48 - 6) * 400


def test_page_of_a_corridor_says_what_is_without_a_frozen_counter(url: str) -> None:
    """The sentences of travel times, and of what stalls, say it; then nobody does."""
    path = "/de/corridors/linz/road?day=2026-11-11"
    began = START + timedelta(days=9, hours=6)
    text = "Ohne Stunden, in denen ein Fehler vermutet wird: "
    with TestClient(
        create_web(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))
    ) as web:
        assert text not in web.get(path).text
        with suspicion(url, "a", "motor", began, began + timedelta(hours=4)) as decide:
            page = web.get(path).text
            assert "am längsten um 7:00" in page.lower()
            assert f"{text}Am längsten um " in page
            decide(state="confirmed", effect="exclude")
            assert text not in web.get(path).text


@contextmanager
def decided(url: str, state: str, effect: str) -> Iterator[None]:
    """For a while, a person has decided the case."""
    change = "update vp.anomaly_case set state = %s, effect = %s"
    with connect(url, autocommit=True) as connection:
        before = connection.execute(
            "select state, effect from vp.anomaly_case"
        ).fetchone()
        connection.execute(change, [state, effect])
        try:
            yield
        finally:
            connection.execute(change, before)


def test_travel_time_doubles_in_the_jam(client: TestClient) -> None:
    found = ask(client, "corridors/linz/road/travel-times")
    assert found["passport"]["observed"] == 1
    assert [row["free_kmh"] for row in found["free_speeds"]] == [50, 50, 50]
    times = {row["time"]: row["travel_s"] for row in found["corridor_intervals"]}
    assert times["2026-11-02T02:00:00Z"] == pytest.approx(144)
    # a, and half of the section behind b, at 20 km/h
    assert times["2026-11-02T06:00:00Z"] == pytest.approx(180 + 90 + 36)
    assert [row["delay_h"] > 0 for row in found["delays"]] == [True, True]


def test_travel_time_is_as_reliable_as_its_jam(client: TestClient) -> None:
    found = ask(client, "corridors/linz/road/reliability")
    jam = next(row for row in found["reliability"] if row["minute"] == 7 * 60)
    assert (jam["days"], jam["median_s"]) == (10, pytest.approx(306))
    assert jam["median_index"] == pytest.approx(306 / 144)
    # for that ten days are too few
    assert (jam["buffer_index"], jam["planning_time_index"]) == (None, None)
    assert (found["days_required"], found["days_required_p95"]) == (10, 20)


def test_an_interval_in_which_nobody_passed_is_observed(
    client: TestClient, url: str
) -> None:
    """A quarter-hour without a vehicle, and one with some and no speed."""
    change = (
        "update vp.volume set volume = %s, speed_kmh = null where interval_s = 900"
        " and time = %s and channel_id = (select channel_id from vp.channel"
        " join vp.site s using (site_id) where s.key = 'c')"
    )
    back = change.replace("null", "50")
    query = {"from": "2026-11-15", "to": "2026-11-16"}
    at = START + timedelta(days=13, hours=2)
    with connect(url, autocommit=True) as connection:
        try:
            connection.execute(change.encode(), [0, at])
            connection.execute(change.encode(), [9, at + timedelta(hours=1)])
            found = ask(client, "corridors/linz/road/travel-times", **query)
        finally:
            for n in (0, 1):
                connection.execute(back.encode(), [90, at + timedelta(hours=n)])
    assert found["passport"]["observed"] == pytest.approx(1 - 1 / (3 * 96))


def test_a_public_holiday_is_no_workday() -> None:
    """Of Christmas 2026 Thursday is one; the time of the 25th begins on the 24th."""
    times = pl.DataFrame(
        {"time": [datetime(2026, 12, day, 23, tzinfo=UTC) for day in range(21, 28)]}
    )
    corridor = corridors.Corridor(
        corridor_id=1,
        key="road",
        name="Road",
        municipality="linz",
        state="RP",
        time_zone="Europe/Berlin",
        simulated=False,
        stations=(),
    )
    found = on_workdays(times, corridor)["time"].dt.day().to_list()
    assert found == [21, 22, 23, 27]


def test_bottleneck_is_at_the_second_counter_each_day(client: TestClient) -> None:
    found = ask(client, "corridors/linz/road/bottlenecks")["bottlenecks"]
    assert len(found) == DAYS
    assert {(row["station"], row["active"], row["extent_m"]) for row in found} == {
        (1, 8, 1500)
    }


def test_speed_field_is_there_for_two_days_at_most(client: TestClient) -> None:
    found = ask(client, "corridors/linz/road/speed-field", to="2026-11-03")
    speeds = [cell["speed_kmh"] for cell in found["cells"] if cell["speed_kmh"]]
    assert 19 < min(speeds) < 21
    assert 49 < max(speeds) < 51
    path = "/api/v1/corridors/linz/road/speed-field"
    assert client.get(path, params=PERIOD).status_code == 422


@pytest.mark.parametrize(
    ("path", "balance"),
    [
        ("corridors/linz/road/balance", "b → c"),
        ("junctions/linz/crossing/balance", "crossing"),
    ],
)
def test_counter_that_misses_a_tenth_shows_as_a_bias(
    client: TestClient, path: str, balance: str
) -> None:
    found = {row["balance"]: row for row in ask(client, path)["balances"]}
    assert found[balance]["bias"] == pytest.approx(40 / 380)
    assert found[balance]["intervals"] == DAYS * 24
    if "a → b" in found:
        assert found["a → b"]["bias"] == 0


def test_what_is_not_there_is_not_found(client: TestClient) -> None:
    for path in ("corridors/linz/moon/bottlenecks", "junctions/linz/moon/balance"):
        assert client.get(f"/api/v1/{path}").status_code == 404


def test_trap_8_a_junction_counts_each_vehicle_once_in_and_once_out(
    client: TestClient,
) -> None:
    """Two of the three sites are arms, with 400 and 360 an hour; none counts twice."""
    (crossing,) = ask(client, "junctions/linz/crossing/balance")["balances"]
    assert crossing["entered"] == DAYS * 24 * 400
    assert crossing["left"] == DAYS * 24 * 360
    road = ask(client, "corridors/linz/road/balance")["balances"]
    # the one in the middle is left by what it is entered by, in a balance each
    assert [(row["entered"], row["left"]) for row in road] == [
        (DAYS * 24 * 400, DAYS * 24 * 400),
        (DAYS * 24 * 400, DAYS * 24 * 360),
    ]


def test_trap_12_chainage_rises_in_the_direction_of_travel() -> None:
    """Whichever way the road is numbered, each direction is a corridor of its own."""
    with pytest.raises(UsageError, match="chainage"):
        check(town(corridors=(corridor("back", ("a", "in", 1000), ("b", "in", 0)),)))
    check(town(corridors=(corridor("back", ("b", "in", 0), ("a", "in", 1000)),)))


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        (
            {"corridors": (corridor("far", ("a", "in", 0), ("moon", "in", 1)),)},
            "moon",
        ),
        (
            {"junctions": (junction("j", ("a", "in", "in"), ("b", "in", "in")),)},
            "ways out",
        ),
    ],
)
def test_roads_that_cannot_be_are_refused(wrong: dict[str, Any], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        check(town(**wrong))
