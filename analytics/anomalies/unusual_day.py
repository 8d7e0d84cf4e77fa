"""Detector unusual-day: a whole day far above or below what is usual for it.

score = |x| / √(s² + 1/(usual + 1)), x = ln((observed + 1) / (usual + 1)) and s the
spread of x over the 28 days before, shrunk for new channels
(`analytics.anomalies.days`). Hit: score above 4 and a change of more than 25 %.
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
    judged = of_days.judged(days)
    past = of_days.before(judged, "x", period="28d", offset="-28d")
    x = pl.col("x")
    far = (x > log(1 + change)) | (x < log(1 - change))
    noise = (pl.col("spread") ** 2 + 1 / (pl.col("usual") + 1)).sqrt()
    return check(
        judged.join(past, on=["channel_id", "day"], how="left")
        .with_columns(pl.col("spread").fill_null(pl.col("prior")))
        .with_columns((x.abs() / noise).alias("score"))
        .filter((pl.col("score") > score) & far)
        .with_columns(
            began="day_began",
            ended="day_ended",
            reason=pl.when(x > 0)
            .then(pl.lit("day-above-usual"))
            .otherwise(pl.lit("day-below-usual")),
        ),
        HITS,
    )
