"""Detector unusual-volume: an hour far above or below what is usual for it.

score = |observed - usual| / spread, with the spread of the baseline (never below the
noise of counting). Hit: score above 5 and a change of more than 30 %. Only hours
observed to 75 % whose usual volume is known are judged.
"""

from typing import Final

import polars as pl

from analytics.baseline import whole_hour_volume
from analytics.frames import HITS, STORED_VOLUMES, check

NAME: Final = "unusual-volume"


def detect(
    hours: pl.DataFrame, *, score: float = 5.0, change: float = 0.3
) -> pl.DataFrame:
    """Find HITS in the hourly rows of STORED_VOLUMES; `observed` is a whole hour's."""
    observed, usual = pl.col("observed"), pl.col("usual").cast(pl.Float64)
    difference = observed - usual
    return check(
        check(hours, STORED_VOLUMES)
        .filter(pl.col("interval_s") == 3600)
        .with_columns(whole_hour_volume().alias("observed"))
        .select(
            "channel_id",
            pl.col("time").alias("began"),
            (pl.col("time") + pl.duration(hours=1)).alias("ended"),
            observed,
            usual,
            (difference.abs() / pl.col("usual_spread")).alias("score"),
            pl.when(difference > 0)
            .then(pl.lit("above-usual"))
            .otherwise(pl.lit("below-usual"))
            .alias("reason"),
        )
        .filter(
            (pl.col("score") > score) & (difference.abs() > change * usual),
        ),
        HITS,
    )
