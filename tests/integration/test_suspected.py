"""An October in which a counter froze for four nights, and nobody has decided yet."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from starlette.testclient import TestClient

from analytics.cases import casework
from analytics.quality import suspected
from api import office
from tests import parts, served
from tests.integration.test_analytics import HOUR, benched
from tests.recorded import mark_findings
from tests.suspicion import ambiguous, hours_of
from verkehrspuls.storage.case_lists import list_cases
from verkehrspuls.storage.database import connect
from verkehrspuls.storage.doubts import list_suspected
from verkehrspuls.storage.sites import read_site
from verkehrspuls.text import translate

#: midnight in Berlin; October has a day of 25 hours
FIRST = datetime(2026, 9, 30, 22, tzinfo=UTC)
HOURS = 31 * 24 + 1
NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
#: evenings before the nights that are frozen at one of the two directions
NIGHTS = (5, 6, 12, 20)
FROZEN = {
    datetime(2026, 10, day, 20, tzinfo=UTC) + n * HOUR
    for day in NIGHTS
    for n in range(8)
}
PERIOD = {"from": "2026-10-01", "to": "2026-11-01"}
SITE = "/api/v1/sites/kusel/b420"
PAGE = "/de/towns/kusel/b420?from=2026-10-01&to=2026-11-01"


def count(time: datetime, *, frozen: bool) -> tuple[int, int]:
    """Cars and lorries of an hour: never the same twice in a row."""
    if frozen:
        return 216, 60
    local_hour = (time + 2 * HOUR).hour
    busy = 6 <= local_hour < 22
    wave = (time.timestamp() // 3600 * 7) % 11
    return int((200 if busy else 20) + wave), int((20 if busy else 2) + wave // 4)


@pytest.fixture(scope="module")
def url(_plain: parts.Databases) -> Iterator[str]:
    with _plain.fresh() as url:
        with benched(url) as bench:
            last = FIRST + HOURS * HOUR
            with bench.connection.transaction():
                bench.rows("select ensure_range('count_reading', %s, %s)", FIRST, last)
                for key in ("in", "out"):
                    channel = bench.channel(key)
                    for n in range(HOURS):
                        time = FIRST + n * HOUR
                        frozen = key == "in" and time in FROZEN
                        bench.connection.execute(
                            "insert into count_reading (channel_id, time, interval_s,"
                            " sensor_id, received_at, car, truck, motorcycle, van,"
                            " car_trailer, truck_trailer, articulated, bus)"
                            " values (%s, %s, 3600, 1, %s, %s, %s, 0, 0, 0, 0, 0, 0)",
                            (channel, time, time + HOUR, *count(time, frozen=frozen)),
                        )
                        bench.mark(channel, time)
            bench.compute(now=NOW)
        yield url


@pytest.fixture
def client(url: str) -> Iterator[TestClient]:
    """Client of an application that remembers no page of another test."""
    with TestClient(served.web(url, NOW)) as client:
        yield client


def figures(client: TestClient, kind: str, **query: str) -> dict[str, dict[str, Any]]:
    response = client.get(f"{SITE}/figures/{kind}", params=PERIOD | query)
    assert response.status_code == 200, response.text
    return {figure["name"]: figure for figure in response.json()["figures"]}


def right(*, night: bool) -> float:
    """The mean flow that the counters would tell without the frozen hours."""
    by_hour: dict[int, list[int]] = {}
    for n in range(HOURS):
        time = FIRST + n * HOUR
        hour = time.astimezone(ZoneInfo("Europe/Berlin")).hour
        if time not in FROZEN and (hour >= 22 or hour < 6) == night:
            both = 2 * sum(count(time, frozen=False))
            by_hour.setdefault(hour, []).append(both)
    means = [sum(volumes) / len(volumes) for volumes in by_hour.values()]
    return sum(means) / len(means)


def test_frozen_nights_are_suspected_until_a_person_decides(url: str) -> None:
    with connect(url) as connection:
        place = read_site(connection, "kusel", "b420")
        rows = list_suspected(
            connection,
            site_ids=[place.site_id],
            quantity="motor",
            start=FIRST,
            end=FIRST + HOURS * HOUR,
            direction="all",
        )
    assert {row.fault for row in rows} == {"stuck"}
    assert {row.channel for row in rows} == {"in"}
    hours = {
        row.since + n * HOUR
        for row in rows
        for n in range(int((row.until - row.since) / HOUR))
    }
    assert hours == FROZEN


def test_lorries_at_night_are_told_without_frozen_hours_as_well(
    client: TestClient,
) -> None:
    found = figures(client, "noise-flows")
    night = found["m_n"]
    trusted = night["without_suspected"]
    assert trusted["value"] == pytest.approx(right(night=True))
    # an eighth of the nights is frozen at one of two directions
    assert night["value"] > 1.4 * trusted["value"]
    share = found["p_n"]
    assert share["value"] > 1.4 * share["without_suspected"]["value"]
    assert share["passport"]["suspected"] == pytest.approx(32 / (2 * HOURS), abs=1e-6)
    assert share["passport"]["cases"] == share["without_suspected"]["passport"]["cases"]
    day = found["m_t"]
    assert day["value"] == pytest.approx(day["without_suspected"]["value"])


def test_figures_without_it_name_the_hour_that_a_clock_showed_twice(
    url: str, client: TestClient
) -> None:
    doubled = datetime(2026, 10, 25, 1, tzinfo=UTC)
    with ambiguous(url, "b420", "motor", doubled):
        found = figures(client, "noise-flows")["m_n"]
        page = client.get(PAGE).text
    for figure in (found, found["without_suspected"]):
        assert hours_of(figure["passport"]) == [doubled]
    assert "Eine Stunde zeigte die Uhr zweimal" in page


def test_every_kind_of_figures_tells_both(client: TestClient) -> None:
    for kind in ("means", "peaks", "classes", "noise-flows", "day-profile"):
        for name, figure in figures(client, kind).items():
            assert figure["without_suspected"] is not None, (kind, name)
            assert figure["passport"]["suspected"] > 0, (kind, name)
    # what is not touched says nothing of it
    for name, figure in figures(client, "means", direction="out").items():
        assert figure["without_suspected"] is None, name
        assert figure["passport"]["suspected"] == 0


def test_a_mean_day_leaves_out_days_with_frozen_hours(client: TestClient) -> None:
    mean = figures(client, "means")["mean_day"]
    response = client.get(
        f"{SITE}/series", params=PERIOD | {"bin": "P1D", "direction": "all"}
    )
    rows = response.json()["rows"]
    frozen = {row["day"] for row in rows if row["suspected"]}
    assert frozen == {f"2026-10-{day:02}" for one in NIGHTS for day in (one, one + 1)}
    sound = [row["volume"] for row in rows if not row["suspected"]]
    assert mean["value"] > mean["without_suspected"]["value"]
    # evenings of two hours leave a day valid, with what is left of it
    assert mean["without_suspected"]["value"] < sum(sound) / len(sound) * 1.001


@pytest.mark.parametrize("bin", ["PT1H", "P1D"])
@pytest.mark.parametrize("form", ["csv", "csv-de", "parquet", "json"])
def test_exports_have_columns_for_cases_and_health(
    client: TestClient, bin: str, form: str
) -> None:
    ending = "csv" if form == "csv-de" else form
    named = {"format": form} if ending == "csv" else {}
    response = client.get(
        f"{SITE}/series.{ending}", params=PERIOD | {"bin": bin} | named
    )
    assert response.status_code == 200, response.text
    if form == "parquet":
        rows = pl.read_parquet(io.BytesIO(response.content)).to_dicts()
    elif form == "json":
        rows = response.json()["rows"]
        assert response.json()["passport"]["suspected"] > 0
    else:
        text = response.content.decode("utf-8-sig")
        sign = ";" if form == "csv-de" else ","
        # above the table of an office stand its site, period and source
        table = text.split("\r\n\r\n")[-1] if form == "csv-de" else text
        rows = list(csv.DictReader(table.splitlines(), delimiter=sign))
    names = ["open_cases", "suspected", "health", "direction"]
    if form == "csv-de":
        names = [office.COLUMN_NAMES[name] for name in names]
        names = [translate(name, "de") for name in names]
    cases, suspected, health, direction = names
    assert {cases, suspected, health} <= rows[0].keys()
    touched = [row for row in rows if row[suspected]]
    assert len(touched) == (32 if bin == "PT1H" else 7)
    assert len({row[direction] for row in touched}) == 1
    assert all(row[cases] for row in touched)
    if form == "csv-de":
        assert {row[suspected] for row in touched} == {"fester Wert"}
    else:
        assert {(row[suspected], row[direction]) for row in touched} == {
            ("stuck", "in")
        }


def test_a_page_says_beside_a_number_what_it_is_without(client: TestClient) -> None:
    page = client.get(PAGE).text
    text = "ohne Stunden, in denen ein Fehler vermutet wird: "
    figures = re.findall(r'<dd class="basis without">(.*?)</dd>', page)
    assert len(figures) >= 4
    assert all(figure.startswith(text) for figure in figures)
    every = sum(
        sum(count(FIRST + n * HOUR, frozen=key and FIRST + n * HOUR in FROZEN))
        for n in range(HOURS)
        for key in (True, False)
    )
    left = every - 32 * 276
    assert f"{every:,}".replace(",", ".") in page
    assert figures[0].removeprefix(text) == f"{left:,} Kfz".replace(",", ".")
    assert not any(figure.endswith("–") for figure in figures)
    assert "Fehler des Sensors vermutet" in page
    assert re.search(r"Schwerverkehr .*Ohne Stunden, in denen ein Fehler", page)


def test_comparisons_are_told_without_what_is_suspected(client: TestClient) -> None:
    weeks = {"first": "2026-10-12", "last": "2026-10-25"}
    earlier = {"with_first": "2026-10-01", "with_last": "2026-10-11"}
    compared = client.get(f"{SITE}/compare", params=weeks | earlier).json()
    assert compared["change_without_suspected"] is not None
    assert compared["passport"]["suspected"] == pytest.approx(32 / (2 * 601), rel=0.01)
    half = {"measure": "2026-10-15", "weeks": "2"}
    study = client.get(f"{SITE}/before-after", params=half).json()
    assert study["effect_without_suspected"] is not None
    assert study["passport"]["suspected"] > 0
    ranking = client.get(
        "/api/v1/municipalities/kusel/ranking",
        params={"middle": "2026-10-15", "weeks": 2},
    ).json()
    assert [row["passport"]["suspected"] > 0 for row in ranking["sites"]] == [True]
    later = {"measure": "2026-11-15", "weeks": "1"}
    after = client.get(f"{SITE}/before-after", params=later).json()
    assert after["effect_without_suspected"] is None
    assert after["passport"]["suspected"] == 0
    page = client.get(
        "/de/towns/kusel/b420?from=2026-10-12&to=2026-10-26&compare=previous"
    )
    assert "Ohne Stunden, in denen ein Fehler vermutet wird: Gegenüber" in page.text


def test_what_a_person_decided_is_no_suspicion_any_more(
    url: str, client: TestClient
) -> None:
    before = figures(client, "noise-flows")["m_n"]
    with connect(url) as connection:
        numbers = {
            case.anomaly_case_id
            for case in list_cases(connection, site="b420")
            if case.reason == "stuck"
        }
        for number in numbers:
            casework.change(connection, number, who="Ada", state="rejected")
        connection.commit()
    try:
        after = figures(client, "noise-flows")["m_n"]
        assert after["without_suspected"] is None
        assert after["value"] == pytest.approx(before["value"])
    finally:
        with connect(url) as connection:
            for number in numbers:
                connection.execute(
                    "update vp.anomaly_case set state = 'suspected'"
                    " where anomaly_case_id = %s",
                    [number],
                )


@pytest.mark.parametrize(
    ("verdict", "faulty"), [("frozen", True), ("zero-count", True), ("drift", False)]
)
def test_a_day_that_health_finds_faulty_is_suspected(
    url: str, client: TestClient, verdict: str, faulty: bool
) -> None:
    day = date(2026, 10, 28)
    with connect(url) as connection:
        connection.execute(
            "insert into vp.channel_health select channel_id, %s, %s, null, null, null,"
            " true, 'health-2', now() from vp.channel where key = 'out'",
            [day, verdict],
        )
        mark_findings(connection)
    try:
        found = figures(client, "means", direction="out")["dtv"]
        assert (found["without_suspected"] is not None) == faulty
        rows = client.get(
            f"{SITE}/series",
            params={"from": "2026-10-27", "to": "2026-10-30", "direction": "out"},
        ).json()["rows"]
        health = {row["time"]: row["health"] for row in rows}
        assert health["2026-10-27T23:00:00Z"] == verdict
        assert health["2026-10-27T22:00:00Z"] is None
        assert len([row for row in rows if row["suspected"]]) == 24 * faulty
    finally:
        with connect(url) as connection:
            connection.execute("delete from vp.channel_health")


def test_length_of_suspicion_counts_once() -> None:
    rows = [
        {"channel_id": 1, "since": NOW, "until": NOW + 4 * HOUR},
        {"channel_id": 1, "since": NOW + HOUR, "until": NOW + 6 * HOUR},
        {"channel_id": 1, "since": NOW - HOUR, "until": NOW},
        {"channel_id": 2, "since": NOW, "until": NOW + timedelta(days=9)},
    ]
    frame = suspected.frame([row | {"fault": "stuck"} for row in rows])
    share = suspected.share(frame, start=NOW, end=NOW + 12 * HOUR, channels=2)
    assert share == pytest.approx((6 + 12) / 24)


def test_nothing_is_computed_twice_where_nothing_is_suspected() -> None:
    asked: list[bool] = []

    def compute(trusted: bool) -> int:
        asked.append(trusted)
        return len(asked)

    nothing = suspected.frame([])
    assert suspected.both(compute, nothing) == (1, None)
    assert asked == [False]
    row = {"channel_id": 1, "since": NOW, "until": NOW + HOUR}
    assert suspected.both(compute, suspected.frame([row])) == (2, 3)
    assert asked == [False, False, True]


def test_air_says_what_is_suspected_too(url: str, client: TestClient) -> None:
    day = date(2026, 10, 28)
    with connect(url) as connection:
        connection.execute(
            "select vp.ensure_range('environment_hour', %s, %s)", [FIRST, NOW]
        )
        connection.execute(
            "insert into vp.environment_hour select channel_id, at, 3600, 20, 20, 20"
            " from vp.channel, generate_series(%s::timestamptz, %s::timestamptz,"
            " '1 hour') at where key = 'no2'",
            [NOW - timedelta(days=6), NOW - HOUR],
        )
        connection.execute(
            "insert into vp.channel_health select channel_id, %s, 'constant', null,"
            " null, null, true, 'health-2', now() from vp.channel where key = 'no2'",
            [day],
        )
        mark_findings(connection)
    try:
        period = {"from": "2026-10-27T23:00:00Z", "to": "2026-10-29T23:00:00Z"}
        answer = client.get(f"{SITE}/air", params=period)
        assert answer.status_code == 200, answer.text
        passport = answer.json()["passport"]["no2_ugm3"]
        assert passport["suspected"] == pytest.approx(0.5)
        rows = client.get(
            f"{SITE}/series", params=period | {"quantity": "no2_ugm3"}
        ).json()["rows"]
        assert [row["suspected"] for row in rows] == ["constant"] * 24 + [None] * 24
        page = client.get("/de/towns/kusel/b420?from=2026-10-28&to=2026-10-30").text
        assert re.search(
            r"Ohne Stunden, in denen ein Fehler vermutet wird: Im Mi", page
        )
    finally:
        with connect(url) as connection:
            connection.execute("delete from vp.channel_health")
            connection.execute("delete from vp.environment_hour")
