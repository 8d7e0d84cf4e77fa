"""Detector stuck: a channel repeats one count, or reports zeros where many pass.

Equal counts: of independent Poisson counts with mean m, two are equal with a
probability of about 1 / (2·√(π·m)); of a run of n equal non-zero hours, the score is
-lg of that probability to the power of n - 1. Hit: score of at least 6, from 4 hours on
(84 vehicles an hour: 5 hours; 1000: 4 hours). Zeros: a run of at least 3 hours with
zero vehicles each of which usually has 10 or more; the score is -lg of the Poisson
probability, usual / ln 10. Only hours that follow each other directly and are observed
to 75 % make a run. Air and noise: hours whose readings are all equal, and equal to
those of the hour before, for at least 4 hours; score = the hours.
"""

from math import log, pi
from typing import Final

import polars as pl

from analytics.baseline.hours import MIN_OBSERVED
from analytics.detectors.record import Detector, Reason
from analytics.frames import ENVIRONMENT_HOURS, HITS, STORED_VOLUMES, check
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.text import mark


def detect(
    hours: pl.DataFrame,
    *,
    score: float = 6.0,
    fewest_equal: int = 4,
    fewest_zeros: int = 3,
    zero_usual: float = 10.0,
) -> pl.DataFrame:
    """Find HITS in the hourly rows of STORED_VOLUMES, one hit for each run."""
    volume, usual = pl.col("volume"), pl.col("usual").cast(pl.Float64)
    zero = (volume == 0) & (usual >= zero_usual)
    runs = (
        check(hours, STORED_VOLUMES)
        .filter(
            (pl.col("interval_s") == 3600)
            & (pl.col("observed_s") >= MIN_OBSERVED * 3600)
            & ((volume > 0) | zero)
        )
        .sort("channel_id", "time")
        .with_columns(_run().alias("run"))
        .group_by("channel_id", "run")
        .agg(
            pl.col("time").min().alias("began"),
            (pl.col("time").max() + pl.duration(hours=1)).alias("ended"),
            pl.len().alias("length"),
            volume.first(),
            volume.sum().cast(pl.Float64).alias("observed"),
            pl.when(usual.count() == pl.len()).then(usual.sum()).alias("usual"),
        )
    )
    length = pl.col("length").cast(pl.Float64)
    equal = equal_score(volume, length)
    return check(
        runs.with_columns(
            pl.when(volume == 0)
            .then(pl.col("usual") / log(10))
            .otherwise(equal)
            .alias("score"),
            pl.when(volume == 0)
            .then(pl.lit("zeros"))
            .otherwise(pl.lit("stuck"))
            .alias("reason"),
        ).filter(
            (pl.col("score") >= score)
            & (
                length
                >= pl.when(volume == 0).then(fewest_zeros).otherwise(fewest_equal)
            )
        ),
        HITS,
    )


def equal_score(volume: pl.Expr, length: pl.Expr) -> pl.Expr:
    """Score a run of equal counts: -lg of the probability of chance."""
    return (length - 1) * (2 * (volume * pi).sqrt()).log10()


def _run() -> pl.Expr:
    """Number the runs of equal volumes in hours that follow each other directly."""
    key = ("channel_id", "volume")
    same = pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in key)
    next_hour = pl.col("time").diff() == pl.duration(hours=1)
    return (~(same & next_hour).fill_null(value=False)).cum_sum()


def detect_values(
    hours: pl.DataFrame, quantities: pl.DataFrame, *, fewest: int = 4
) -> pl.DataFrame:
    """Find HITS in ENVIRONMENT_HOURS; `quantities` names that of each channel."""
    restless = [key for key, one in ENVIRONMENT.items() if one.is_restless]
    still = (
        check(hours, ENVIRONMENT_HOURS)
        .join(quantities.select("channel_id", "quantity"), on="channel_id")
        .filter(
            pl.col("quantity").is_in(restless)
            & (pl.col("observed_s") >= MIN_OBSERVED * 3600)
            & (pl.col("minimum") == pl.col("maximum"))
        )
        .with_columns(volume="minimum")
        .sort("channel_id", "time")
    )
    return check(
        still.with_columns(_run().alias("run"))
        .group_by("channel_id", "run")
        .agg(
            pl.col("time").min().alias("began"),
            (pl.col("time").max() + pl.duration(hours=1)).alias("ended"),
            pl.col("mean").first().alias("observed"),
            pl.len().cast(pl.Float64).alias("score"),
        )
        .filter(pl.col("score") >= fewest)
        .with_columns(
            usual=pl.lit(None, pl.Float64),
            reason=pl.lit("stuck"),
        ),
        HITS,
    )


DETECTOR: Final = Detector(
    code="stuck",
    name=mark("values that stand still"),
    evidence=mark("chance would do this less than once in a million"),
    reasons=(
        Reason(
            code="stuck",
            word=mark("stuck value"),
            sentence=mark("the same value again and again"),
            severity=1,
            names=20,
            is_fault=True,
        ),
        Reason(
            code="zeros",
            word=mark("only zeros"),
            sentence=mark("nothing counted where usually %(usual)s are"),
            severity=1,
            names=30,
            is_fault=True,
        ),
    ),
    judges="hours",
    score="−lg of the probability of chance; hours",
    hours=detect,
    values=detect_values,
)
