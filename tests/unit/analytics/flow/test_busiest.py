from typing import Final

import polars as pl
import pytest

from analytics.flow import busiest

DAY: Final = pl.DataFrame({"hour": range(24), "mean": [5.0] * 22 + [9.0, 9.0]})


def workday(*, samples: int, hours: int = 24) -> pl.DataFrame:
    """Return the profile of a workday, busiest in its last two hours."""
    return DAY.head(hours).with_columns(day_type=pl.lit("workday"), samples=samples)


@pytest.mark.parametrize(
    ("profile", "lacking"),
    [
        (workday(samples=3, hours=0), "hour"),
        (workday(samples=3, hours=22), "day"),
        (workday(samples=2), "days"),
    ],
)
def test_what_lacks_to_name_the_busiest_hour_of_a_day(
    profile: pl.DataFrame, lacking: busiest.Lacking
) -> None:
    assert busiest.of_day_types(profile) == lacking


def test_the_earliest_of_equally_busy_hours_is_named() -> None:
    found = busiest.of_day_types(workday(samples=3, hours=24))
    assert not isinstance(found, str)
    assert found["workday"]["hour"] == 22


def test_busiest_hour_of_a_direction_needs_its_day() -> None:
    profiles = pl.concat(
        [
            DAY.with_columns(direction=pl.lit("in"), samples=3),
            DAY.with_columns(direction=pl.lit("out"), samples=2),
        ]
    )
    assert busiest.of_directions(profiles) == {"in": 22, "out": None}
