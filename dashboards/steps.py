"""Steps of tables and charts: a table that would be too long has longer steps.

All rows are then one click away, page by page, and in the downloads.
"""

from collections.abc import Callable
from typing import Final

import polars as pl

from analytics.environment.hours import spans
from analytics.flow.series import MIN_OBSERVED, of_span
from verkehrspuls.language import Style
from verkehrspuls.text import mark

#: maximum rows of a table
MAX_ROWS: Final = 200
#: maximum points of a line: hours of two months, days of four years; then by months
MAX_POINTS: Final = 1_500
#: start of the step that contains a time, by step from short to long
STEPS: Final[dict[str, Callable[[], pl.Expr]]] = {
    "PT15M": lambda: pl.col("time"),
    "PT1H": lambda: pl.col("time").dt.truncate("1h"),
    "P1D": lambda: pl.col("local").dt.truncate("1d"),
    "P1M": lambda: pl.col("local").dt.truncate("1mo"),
}
#: heading of the first column
HEADS: Final = {
    "PT15M": mark("Time"),
    "PT1H": mark("Hour"),
    "P1D": mark("Day"),
    "P1M": mark("Month"),
}
#: how the time of a row or point is written
STYLES: Final[dict[str, Style]] = {
    "PT15M": "short moment",
    "PT1H": "short moment",
    "P1D": "day",
    "P1M": "month",
}


def fitting(frame: pl.DataFrame, step: str, most: int = MAX_ROWS) -> str:
    """Return the first step from this one on that fits the rows; months at last."""
    longer = list(STEPS)[list(STEPS).index(step) :]
    return next(
        (key for key in longer if frame.select(STEPS[key]().n_unique()).item() <= most),
        longer[-1],
    )


def volumes(filled: pl.DataFrame, step: str) -> pl.DataFrame:
    """Sum `summaries.fill_gaps` or `fill_days` of each direction by longer steps.

    Columns: the count, the observed share, and estimates if there are some.
    """
    return (
        filled.group_by("direction", STEPS[step]().alias("step"), maintain_order=True)
        .agg(pl.col("local", "x", "fold").first(), *of_span(filled.columns))
        .with_columns(day=pl.col("local").dt.date())
    )


def environment(filled: pl.DataFrame, quantity: str, step: str) -> pl.DataFrame:
    """Condense `summaries.fill_hours`, or `fill_environment_days`, by longer steps."""
    wall = filled.group_by(STEPS[step]().alias("step"), maintain_order=True).agg(
        pl.col("local", "fold").first(),
        x=pl.col("x").first()
        if step == "PT1H"
        else pl.col("x").first().dt.truncate("1d"),
    )
    condensed = spans(
        filled, quantity, STEPS[step]().alias("step"), enough=MIN_OBSERVED
    )
    return wall.join(condensed, on="step", maintain_order="left")
