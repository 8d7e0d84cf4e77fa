"""Detector level-shift: a channel counts more or less than before, and stays there.

Three judged days in a row, within a week, on the same side of the median of `net` (the
ln ratio to what is usual without the town's, see `analytics.detectors.days`) over the
fortnight before them (7 days at least), each by more than 25 % and three spreads. The
hit lasts from the first of them to the end of the last; score = the least deviation in
spreads. When the new level is two weeks old, it is the usual one.
"""

from math import log
from typing import Final

import polars as pl

from analytics.detectors import days as of_days
from analytics.detectors.record import Detector, Reason
from analytics.frames import HITS, check
from verkehrspuls.text import mark

MIN_DAYS_BEFORE: Final = 7


def detect(
    days: pl.DataFrame, *, change: float = 0.25, score: float = 3.0
) -> pl.DataFrame:
    """Find HITS in CHANNEL_DAYS, one for each day that completes three."""
    judged = of_days.judged(days)
    past = of_days.before(judged, "net", period="14d", offset="-16d")
    three = pl.struct("net", "observed", "usual", "day_began", "day")
    rows = judged.with_columns(
        three.shift(n).over("channel_id").alias(f"back_{n}") for n in (1, 2)
    ).join(past.filter(pl.col("known") >= MIN_DAYS_BEFORE), on=["channel_id", "day"])
    backs = [pl.col(f"back_{n}").struct for n in (2, 1)]
    nets = [*(back.field("net") for back in backs), pl.col("net")]
    steps = [net - pl.col("median") for net in nets]
    up = pl.all_horizontal(step > log(1 + change) for step in steps)
    down = pl.all_horizontal(step < log(1 - change) for step in steps)
    least = pl.min_horizontal(step.abs() for step in steps) / pl.col("spread")
    first = backs[0]
    recent = (pl.col("day") - first.field("day")).dt.total_days() < 7
    return check(
        rows.with_columns(least.alias("score"))
        .filter((up | down) & (pl.col("score") > score) & recent)
        .with_columns(
            began=first.field("day_began"),
            ended="day_ended",
            observed=sum((b.field("observed") for b in backs), pl.col("observed")),
            usual=sum((b.field("usual") for b in backs), pl.col("usual")),
            reason=pl.when(pl.col("net") > pl.col("median"))
            .then(pl.lit("level-up"))
            .otherwise(pl.lit("level-down")),
        ),
        HITS,
    )


DETECTOR: Final = Detector(
    code="level-shift",
    name=mark("shifts of level"),
    evidence=mark("three days in a row, apart from the rest of the town"),
    reasons=(
        Reason(
            code="level-up",
            word=mark("shift of level"),
            sentence=mark(
                "lastingly more than before, %(observed)s instead of %(usual)s"
            ),
            adds_up=False,
            names=70,
        ),
        Reason(
            code="level-down",
            word=mark("shift of level"),
            sentence=mark(
                "lastingly less than before, %(observed)s instead of %(usual)s"
            ),
            adds_up=False,
            names=80,
        ),
    ),
    judges="local days",
    score="spreads",
    days=lambda days: detect(days.counts),
    family="level",
)
