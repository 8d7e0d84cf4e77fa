"""What the hours of a period come to."""

import polars as pl
import pytest

from analytics.environment.summary import mean_of_period, summarise


@pytest.mark.parametrize(
    ("quantity", "mean"),
    [
        ("no2_ugm3", 50.0),
        # 10·lg((10^4 + 10^6) / 2)
        ("laeq_db", 57.033),
        ("precipitation_mm", 100.0),
        ("wind_deg", None),
    ],
)
def test_hours_are_averaged_as_the_quantity_asks(
    quantity: str, mean: float | None
) -> None:
    hours = pl.DataFrame({"mean": [40.0, None, 60.0]})
    found = mean_of_period(hours, quantity)
    assert found == (None if mean is None else pytest.approx(mean, abs=1e-3))


@pytest.mark.parametrize("quantity", ["no2_ugm3", "laeq_db", "precipitation_mm"])
def test_no_hours_have_no_mean(quantity: str) -> None:
    hours = pl.DataFrame({"mean": [None]}, schema={"mean": pl.Float64})
    assert mean_of_period(hours, quantity) is None


def test_the_highest_is_the_first_of_equal_ones_and_gaps_are_not_observed() -> None:
    hours = pl.DataFrame(
        {"mean": [1.0, 7.0, None, 7.0, 5.0], "observed": [1.0, 1.0, 0.0, 1.0, 0.5]}
    ).with_row_index("place")
    found = summarise(hours, "no2_ugm3")
    assert found is not None
    assert (found.highest["place"], found.times_highest) == (1, 2)
    assert found.newest["place"] == 4
    assert found.observed == pytest.approx(0.7)
