from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from analytics.flow.series import with_estimates
from dashboards import steps, summaries
from dashboards.wall_clock import add_wall_clock
from tests.unit.dashboards import frames
from tests.unit.dashboards.frames import BERLIN, period, volumes

#: a Monday
START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_gaps_stay_gaps() -> None:
    frame = volumes(START, [10, None, 30])
    filled = summaries.fill_gaps(
        frame, period(START, START + 4 * HOUR), START + 4 * HOUR
    )
    assert filled["value"].to_list() == [10, None, 30, None]
    assert filled["observed"].to_list() == [1, 0, 1, 0]


def test_what_is_yet_to_come_has_no_row() -> None:
    frame = volumes(START, [10])
    filled = summaries.fill_gaps(frame, period(START, START + 24 * HOUR), START + HOUR)
    assert filled.height == 1


def test_partly_observed_hours_are_scaled_or_left_open() -> None:
    frame = volumes(START, [80, 80], observed=[0.8, 0.5])
    filled = summaries.fill_gaps(
        frame, period(START, START + 2 * HOUR), START + 2 * HOUR
    )
    assert filled["value"].to_list() == [100, None]
    assert filled["volume"].to_list() == [80, 80]


def test_three_of_four_lanes_are_no_hour() -> None:
    frame = volumes(START, [75, 75], observed=[0.75, 0.75]).with_columns(
        # the second one lacks a lane, the first one a quarter of each
        normalised=pl.Series([0.25, 0.0])
    )
    filled = summaries.fill_gaps(
        frame, period(START, START + 2 * HOUR), START + 2 * HOUR
    )
    assert filled["value"].to_list() == [100, None]


def imputed(*hours: int) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "time": START + n * HOUR,
                "direction": "in",
                "volume_imputed": 30.0,
                "imputed_low": 20.0,
                "imputed_high": 40.0,
            }
            for n in hours
        ]
    ).with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")))


def test_only_what_was_not_counted_is_estimated() -> None:
    frame = volumes(START, [10, None, 4], observed=[1, 1, 0.3]).with_columns(
        volume_normalised=pl.when(pl.col("observed") == 1)
        .then(pl.col("volume"))
        .otherwise(pl.lit(4))
        .cast(pl.Float64)
    )
    filled = summaries.fill_gaps(
        frame, period(START, START + 4 * HOUR), START + 4 * HOUR
    )
    found = with_estimates(filled, imputed(0, 1, 2))
    assert found["value"].to_list() == [10, None, None, None]
    assert found["estimate"].to_list() == [None, 30, 34, None]
    assert found["estimate_low"].to_list() == [None, 20, 24, None]


def test_holiday_is_like_a_sunday() -> None:
    frame = volumes(START, [100] * 48)
    profile = frames.day_profile(frame, {date(2026, 3, 3)})
    assert set(profile["day_type"]) == {"workday", "sunday_or_holiday"}


def test_quantiles_enclose_the_mean_of_workdays() -> None:
    frame = volumes(START, [n // 24 for n in range(5 * 24)])
    noon = (
        frames.day_profile(frame)
        .filter((pl.col("hour") == 12) & (pl.col("day_type") == "workday"))
        .row(0, named=True)
    )
    assert noon["mean"] == pytest.approx(2)
    assert (noon["lower"], noon["upper"]) == (0, 4)


def test_a_single_day_has_no_quantiles() -> None:
    profile = frames.day_profile(volumes(START - HOUR, list(range(24))))
    assert profile["mean"].to_list() == list(range(24))
    assert profile.select("lower", "upper").null_count().row(0) == (24, 24)


def test_a_week_has_no_public_holidays_in_it() -> None:
    """As the week profile of the API: a holiday is no usual weekday."""
    hours = volumes(START, [1] * 24 * 8)
    found = frames.week(hours, {START.date()}).filter(pl.col("weekday") == 1)
    assert found["samples"].unique().to_list() == [1]


def test_week_is_in_local_time() -> None:
    found = frames.week(volumes(START, [5]))
    row = found.row(0, named=True)
    assert (row["weekday"], row["hour"], row["mean"], row["samples"]) == (1, 1, 5.0, 1)


def test_unknown_classes_are_left_out_and_shares_are_of_the_known() -> None:
    frame = volumes(START, [10, 10], car=[9, 9], truck=[1, 1])
    found = frames.classes(frame).select("name", "volume", "share")
    assert found.rows() == [("car", 18, 0.9), ("truck", 2, 0.1)]


def environment_hours(means: list[float | None], *, first: int = 0) -> pl.DataFrame:
    """Hours of a station from a local midnight on, as `fill_hours` gives them."""
    start = datetime(2026, 3, 1, 23, tzinfo=UTC)
    times = [start + timedelta(hours=first + n) for n in range(len(means))]
    frame = pl.DataFrame(
        {
            "time": times,
            "mean": pl.Series(means, dtype=pl.Float64),
            "minimum": pl.Series(means, dtype=pl.Float64) - 1,
            "maximum": pl.Series(means, dtype=pl.Float64) + 1,
            "observed": [0.0 if mean is None else 1.0 for mean in means],
        },
        schema_overrides={"time": pl.Datetime("us", "UTC")},
    )
    return add_wall_clock(frame, BERLIN)


@pytest.mark.parametrize(
    ("quantity", "hours", "day"),
    [
        ("temperature_c", [0.0] * 12 + [10.0] * 12, 5.0),
        # by energy, not by number: half of the time ten times as loud
        ("laeq_db", [60.0] * 12 + [70.0] * 12, 67.404),
        # through north, not through south
        ("wind_deg", [350.0] * 12 + [20.0] * 12, 5.0),
        ("precipitation_mm", [0.5] * 24, 12.0),
        # three quarters of the hours are enough, less are not
        ("no2_ugm3", [8.0] * 18 + [None] * 6, 8.0),
        ("no2_ugm3", [8.0] * 17 + [None] * 7, None),
    ],
)
def test_day_of_a_station_is_the_quantitys_own_mean(
    quantity: str, hours: list[float | None], day: float | None
) -> None:
    (row,) = steps.environment(environment_hours(hours), quantity, "P1D").to_dicts()
    assert row["local"].date() == date(2026, 3, 2)
    assert row["mean"] == (None if day is None else pytest.approx(day, abs=1e-3))
    known = [value for value in hours if value is not None]
    assert row["observed"] == pytest.approx(len(known) / 24)
    assert row["minimum"] == min(known) - 1
