from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from analytics import frames
from analytics.environment import averages, limits
from analytics.environment.days import days
from tests.frames import HOUR, channels, make, utc

DAY = date(2026, 11, 18)
#: local midnight
START = utc("2026-11-17 23:00")
DAY_S = 86_400


def hours(*means: float, start: datetime = START, observed_s: int = 3600) -> Any:
    rows = [
        {
            "channel_id": 1,
            "time": start + n * HOUR,
            "observed_s": observed_s,
            "mean": mean,
            "minimum": mean - 1,
            "maximum": mean + 1,
        }
        for n, mean in enumerate(means)
    ]
    return make(frames.ENVIRONMENT_HOURS, rows)


def long(*values: float, start: datetime = START, interval_s: int = DAY_S) -> Any:
    rows = [
        {
            "channel_id": 1,
            "time": start + n * timedelta(seconds=interval_s),
            "interval_s": interval_s,
            "value": value,
        }
        for n, value in enumerate(values)
    ]
    return make(frames.LONG_VALUES, rows)


def of(hours: pl.DataFrame, long: pl.DataFrame, quantity: str = "pm10_ugm3") -> Any:
    places = channels({"quantity": quantity, "direction": ""})
    return {
        row["day"]: row
        for row in days(hours, long, places, quantity=quantity).iter_rows(named=True)
    }


def test_hours_make_a_day_with_its_extremes() -> None:
    found = of(hours(*range(24)), long())
    assert found.keys() == {DAY}
    assert found[DAY]["mean"] == 11.5
    assert (found[DAY]["minimum"], found[DAY]["maximum"]) == (-1, 24)
    assert found[DAY]["observed"] == 1


def test_a_daily_mean_is_a_day_and_its_extremes_are_unknown() -> None:
    found = of(hours(), long(20.0, 30.0))
    assert [(day, row["mean"]) for day, row in found.items()] == [
        (DAY, 20),
        (DAY + timedelta(days=1), 30),
    ]
    assert (found[DAY]["minimum"], found[DAY]["maximum"]) == (None, None)
    assert found[DAY]["observed"] == 1


def test_parts_of_a_day_are_added_by_the_kind_of_the_quantity() -> None:
    thirds = long(60.0, 60.0, 70.0, interval_s=DAY_S // 3)
    assert of(hours(), thirds)[DAY]["mean"] == pytest.approx(63.33, abs=0.01)
    assert of(hours(), thirds, "precipitation_mm")[DAY]["mean"] == 190
    assert of(hours(), thirds, "laeq_db")[DAY]["mean"] == pytest.approx(66.02, abs=0.01)
    north = long(350.0, 10.0, interval_s=DAY_S // 2)
    assert of(hours(), north, "wind_deg")[DAY]["mean"] % 360 == pytest.approx(0)


def test_less_than_three_quarters_of_a_day_have_no_mean() -> None:
    found = of(hours(*[5.0] * 17), long())
    assert found[DAY]["mean"] is None
    assert found[DAY]["observed"] == pytest.approx(17 / 24)
    assert of(hours(*[5.0] * 18), long())[DAY]["mean"] == 5


def test_of_hours_and_a_daily_mean_the_better_one_is_taken_and_never_both() -> None:
    assert of(hours(*[5.0] * 18), long(9.0))[DAY]["mean"] == 5
    assert of(hours(*[5.0] * 17), long(9.0))[DAY]["mean"] == 9
    assert of(hours(*[5.0] * 17), long(9.0, interval_s=7200))[DAY]["mean"] is None


def test_daily_means_are_compared_with_daily_and_yearly_limits() -> None:
    # midnight to midnight by the clock of the law
    values = [60.0] * 36 + [10.0] * 329
    given = long(*values, start=utc("2025-12-31 23:00"))
    found = {
        (row["standard"], row["average"]): row
        for row in limits.compare(hours(), "pm10_ugm3", long=given).iter_rows(
            named=True
        )
    }
    of_day = found["39-bimschv", "day"]
    assert (of_day["year"], of_day["judged"], of_day["exceeded"]) == (2026, 365, 36)
    assert of_day["met"] is False
    of_year = found["39-bimschv", "year"]
    assert of_year["greatest"] == pytest.approx(sum(values) / 365)
    assert of_year["capture"] == 1
    assert of_year["met"] is True


def test_hourly_limits_are_not_judged_by_daily_means() -> None:
    found = limits.compare(hours(), "no2_ugm3", long=long(300.0))
    assert "hour" not in found["average"].to_list()


def test_a_daily_mean_fills_a_day_that_hours_do_not_tell() -> None:
    given = hours(*[10.0] * 24, *[30.0] * 10)
    found = averages.day_means(given, long(99.0, 50.0))
    assert found["mean"].to_list() == [10, 50]
    year = averages.year_means(given, long(99.0, 50.0))
    assert year["mean"].item() == 30
    assert year["capture"].item() == pytest.approx(48 / 8760)
