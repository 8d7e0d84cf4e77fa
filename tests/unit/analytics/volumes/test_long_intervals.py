from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from analytics import frames
from analytics.volumes import daily, long_intervals
from tests.frames import (
    CLOCK_CHANGES,
    HOUR,
    channels,
    hours,
    installed,
    make,
    stored,
    utc,
)

DAY = date(2026, 11, 18)
#: local midnight
START = utc("2026-11-17 23:00")
DAY_S = 86_400
#: with their audience
PLACES = channels().with_columns(audience=pl.lit(0, pl.Int32))


def long(*rows: dict[str, Any]) -> pl.DataFrame:
    """LONG_VOLUMES; without more, the whole of DAY with 1,000 vehicles."""
    same = {"channel_id": 1, "time": START, "interval_s": DAY_S, "volume": 1000}
    return make(frames.LONG_VOLUMES, [same | row for row in rows])


def figures(
    given: pl.DataFrame,
    *,
    by_hours: pl.DataFrame | None = None,
    day: date = DAY,
    places: pl.DataFrame | None = None,
    attached: pl.DataFrame | None = None,
    excluded: pl.DataFrame | None = None,
) -> dict[str, dict[str, Any]]:
    """The figures of a day by direction."""
    found = daily.days(
        stored(hours(START, []) if by_hours is None else by_hours),
        make(frames.SITE_DAYS, [{"site_id": 1, "day": day}]),
        channels=channels() if places is None else places,
        installed=installed() if attached is None else attached,
        excluded=frames.empty(frames.SPANS) if excluded is None else excluded,
        long=given,
    )
    return {row["direction"]: row for row in found.iter_rows(named=True)}


def test_a_daily_total_is_a_whole_and_valid_day_without_a_peak_hour() -> None:
    found = figures(long({}))
    assert found.keys() == {"in", "all"}
    for row in found.values():
        assert (row["volume"], row["volume_normalised"]) == (1000, 1000)
        assert (row["observed"], row["expected"], row["valid"]) == (1, 1, True)
        assert (row["peak_hour"], row["peak_volume"]) == (None, None)
        assert row["method"] == daily.TOTALS_METHOD


@pytest.mark.parametrize(("day", "start", "length_h"), CLOCK_CHANGES)
def test_totals_of_days_of_clock_change_are_whole(
    day: date, start: datetime, length_h: int
) -> None:
    for interval_s in (length_h * 3600, DAY_S):
        found = figures(long({"time": start, "interval_s": interval_s}), day=day)
        assert found["all"]["valid"]
        assert found["all"]["observed"] == pytest.approx(
            min(1, interval_s / (length_h * 3600))
        )


@pytest.mark.parametrize(
    ("began", "day"),
    [
        # midnight in UTC
        (utc("2026-11-18 00:00"), DAY),
        # from six to six, from noon to noon, and from eleven to eleven
        (utc("2026-11-18 05:00"), DAY),
        (utc("2026-11-18 11:00"), date(2026, 11, 19)),
        (utc("2026-11-18 10:00"), DAY),
    ],
)
def test_a_total_belongs_to_the_day_of_its_middle(began: datetime, day: date) -> None:
    given = long({"time": began})
    assert figures(given, day=day)["all"]["volume"] == 1000
    assert figures(given, day=day)["all"]["valid"]
    assert figures(given, day=day + timedelta(days=1)) == {}
    assert figures(given, day=day - timedelta(days=1)) == {}


@pytest.mark.parametrize("length_h", [2, 3, 12])
def test_several_intervals_add_up_to_their_day(length_h: int) -> None:
    rows: list[dict[str, Any]] = [
        {
            "time": START + n * length_h * HOUR,
            "interval_s": length_h * 3600,
            "volume": n + 1,
        }
        for n in range(24 // length_h)
    ]
    found = figures(long(*rows))["all"]
    assert found["volume"] == sum(row["volume"] for row in rows)
    assert found["observed"] == 1
    assert found["valid"]


@pytest.mark.parametrize(("missing", "valid"), [(0, True), (2, False)])
def test_a_missing_part_is_not_observed_and_in_a_peak_not_valid(
    missing: int, valid: bool
) -> None:
    rows = [
        {"time": START + n * 3 * HOUR, "interval_s": 10_800, "volume": 10}
        for n in range(8)
        if n != missing
    ]
    found = figures(long(*rows))["all"]
    assert found["volume"] == 70
    assert found["observed"] == pytest.approx(21 / 24)
    assert found["valid"] is valid


def test_half_a_day_is_not_valid() -> None:
    found = figures(long({"interval_s": DAY_S // 2}))["all"]
    assert found["volume"] == 1000
    assert found["observed"] == 0.5
    assert not found["valid"]


def test_hours_of_a_whole_day_win() -> None:
    found = figures(long({"volume": 999}), by_hours=hours(START, [10] * 24))["all"]
    assert found["volume"] == 240
    assert found["method"] == daily.METHOD
    assert found["peak_volume"] == 10


def test_a_total_wins_where_hours_are_missing_and_nothing_counts_twice() -> None:
    found = figures(long({}), by_hours=hours(START, [10] * 12))["all"]
    assert found["volume"] == 1000
    assert found["observed"] == 1
    assert found["peak_volume"] is None


def test_a_total_of_less_than_the_hours_is_left_out() -> None:
    part = long({"interval_s": 7200, "volume": 5})
    found = figures(part, by_hours=hours(START, [10] * 12))["all"]
    assert found["volume"] == 120


def test_a_total_that_comes_again_a_second_later_counts_once() -> None:
    again = START + timedelta(seconds=1)
    found = figures(long({}, {"time": again, "volume": 1001}))["all"]
    assert found["volume"] == 1000
    assert found["observed"] == 1


def test_totals_of_one_lane_and_hours_of_the_other_make_the_cross_section() -> None:
    places = channels({"channel_id": 1}, {"channel_id": 2, "direction": "out"})
    attached = installed({"channel_id": 1}, {"channel_id": 2})
    found = figures(
        long({}),
        by_hours=hours(START, [10] * 24, channel_id=2),
        places=places,
        attached=attached,
    )
    assert found["all"]["volume"] == 1240
    assert found["all"]["valid"]
    assert found["all"]["peak_volume"] is None
    assert found["out"]["peak_volume"] == 10
    assert found["out"]["method"] == daily.METHOD
    assert {found[key]["method"] for key in ("in", "all")} == {daily.TOTALS_METHOD}


def test_a_total_that_touches_what_is_excluded_is_excluded_whole() -> None:
    span = {"channel_id": 1, "since": START + HOUR, "until": START + 2 * HOUR}
    found = figures(long({}), excluded=make(frames.SPANS, [span]))["all"]
    assert found["volume"] is None
    assert found["excluded"] == 1
    assert not found["valid"]


def test_classes_of_totals_tell_heavy_vehicles_and_speeds_are_weighted() -> None:
    rows = [
        {
            "time": START + n * 12 * HOUR,
            "interval_s": DAY_S // 2,
            "volume": 100,
            "truck": 3,
            "truck_trailer": 1,
            "articulated": 1,
            "bus": 1,
            "car": 94,
            "speed_kmh": 40.0 + 10 * n,
        }
        for n in range(2)
    ]
    found = figures(long(*rows))["all"]
    assert found["heavy"] == 12
    assert found["speed_kmh"] == 45


def test_only_readings_above_an_hour_of_a_known_volume_are_taken() -> None:
    rows: list[dict[str, object]] = [
        {"interval_s": 3600, "total": 1},
        {"interval_s": 3601, "total": 2, "speed_kmh": 0.0},
        {"interval_s": DAY_S, "car": 3},
        {"interval_s": DAY_S},
    ]
    same: dict[str, object] = {"channel_id": 1, "quantity": "motor"}
    readings = make(
        frames.COUNT_READINGS,
        [same | {"time": START + n * HOUR} | row for n, row in enumerate(rows)],
    )
    found = long_intervals.volumes(readings)
    assert found["volume"].to_list() == [2, 3]
    assert found["speed_kmh"].to_list() == [None, None]


def test_environment_values_above_an_hour_are_taken_as_they_are() -> None:
    same = {"channel_id": 1, "time": datetime(2026, 1, 1, tzinfo=UTC)}
    rows = [
        same | {"quantity": "pm10_ugm3", "interval_s": s, "value": 1.0 * s}
        for s in (600, DAY_S)
    ]
    found = long_intervals.values(make(frames.ENVIRONMENT_READINGS, rows))
    assert found["value"].to_list() == [DAY_S]


def test_half_days_are_no_totals_of_a_weekday() -> None:
    halves = long({"interval_s": DAY_S // 2})
    terms = frames.empty(frames.SCHOOL_HOLIDAYS)
    assert long_intervals.channel_days(halves, PLACES, terms).is_empty()


def test_usual_for_a_total_is_what_its_weekday_had() -> None:
    rows = [
        {"time": START + timedelta(days=day - 35), "volume": 1000 + day}
        for day in range(36)
    ]
    terms = frames.empty(frames.SCHOOL_HOLIDAYS)
    found = long_intervals.channel_days(long(*rows), PLACES, terms)
    days = {row["day"]: row["usual"] for row in found.iter_rows(named=True)}
    # the five Wednesdays before
    assert days[DAY] == 1000 + 14
    assert DAY - timedelta(days=28) not in days
