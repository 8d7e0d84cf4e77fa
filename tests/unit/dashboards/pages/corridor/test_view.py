"""What the page of a corridor says of how far one can rely on the drive."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from analytics.sections.reliability import reliability
from dashboards.language import Language
from dashboards.pages.corridor.view import _odd, _planned

FIVE = datetime(2026, 3, 2, 17, tzinfo=UTC)
ENGLISH = Language("en")


def usual(slow: dict[int, tuple[float, float]]) -> pl.DataFrame:
    """RELIABILITY of 20 days of 4 minutes at 17:00 and at 17:15, some days slower."""
    rows = [
        (FIVE + timedelta(days=day, minutes=15 * quarter), minutes * 60.0, 240.0)
        for day in range(20)
        for quarter, minutes in enumerate(slow.get(day, (4.0, 4.0)))
    ]
    times = pl.DataFrame(rows, schema=["time", "travel_s", "free_s"], orient="row")
    return reliability(times, time_zone="UTC")


def test_a_day_that_is_alone_stands_out() -> None:
    assert "17:15 it took 37.0 minutes" in _odd(usual({7: (35, 37)}), ENGLISH)


@pytest.mark.parametrize("second", [(4.0, 36.0), (20.0, 36.0)])
def test_of_two_days_as_slow_none_stands_out(second: tuple[float, float]) -> None:
    """The other day was slow a quarter of an hour later."""
    found = usual({7: (35, 37), 14: second})
    assert found["outlier_s"].to_list() == [35 * 60, None]
    assert "9.00 times the travel time without traffic at 17:15" in _planned(
        found, ENGLISH
    )
    assert _odd(found, ENGLISH) == ""
