"""Detector congestion: traffic is slow where it is usually free.

A run of at least two quarter-hours with five vehicles or more each whose mean speed is
at most 60 % of the channel's free speed: the 85th percentile of its quarter-hours in
the 24 hours before, 20 of them at least [I]. `observed` and `usual` are km/h; score =
10 · (1 - speed / free speed). Channels that measure no speed are not judged.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from analytics.baseline.quarter_hours import QUARTER_S
from analytics.detectors import runs
from analytics.detectors.record import Detector, Reason
from analytics.frames import HITS, STORED_VOLUMES, check
from verkehrspuls.text import mark

_QUARTER: Final = timedelta(seconds=QUARTER_S)


def detect(quarters: pl.DataFrame) -> pl.DataFrame:
    """Find HITS in the quarter-hours of STORED_VOLUMES, one for each run."""
    slow = slow_runs(quarters)
    return check(slow.with_columns(reason=pl.lit("congestion")), HITS)


def slow_runs(
    quarters: pl.DataFrame,
    *,
    share: float = 0.6,
    fewest_vehicles: int = 5,
    fewest: int = 2,
    fewest_before: int = 20,
) -> pl.DataFrame:
    """Find runs of slow quarter-hours: HITS without a reason.

    `length` is the number of quarter-hours; `sharp` the speed of the first as a share
    of the mean speed in the hour before it.
    """
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
    measured = _near_slow(measured, speed, share)
    free = (
        measured.rolling(
            "time", period="24h", offset="-24h", closed="left", group_by="channel_id"
        )
        .agg(speed.quantile(0.85).alias("usual"), pl.len().alias("known"))
        .filter(pl.col("known") >= fewest_before)
    )
    hour_before = measured.rolling(
        "time", period="1h", offset="-1h", closed="left", group_by="channel_id"
    ).agg(speed.mean().alias("before"))
    slow = (
        measured.drop("usual")
        .join(free, on=["channel_id", "time"])
        .join(hour_before, on=["channel_id", "time"])
        .filter(speed <= share * pl.col("usual"))
    )
    return (
        runs.number(slow, step=_QUARTER)
        .group_by("channel_id", "run")
        .agg(
            pl.col("time").min().alias("began"),
            (pl.col("time").max() + _QUARTER).alias("ended"),
            speed.mean().alias("observed"),
            pl.col("usual").mean(),
            ((1 - speed / pl.col("usual")) * 10).max().alias("score"),
            (speed / pl.col("before")).sort_by("time").first().alias("sharp"),
            pl.len().alias("length"),
        )
        .filter(pl.col("length") >= fewest)
    )


def _near_slow(measured: pl.DataFrame, speed: pl.Expr, share: float) -> pl.DataFrame:
    """Keep channels and days near speeds that may be slow, for all that is free.

    No percentile is above the greatest speed, which is quicker to find.
    """
    greatest = speed.rolling_max_by("time", "24h", closed="left").over("channel_id")
    day = pl.col("time").dt.date()
    slow = measured.filter(speed <= share * greatest).select("channel_id", day=day)
    days = pl.concat([slow, slow.with_columns(pl.col("day") - pl.duration(days=1))])
    return measured.join(
        days, left_on=["channel_id", day], right_on=["channel_id", "day"], how="semi"
    )


DETECTOR: Final = Detector(
    code="congestion",
    name=mark("congestion"),
    evidence=mark("measured speeds of at least half an hour"),
    reasons=(
        Reason(
            code="congestion",
            word=mark("congestion"),
            sentence=mark("slow traffic, %(observed)s km/h instead of %(usual)s km/h"),
            is_speed=True,
            adds_up=False,
            severity=-1,
            sharp=30,
        ),
    ),
    judges="quarter-hours with speeds",
    score="10 · (1 − speed / free speed)",
    quarters=lambda _, vehicles: detect(vehicles),
    spreads=True,
)
