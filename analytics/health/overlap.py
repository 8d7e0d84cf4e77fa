"""Overlap: readings of a channel cover the same time more than once.

value: seconds covered more than once, as a share of the counted seconds
(`analytics.volumes.overlaps`); threshold 1 %. A file that was imported twice with
shifted times has 100 %.
"""

from typing import Final

import polars as pl

from analytics.frames import FAILURES, empty
from analytics.health.evidence import Evidence, failures
from analytics.health.record import Test
from analytics.volumes import overlaps
from verkehrspuls.settings import Health
from verkehrspuls.text import mark

_KEY = ("channel_id", "time")


def find(evidence: Evidence, limits: Health) -> pl.DataFrame:
    """Find periods in which too much time is covered more than once."""
    # a reading may belong to a day and to an hour
    readings = overlaps.in_order(evidence.readings.unique(_KEY))
    seconds = overlaps.counted_s(readings)
    if seconds is None:
        return empty(FAILURES)
    counted = readings.select(_KEY, counted_s=seconds)
    shares = (
        evidence.readings.join(counted, on=_KEY)
        .group_by("channel_id", "began")
        .agg(pl.col("interval_s").sum(), pl.col("counted_s").sum())
        .with_columns(
            share=(pl.col("interval_s") - pl.col("counted_s")) / pl.col("counted_s")
        )
    )
    return failures(
        shares.filter(pl.col("share") > limits.overlap),
        value=pl.col("share"),
        threshold=limits.overlap,
    )


TEST: Final = Test(
    name="readings-overlap",
    order=40,
    text=mark(
        "Several readings cover the same time. Each second counts once, by the "
        "reading received last: check the sensor's clock and interval, and what "
        "was imported."
    ),
    word=mark("reported twice"),
    find=find,
    counts=False,
)
