from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from dashboards import summaries
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
    found = summaries.with_estimates(filled, imputed(0, 1, 2))
    assert found["value"].to_list() == [10, None, None, None]
    assert found["estimate"].to_list() == [None, 30, 34, None]
    assert found["estimate_low"].to_list() == [None, 20, 24, None]


def test_hour_that_lacks_a_direction_is_no_cross_section() -> None:
    frame = pl.concat(
        [volumes(START, [10, 20]), volumes(START, [1, None], direction="out")]
    )
    found = summaries.cross_section(frame, BERLIN)
    assert found["value"].to_list() == [11]


def test_holiday_is_like_a_sunday() -> None:
    frame = volumes(START, [100] * 48)
    hours = summaries.cross_section(frame, BERLIN)
    profile = summaries.day_profile(hours, {date(2026, 3, 3)})
    assert set(profile["day_type"]) == {"workday", "sunday_or_holiday"}


def test_quantiles_enclose_the_mean_of_workdays() -> None:
    frame = volumes(START, [n // 24 for n in range(5 * 24)])
    profile = summaries.day_profile(summaries.cross_section(frame, BERLIN), ())
    noon = profile.filter(
        (pl.col("hour") == 12) & (pl.col("day_type") == "workday")
    ).row(0, named=True)
    assert noon["mean"] == pytest.approx(2)
    assert (noon["low"], noon["high"]) == pytest.approx((0.6, 3.4))


def test_week_is_in_local_time() -> None:
    found = summaries.week(summaries.cross_section(volumes(START, [5]), BERLIN))
    assert found.row(0, named=True) == {
        "weekday": 0,
        "hour": 1,
        "mean": 5.0,
        "hours": 1,
    }


def test_unknown_classes_are_left_out_and_shares_are_of_the_known() -> None:
    frame = volumes(START, [10, 10], car=[9, 9], truck=[1, 1])
    found = summaries.classes(frame)
    assert found.rows() == [("car", 18, 0.9, False), ("truck", 2, 0.1, True)]
