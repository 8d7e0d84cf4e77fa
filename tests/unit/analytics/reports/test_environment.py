"""What the hours of a period come to."""

import polars as pl
import pytest

from analytics.reports.environment import mean_of_period


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
