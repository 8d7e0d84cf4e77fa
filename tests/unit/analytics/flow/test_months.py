"""Day figures with their heavy share, and their months."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from analytics.flow.directions import by_direction
from analytics.flow.months import by_day, by_month

FIRST = date(2026, 1, 30)
PEAK = datetime(2026, 1, 30, 16, tzinfo=UTC)


def days(*rows: dict[str, Any], direction: str = "all") -> pl.DataFrame:
    made = [
        {
            "day": FIRST + timedelta(days=n),
            "direction": direction,
            "volume": 100,
            "volume_normalised": 110.0,
            "heavy": 10,
            "peak_hour": PEAK + timedelta(days=n),
            "peak_volume": 12 + n,
            "observed": 1.0,
            "valid": True,
        }
        | row
        for n, row in enumerate(rows)
    ]
    schema = {"volume": pl.Int32, "heavy": pl.Int32, "peak_volume": pl.Int32}
    return pl.DataFrame(made, schema_overrides=schema)


def test_heavy_share_of_a_day_is_unknown_where_classes_are() -> None:
    found = by_day(days({}, {"heavy": None}, {"volume": 0, "heavy": 0}))
    assert found["heavy_share"].to_list() == [0.1, None, None]


def test_only_the_cross_section_has_days_and_months() -> None:
    both = pl.concat([days({}), days({}, {}, direction="in")])
    assert by_day(both).height == 1
    assert by_month(both)["volume"].to_list() == [100]


def test_heavy_share_of_a_month_is_of_days_that_know_it() -> None:
    january, february = by_month(
        days({}, {"heavy": None, "volume": 900}, {"heavy": None})
    ).to_dicts()
    assert (january["month"], january["volume"]) == (date(2026, 1, 1), 1000)
    assert january["heavy_share"] == 0.1
    assert february["heavy_share"] is None


def test_the_peak_of_a_month_is_its_greatest() -> None:
    found = by_month(days({"peak_volume": 50}, {"peak_volume": None}))
    assert found["peak_volume"].to_list() == [50]
    assert found["peak_hour"].to_list() == [PEAK]


def test_observed_is_of_all_days_of_the_month() -> None:
    (month,) = by_month(days({}, {"observed": 0.55, "valid": False})).to_dicts()
    assert month["observed"] == pytest.approx(1.55 / 31)
    assert (month["valid_days"], month["days"]) == (1, 31)


def test_a_month_without_any_volume_is_unknown_and_not_zero() -> None:
    (month,) = by_month(days({"volume": None, "volume_normalised": None})).to_dicts()
    assert (month["volume"], month["volume_normalised"]) == (None, None)


def test_directions_have_their_share_of_what_was_counted() -> None:
    volumes = pl.DataFrame(
        {"direction": ["in", "out", "in", "all"], "volume": [10, 30, 20, 60]}
    )
    assert by_direction(volumes).rows() == [("in", 30, 0.5), ("out", 30, 0.5)]
    nothing = volumes.with_columns(volume=pl.lit(0))
    assert by_direction(nothing)["share"].to_list() == [None, None]
