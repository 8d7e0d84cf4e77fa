"""Frozen: a counter repeats the same count.

A run of n equal counts above zero, in consecutive readings, has the score of the
detector `stuck`, -lg of its probability by chance. value: the greatest score of the
period, causal: a run counts once it is known. Threshold 8, from 4 readings on. Runs are
those inside the period, so that its verdict is independent of other periods; those of
daily totals reach back.
"""

from typing import Final

import polars as pl

from analytics.detectors.stuck import equal_score
from analytics.health.evidence import Evidence, failures, within
from analytics.health.record import Test
from verkehrspuls.settings import Health
from verkehrspuls.text import mark

MIN_RUN: Final = 4
PERIOD: Final = ("channel_id", "began")


def find(evidence: Evidence, limits: Health) -> pl.DataFrame:
    """Find periods with a run of equal counts that is unlikely by chance."""
    columns = (*PERIOD, "volume", "run")
    totals = repeats(evidence.totals, "volume")
    runs = pl.concat(
        [
            repeats(evidence.readings, "volume", key=PERIOD).select(columns),
            within(evidence.periods, totals).select(columns),
        ]
    ).filter((pl.col("run") >= MIN_RUN) & (pl.col("volume") > 0))
    length = pl.col("run").cast(pl.Float64)
    scores = runs.group_by(PERIOD).agg(
        equal_score(pl.col("volume"), length).max().alias("score")
    )
    return failures(
        scores.filter(pl.col("score") >= limits.frozen_score),
        value=pl.col("score"),
        threshold=limits.frozen_score,
    )


def repeats(
    readings: pl.DataFrame, column: str, *, key: tuple[str, ...] = ("channel_id",)
) -> pl.DataFrame:
    """Add `run`: the number of equal consecutive values up to each reading.

    Only known values with the same `key` that follow each other directly form a run; a
    gap ends it.
    """
    ends = pl.col("time") + pl.duration(seconds="interval_s")
    follows = pl.all_horizontal(
        *(pl.col(name) == pl.col(name).shift(1) for name in (*key, column)),
        pl.col("time") == ends.shift(1),
    )
    first = pl.when(~follows.fill_null(value=False)).then(pl.int_range(pl.len()))
    return readings.sort("channel_id", "time").with_columns(
        (pl.int_range(pl.len()) - first.forward_fill() + 1).alias("run")
    )


TEST: Final = Test(
    name="frozen",
    order=120,
    text=mark("The same count is repeated again and again."),
    word=mark("frozen"),
    find=find,
    is_fault=True,
)
