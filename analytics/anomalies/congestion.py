"""Detector congestion: traffic is slow where it is usually free.

A run of at least two quarter-hours with five vehicles or more each whose mean speed is
at most 60 % of the channel's free speed: the 85th percentile of its quarter-hours in
the 24 hours before, 20 of them at least [I]. `observed` and `usual` are km/h; score =
10 · (1 - speed / free speed). Nothing is said of channels that measure no speed.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from analytics.anomalies import runs
from analytics.frames import HITS, STORED_VOLUMES, check
from analytics.quarter_hours import QUARTER_S

NAME: Final = "congestion"
_QUARTER: Final = timedelta(seconds=QUARTER_S)


def detect(
    quarters: pl.DataFrame,
    *,
    share: float = 0.6,
    fewest_vehicles: int = 5,
    fewest: int = 2,
    fewest_before: int = 20,
) -> pl.DataFrame:
    """Find HITS in the quarter-hours of STORED_VOLUMES, one for each run."""
    speed = pl.col("speed_kmh").cast(pl.Float64)
    measured = (
        check(quarters, STORED_VOLUMES)
        .filter(
            (pl.col("interval_s") == QUARTER_S)
            & (pl.col("volume") >= fewest_vehicles)
            & pl.col("speed_kmh").is_not_null()
        )
        .sort("channel_id", "time")
    )
    free = (
        measured.rolling(
            "time", period="24h", offset="-24h", closed="left", group_by="channel_id"
        )
        .agg(speed.quantile(0.85).alias("usual"), pl.len().alias("known"))
        .filter(pl.col("known") >= fewest_before)
    )
    slow = measured.drop("usual").join(free, on=["channel_id", "time"])
    slow = slow.filter(speed <= share * pl.col("usual"))
    return check(
        runs.number(slow, step=_QUARTER)
        .group_by("channel_id", "run")
        .agg(
            pl.col("time").min().alias("began"),
            (pl.col("time").max() + _QUARTER).alias("ended"),
            speed.mean().alias("observed"),
            pl.col("usual").mean(),
            ((1 - speed / pl.col("usual")) * 10).max().alias("score"),
            pl.len().alias("length"),
        )
        .filter(pl.col("length") >= fewest)
        .with_columns(reason=pl.lit("congestion")),
        HITS,
    )
