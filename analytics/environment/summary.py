"""What the hours or days of an environment quantity come to in a period."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import polars as pl

from analytics import frames
from analytics.environment.noise import energetic_mean
from verkehrspuls.quantities import ENVIRONMENT


@dataclass(frozen=True, slots=True)
class Summary:
    """The known values of a period, and how much of it is observed."""

    #: from `mean_of_period`
    mean: float | None
    #: the first of the hours or days with the highest value, and their number
    highest: Mapping[str, Any]
    times_highest: int
    newest: Mapping[str, Any]
    #: share
    observed: float


def summarise(steps: pl.DataFrame, quantity: str) -> Summary | None:
    """Summarise hours or days in order (`mean`, `observed`); None without a value."""
    known = steps.drop_nulls("mean")
    if known.is_empty():
        return None
    highest = frames.highest(known, "mean")
    return Summary(
        mean=mean_of_period(known, quantity),
        highest=highest.row(0, named=True),
        times_highest=highest.height,
        newest=known.row(-1, named=True),
        observed=frames.mean(steps["observed"]),
    )


def mean_of_period(steps: pl.DataFrame, quantity: str) -> float | None:
    """Average the `mean` of hours or days, each alike; precipitation is summed.

    None without any, and of directions.
    """
    value = pl.col("mean").drop_nulls()
    over = {
        "arithmetic": value.mean(),
        "energetic": energetic_mean(value),
        "sum": value.sum(),
    }
    kind = ENVIRONMENT[quantity].mean
    if kind not in over or not steps["mean"].count():
        return None
    return cast("float", steps.select(over[kind]).item())
