"""Detector drop-out: messages come, but hardly anything is counted where much passes.

A run of quarter-hours with at most a tenth of what is usual, 10 vehicles or more each.
Score: -lg of the Poisson probability of so little, Σ (u - n + n·ln(n/u)) / ln 10. Hit:
score of at least 10, from two quarter-hours on. What is silent has no quarter-hours.
"""

from datetime import timedelta
from math import log
from typing import Final

import polars as pl

from analytics.baseline.quarter_hours import QUARTER_S, observed
from analytics.detectors import runs
from analytics.detectors.record import Detector, Reason
from analytics.frames import HITS, STORED_VOLUMES, check
from verkehrspuls.text import mark


def detect(
    quarters: pl.DataFrame,
    *,
    score: float = 10.0,
    share: float = 0.1,
    least_usual: float = 10.0,
    fewest: int = 2,
) -> pl.DataFrame:
    """Find HITS in the quarter-hours of STORED_VOLUMES, one for each run."""
    seen, usual = pl.col("observed"), pl.col("usual").cast(pl.Float64)
    unlikely = (
        usual - seen + pl.when(seen > 0).then(seen * (seen / usual).log()).otherwise(0)
    )
    low = (
        check(quarters, STORED_VOLUMES)
        .filter(pl.col("interval_s") == QUARTER_S)
        .with_columns(observed().alias("observed"))
        .filter((usual >= least_usual) & (seen <= share * usual))
        .with_columns((unlikely / log(10)).alias("score"))
    )
    return check(
        runs.number(low, step=timedelta(seconds=QUARTER_S))
        .group_by("channel_id", "run")
        .agg(
            pl.col("time").min().alias("began"),
            (pl.col("time").max() + timedelta(seconds=QUARTER_S)).alias("ended"),
            pl.col("observed").sum(),
            pl.col("usual").cast(pl.Float64).sum(),
            pl.col("score").sum(),
            pl.len().alias("length"),
        )
        .filter((pl.col("length") >= fewest) & (pl.col("score") >= score))
        .with_columns(reason=pl.lit("no-traffic")),
        HITS,
    )


DETECTOR: Final = Detector(
    code="drop-out",
    name=mark("drop-outs"),
    evidence=mark("messages come, but they hardly count anything"),
    reasons=(
        Reason(
            code="no-traffic",
            word=mark("drop-out"),
            sentence=mark("hardly anything counted, %(observed)s instead of %(usual)s"),
            sharp=40,
            is_fault=True,
        ),
    ),
    judges="quarter-hours",
    score="−lg of the Poisson probability",
    quarters=lambda quarters, _: detect(quarters),
    spreads=True,
)
