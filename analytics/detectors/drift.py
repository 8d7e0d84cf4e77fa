"""Detector drift: a channel counts less from day to day, or its zero creeps.

Counts: a straight line through `net` (the ln ratio to what is usual without the town's,
see `analytics.detectors.days`) of the judged days of the last two weeks, 10 at least;
and one through `x`, with the town in it, goes the same way, half as far at least. Air
and noise: a line through the lowest hour of each day; an offset lifts it, weather
rarely does for long. Score: the slope in its standard errors. Hit: score of at least 6,
a change over the line of at least 15 % (of counts) or the quantity's least step, and no
single day's step is more than half of it: that would be a shift of level. `observed`
and `usual` are those of the last day; for values the end and the begin of the line.
"""

from typing import Final

import polars as pl

from analytics.detectors import days as of_days
from analytics.detectors.of_quantities import with_value
from analytics.detectors.record import Detector, Reason
from analytics.frames import VALUE_DAYS, check
from analytics.local_time import day_bounds
from verkehrspuls.text import mark

MIN_DAYS: Final = 10


def detect(
    days: pl.DataFrame, *, score: float = 6.0, change: float = 0.15
) -> pl.DataFrame:
    """Find HITS in CHANNEL_DAYS, one for each day at which the line ends."""
    judged = of_days.judged(days).with_columns(step=pl.lit(change))
    key = ["channel_id", "day"]
    whole = _lines(judged.with_columns(value="x")).select(*key, whole="change")
    found = judged.join(_lines(judged.with_columns(value="net")), on=key)
    # a fault that moves the town's median must not show as drift of the others
    alone = pl.col("whole") * pl.col("change").sign() >= change / 2
    return _hits(found.join(whole, on=key).filter(alone), score)


def detect_values(days: pl.DataFrame, *, score: float = 6.0) -> pl.DataFrame:
    """Find HITS in VALUE_DAYS, one for each day at which the line ends."""
    whole = check(days, VALUE_DAYS).filter(pl.col("hours") >= of_days.MIN_HOURS)
    judged = (
        with_value(whole, "step", lambda one: one.drift_step)
        .join(day_bounds(days), on=["time_zone", "day"])
        .with_columns(value="minimum")
        .sort("channel_id", "day")
    )
    found = judged.join(_lines(judged), on=["channel_id", "day"])
    return _hits(
        found.with_columns(
            observed="line_end", usual=pl.col("line_end") - pl.col("change")
        ),
        score,
    )


def _lines(judged: pl.DataFrame) -> pl.DataFrame:
    """Return the line through the last two weeks of `value`, by its last day."""
    x = pl.col("day").cast(pl.Int32).cast(pl.Float64)
    y, n = pl.col("value"), pl.len().cast(pl.Float64)
    ordered = judged.with_columns(x.alias("x_day"))
    x = pl.col("x_day")
    slope = pl.cov(x, y) / x.var()
    residual = (y.var() * (1 - pl.corr(x, y) ** 2) * (n - 1)).clip(lower_bound=1e-12)
    error = (residual / (n - 2) / (x.var() * (n - 1))).sqrt()
    span = x.max() - x.min()
    return (
        ordered.rolling("day", period="14d", group_by="channel_id")
        .agg(
            (slope * span).alias("change"),
            (slope.abs() / error).alias("score"),
            (y.mean() + slope * (x.max() - x.mean())).alias("line_end"),
            y.diff().abs().max().alias("largest"),
            pl.len().alias("known"),
        )
        .filter(pl.col("known") >= MIN_DAYS)
    )


def _hits(found: pl.DataFrame, score: float) -> pl.DataFrame:
    change = pl.col("change")
    steady = found.filter(
        (pl.col("score") >= score)
        & (change.abs() >= pl.col("step"))
        & (pl.col("largest") <= change.abs() / 2)
    )
    return of_days.hits(steady, change > 0, pl.lit("drift-up"), pl.lit("drift-down"))


DETECTOR: Final = Detector(
    code="drift",
    name=mark("drifts"),
    evidence=mark("steadily over two weeks, apart from the rest of the town"),
    reasons=(
        Reason(
            code="drift-up",
            word=mark("drift"),
            sentence=mark(
                "more from day to day, now %(observed)s instead of %(usual)s"
            ),
            explained_by=("level-shift",),
            adds_up=False,
            names=90,
        ),
        Reason(
            code="drift-down",
            word=mark("drift"),
            sentence=mark(
                "less from day to day, now %(observed)s instead of %(usual)s"
            ),
            explained_by=("level-shift",),
            adds_up=False,
            names=100,
        ),
    ),
    judges="local days",
    score="slope in its standard errors",
    days=lambda days: pl.concat([detect(days.counts), detect_values(days.values)]),
    family="level",
)
