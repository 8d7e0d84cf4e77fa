"""What the page of a corridor says of how far one can rely on the drive."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from analytics.sections.reliability import reliability
from dashboards.pages.corridor.view import _odd, _planned, _times
from verkehrspuls.language import Language

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


def test_a_line_that_is_not_drawn_is_neither_in_legend_nor_note() -> None:
    """Of few workdays there is a median and a band, but no 95 %; of none neither."""
    day = pl.DataFrame(
        {"hour": [17.0], "clock": ["17:00"], "minute": [17 * 60], "day": [4.5]}
    )
    known = usual({})
    none = known.with_columns(
        pl.lit(None, pl.Float64).alias(name)
        for name in ("median_s", "lower_s", "upper_s", "p95_s")
    )
    few = known.with_columns(p95_s=pl.lit(None, pl.Float64))
    of_day = ["this day"]
    of_few = [*of_day, "median of workdays"]
    of_all = [*of_few, "19 of 20 workdays are faster"]
    for times, names in ((none, of_day), (few, of_few), (known, of_all)):
        chart = _times(day, times, ENGLISH)
        assert chart.figure
        traces = chart.figure["data"]
        assert [trace["name"] for trace in traces if "name" in trace] == names
        assert ("band" in chart.note) is (times is not none)
