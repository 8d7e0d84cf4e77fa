"""Frozen: a counter repeats one count.

A run of n equal counts above zero, in readings that follow each other directly, has the
score of the detector `stuck`, -lg of the probability of chance. value: the greatest
score of the period, causal: a run counts from the reading on in which it is known.
Threshold 8, from 4 readings on. Runs are those inside the period, so that its verdict
does not depend on what else is judged with it; those of daily totals reach back.
"""

from typing import Final

import polars as pl

from analytics.detectors.stuck import equal_score
from analytics.health.evidence import Evidence, failures, within
from verkehrspuls.settings import Health

FEWEST: Final = 4
PERIOD: Final = ("channel_id", "began")


def find(evidence: Evidence, limits: Health) -> pl.DataFrame:
    """Find periods with a run of equal counts that is no chance."""
    columns = (*PERIOD, "volume", "run")
    totals = repeats(evidence.totals, "volume")
    runs = pl.concat(
        [
            repeats(evidence.readings, "volume", key=PERIOD).select(columns),
            within(evidence.periods, totals).select(columns),
        ]
    ).filter((pl.col("run") >= FEWEST) & (pl.col("volume") > 0))
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
    """Add `run`: how many equal values in a row end with the reading, itself included.

    Only known values with the same `key` that follow each other directly make a run; a
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
