"""Severity of a case: how soon a person should look.

One point each: it touches several sites; it lasts six hours or longer; what is
observed differs from what is usual by half or more; two detectors or more agree. A
broken sensor, an exceeded limit and an incident have one point more, congestion and a
single unusual hour of one channel one less. Up to 1 point is low, 2 are medium, 3 and
more are high.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from analytics.detectors import reasons

LEVELS: Final = ("low", "medium", "high")
LONG_CASE: Final = timedelta(hours=6)
LARGE_CHANGE: Final = 0.5


def severity() -> pl.Expr:
    """Severity from the columns of GROUPED."""
    change = (pl.col("observed") - pl.col("usual")).abs() / pl.col("usual")
    length = pl.col("ended") - pl.col("began")
    brief = (length <= timedelta(hours=1)) & (pl.col("channels") == 1)
    of_reason = pl.col("reason").replace_strict(
        {code: one.severity for code, one in reasons().items()},
        default=0,
        return_dtype=pl.Int8,
    )
    points = (
        (pl.col("sites") > 1).cast(pl.Int8)
        + (length >= LONG_CASE).cast(pl.Int8)
        + (change >= LARGE_CHANGE).fill_null(value=False).cast(pl.Int8)
        + (pl.col("detectors").list.len() > 1).cast(pl.Int8)
        + pl.max_horizontal(of_reason, 0)
        - ((of_reason < 0) | brief).cast(pl.Int8)
    )
    return (
        pl.when(points >= 3)
        .then(pl.lit("high"))
        .when(points == 2)
        .then(pl.lit("medium"))
        .otherwise(pl.lit("low"))
    )
