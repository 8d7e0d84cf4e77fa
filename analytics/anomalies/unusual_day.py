"""Detector unusual-day: a whole day far above or below what is usual for it.

Beside the rest of the town: score = |net| / √(s² + 1/(usual + 1)), where `net` is x =
ln((observed + 1) / (usual + 1)) less what the day is like in the whole town, and s the
spread of `net` over the 28 days before, shrunk for new channels
(`analytics.anomalies.days`). Hit: score above 4 and a change of more than 25 %; the
`usual` of the hit is that of such a day in the town.

With the rest of the town: the same of x where it does not hold of `net`. These hits
have a reason of their own, and are one case.
"""

from math import log
from typing import Final

import polars as pl

from analytics.anomalies import days as of_days
from analytics.frames import HITS, check

NAME: Final = "unusual-day"


def detect(
    days: pl.DataFrame, *, score: float = 4.0, change: float = 0.25
) -> pl.DataFrame:
    """Find HITS in CHANNEL_DAYS."""
    judged = of_days.judged(days).with_columns(moved=pl.col("x") - pl.col("net"))
    alone, whole = (
        _far(judged, column, score=score, change=change) for column in ("net", "x")
    )
    alone = alone.with_columns(
        usual=(pl.col("usual") + 1) * pl.col("moved").exp() - 1,
        reason=pl.format("day-{}-usual", "side"),
    )
    whole = whole.join(alone, on=["channel_id", "day"], how="anti").with_columns(
        reason=pl.format("town-{}-usual", "side")
    )
    return pl.concat([check(alone, HITS), check(whole, HITS)])


def _far(
    judged: pl.DataFrame, column: str, *, score: float, change: float
) -> pl.DataFrame:
    """Days on which a column is far from zero: above or below by `side`."""
    past = of_days.before(judged, column, period="28d", offset="-28d")
    value = pl.col(column)
    far = (value > log(1 + change)) | (value < log(1 - change))
    noise = (pl.col("spread") ** 2 + 1 / (pl.col("usual") + 1)).sqrt()
    return (
        judged.join(past, on=["channel_id", "day"], how="left")
        .with_columns(pl.col("spread").fill_null(pl.col("prior")))
        .with_columns((value.abs() / noise).alias("score"))
        .filter((pl.col("score") > score) & far)
        .with_columns(
            began="day_began",
            ended="day_ended",
            side=pl.when(value > 0).then(pl.lit("above")).otherwise(pl.lit("below")),
        )
    )
