"""Readings of more than an hour: from the database to days, in each storage edition."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from analytics.jobs import case_days, claims, health_store
from analytics.volumes import daily
from dashboards.app import create_web
from tests.integration.test_analytics import Bench
from tests.parts import as_web
from tests.suspicion import suspected_until_decided, suspicion
from verkehrspuls.settings import Health, load
from verkehrspuls.storage.database import execute

#: local midnight of 16 September 2026 in Berlin
MIDNIGHT = datetime(2026, 9, 15, 22, tzinfo=UTC)
DAY = timedelta(days=1)
DAY_S = 86_400
NOW = MIDNIGHT + 10 * DAY


def days(bench: Bench, direction: str = "in") -> dict[date, list[object]]:
    rows = bench.rows(
        "select day, volume, observed, valid, method from daily_figure "
        "where direction = %s order by day",
        direction,
    )
    return {day: figures for day, *figures in rows}


def test_daily_totals_become_days_and_no_hours(bench: Bench) -> None:
    bench.count([1000, 1100, 900], start=MIDNIGHT, interval_s=DAY_S)
    bench.compute(now=NOW)
    assert days(bench) == {
        date(2026, 9, 16 + n): [volume, 1, True, daily.TOTALS_METHOD]
        for n, volume in enumerate((1000, 1100, 900))
    }
    assert bench.rows("select * from volume") == []
    assert bench.rows("select * from stale_bucket") == []
    assert bench.cases() == []


def test_a_corrected_total_replaces_its_day(bench: Bench) -> None:
    bench.count([1000], start=MIDNIGHT, interval_s=DAY_S)
    bench.compute(now=NOW)
    bench.count([1200], start=MIDNIGHT, interval_s=DAY_S)
    bench.compute(now=NOW)
    assert [volume for volume, *_ in days(bench).values()] == [1200]
    assert bench.rows("select volume from long_volume") == [(1200,)]


def test_a_total_that_is_taken_back_leaves_no_day(bench: Bench) -> None:
    bench.count([1000], start=MIDNIGHT, interval_s=DAY_S)
    bench.compute(now=NOW)
    bench.rows("delete from count_reading returning 1")
    bench.mark(bench.channel(), MIDNIGHT)
    bench.compute(now=NOW)
    assert days(bench) == {}
    assert bench.rows("select * from long_volume") == []


def test_a_total_that_begins_the_evening_before_reaches_its_day(bench: Bench) -> None:
    evening = MIDNIGHT - timedelta(hours=4)
    bench.count([1000], start=evening, interval_s=DAY_S)
    bench.compute(now=NOW)
    assert [(day, row[0]) for day, row in days(bench).items()] == [
        (date(2026, 9, 16), 1000)
    ]
    bench.count([900], start=evening, interval_s=DAY_S)
    bench.compute(now=NOW)
    assert [row[0] for row in days(bench).values()] == [900]
    bench.rows("delete from count_reading returning 1")
    bench.mark(bench.channel(), evening)
    bench.compute(now=NOW)
    assert days(bench) == {}


def test_hours_that_come_later_make_the_day_finer(bench: Bench) -> None:
    bench.count([1000], start=MIDNIGHT, interval_s=DAY_S)
    bench.compute(now=NOW)
    bench.count([40] * 23, start=MIDNIGHT + timedelta(hours=1), interval_s=3600)
    bench.compute(now=NOW)
    assert [row[0] for row in days(bench).values()] == [920]
    assert bench.rows("select volume from long_volume") == [(1000,)]


def test_recomputing_finds_totals_whose_readings_were_dropped_or_not(
    bench: Bench,
) -> None:
    bench.count([1000, 1100], start=MIDNIGHT, interval_s=DAY_S)
    bench.compute(now=NOW)
    found = days(bench)
    bench.rows("delete from daily_figure returning 1")
    assert claims.mark_stale(bench.store, claims.Choice()) == 2
    bench.compute(now=NOW)
    assert days(bench) == found


def test_environment_values_of_a_day_are_kept_and_corrected(bench: Bench) -> None:
    channel = bench.channel("no2")
    bench.rows("select ensure_range('environment_reading', %s, %s)", MIDNIGHT, NOW)
    query = (
        "insert into environment_reading (channel_id, time, interval_s, sensor_id, "
        "received_at, value) values (%s, %s, %s, 1, now(), %s) "
        "on conflict (channel_id, time) do update set value = excluded.value"
    )
    for value in (10.0, 40.0):
        bench.connection.execute(query, (channel, MIDNIGHT, DAY_S, value))
        bench.mark(channel, MIDNIGHT)
        bench.compute(now=NOW)
        assert bench.rows("select interval_s, value from long_environment") == [
            (DAY_S, value)
        ]
    assert bench.rows("select * from environment_hour") == []
    # the overview shows it, where the site counts nothing
    (newest,) = execute(
        bench.connection,
        "read_latest_values",
        now=NOW,
        counted=[],
    ).fetchall()
    assert (newest["time"], newest["interval_s"], newest["mean"]) == (
        MIDNIGHT,
        DAY_S,
        40.0,
    )
    bench.rows("delete from environment_reading returning 1")
    bench.mark(channel, MIDNIGHT)
    bench.compute(now=NOW)
    assert bench.rows("select * from long_environment") == []


def test_a_total_that_is_unusual_for_its_weekday_is_a_case(bench: Bench) -> None:
    """Saturdays and Sundays have half of what workdays have, and that is usual."""
    weeks = 7
    totals = [
        (500 if day % 7 in (3, 4) else 1000) + 7 * (day % 5) for day in range(7 * weeks)
    ]
    totals[-7] = 2500
    start = MIDNIGHT + timedelta(days=7 - 7 * weeks)
    bench.count(totals, start=start, interval_s=DAY_S)
    bench.compute(now=NOW)
    while case_days.judge(bench.store, now=NOW):
        pass
    found = {(case["reason"], case["began"]) for case in bench.cases()}
    assert found == {("day-above-usual", MIDNIGHT)}


def judged(bench: Bench, *, now: datetime = NOW) -> dict[date, str]:
    """Verdicts of a channel whose sensor tells daily totals, by local day."""
    bench.rows("update sensor set interval_s = %s returning 1", DAY_S)
    bench.compute(now=now)
    health_store.mark_running(bench.store, now=now)
    while health_store.judge(bench.store, Health(), now=now):
        pass
    rows = bench.rows(
        "select day, verdict from channel_health where channel_id = %s",
        bench.channel(),
    )
    return dict(rows)


def test_daily_totals_have_a_health(bench: Bench) -> None:
    bench.count([900, 1100, 950, 0, 1000], start=MIDNIGHT, interval_s=DAY_S)
    judged(bench, now=MIDNIGHT + 7 * DAY + timedelta(hours=1))
    bench.count([990] * 5, start=MIDNIGHT + 6 * DAY, interval_s=DAY_S)
    first = date(2026, 9, 16)
    found = judged(bench, now=MIDNIGHT + 12 * DAY + timedelta(hours=1))
    assert {(day - first).days: verdict for day, verdict in found.items()} == {
        **dict.fromkeys((0, 1, 2, 4, 6, 7, 8, 9), "good"),
        **{3: "zero-count", 5: "no-data", 10: "frozen"},
    }


def test_a_day_without_its_total_is_judged_a_day_later(bench: Bench) -> None:
    """It may come in the morning, and one that is cut at noon comes later still."""
    bench.count([900, 1100], start=MIDNIGHT, interval_s=DAY_S)
    for hours, verdicts in ((71, 2), (95, 2), (97, 3)):
        found = judged(bench, now=MIDNIGHT + timedelta(hours=hours))
        assert len(found) == verdicts, hours
    assert found[date(2026, 9, 18)] == "no-data"


def test_a_sensor_of_days_that_is_silent_for_long_has_no_data(bench: Bench) -> None:
    bench.count([900, 1100], start=MIDNIGHT, interval_s=DAY_S)
    judged(bench, now=MIDNIGHT + 3 * DAY)
    found = judged(bench, now=MIDNIGHT + 30 * DAY)
    assert set(list(found.values())[2:]) == {"no-data"}
    assert len(found) == 29


def test_a_few_vehicles_a_day_may_be_none(bench: Bench) -> None:
    bench.count([3, 2, 4, 0], start=MIDNIGHT, interval_s=DAY_S)
    assert judged(bench, now=MIDNIGHT + 5 * DAY)[date(2026, 9, 19)] == "good"


@pytest.mark.parametrize(
    ("later", "sound"), [(timedelta(0), 9), (timedelta(hours=2), 8)]
)
def test_a_mean_of_totals_is_told_without_those_suspected_as_well(
    bench: Bench, later: timedelta, sound: int
) -> None:
    """A local day is suspected; of days cut at midnight in UTC it touches two."""
    totals = [1000] * 5 + [9000] + [1000] * 4
    bench.count(totals, start=MIDNIGHT + later, interval_s=DAY_S)
    bench.count(
        [500] * 10,
        start=MIDNIGHT,
        channel=bench.channel("out"),
        interval_s=DAY_S,
    )
    bench.compute(now=NOW + DAY)
    app = create_web(load({"VERKEHRSPULS_DATABASE__URL": as_web(bench.url)}))
    path = "/api/v1/sites/kusel/b420/figures/means"
    period = {"from": "2026-09-16", "to": "2026-09-26", "direction": "in"}
    began = MIDNIGHT + 5 * DAY

    def mean() -> dict[str, Any]:
        figures = client.get(path, params=period).json()["figures"]
        return next(one for one in figures if one["name"] == "mean_day")

    with TestClient(app) as client:
        plain = mean()
        assert (plain["value"], plain["without_suspected"]) == (1800, None)
        with suspicion(bench.url, "b420", "motor", began, began + DAY) as decide:
            found = mean()
            assert found["value"] == 1800
            trusted = found["without_suspected"]
            assert trusted["value"] == 1000
            assert trusted["passport"]["days_used"] == sound
            page = client.get("/de/towns/kusel/b420?from=2026-09-16&to=2026-09-26").text
            # of those days what the other direction counted stays
            text = f"ohne Stunden, in denen ein Fehler vermutet wird: {sound + 5}.000"
            assert text in page
            decide(state="confirmed", effect="exclude")
            bench.compute(now=NOW + DAY)
            confirmed = mean()
            assert confirmed["without_suspected"] is None
            assert confirmed["value"] == 1000
            assert confirmed["passport"]["days_used"] == sound


def test_daily_means_of_the_air_are_told_without_those_suspected_as_well(
    bench: Bench,
) -> None:
    channel = bench.channel("no2")
    for n, value in enumerate((20, 21, 90, 22)):
        bench.connection.execute(
            "insert into long_environment values (%s, %s, %s, %s)",
            (channel, MIDNIGHT + n * DAY, DAY_S, value),
        )
    app = create_web(load({"VERKEHRSPULS_DATABASE__URL": as_web(bench.url)}))
    path = "/api/v1/sites/kusel/b420/air"
    period = {"from": "2026-09-16", "to": "2026-09-20"}
    began = MIDNIGHT + 2 * DAY + timedelta(hours=3)
    span = (began, began + timedelta(hours=5))

    def exceeded(found: dict[str, Any]) -> int:
        return sum(
            row["exceeded"] for row in found["comparison"] if row["average"] == "day"
        )

    with TestClient(app) as client:
        found, trusted = suspected_until_decided(
            lambda: client.get(path, params=period).json(),
            *(bench.url, "b420", "no2_ugm3", *span),
        )
        assert exceeded(found) > exceeded(trusted) == 0
        with suspicion(bench.url, "b420", "no2_ugm3", *span):
            page = client.get("/de/towns/kusel/b420?from=2026-09-16&to=2026-09-20").text
    assert "Ohne Stunden, in denen ein Fehler vermutet wird: Im Mittel 21" in page
