"""Bins offset: the sensor's count intervals do not begin on the clock (Toronto `#172`).

value: median distance in seconds of the starts from multiples of the interval, after
them positive; threshold 30 s. Only for times of the sensor's own clock.
"""

from typing import Final

import polars as pl

from analytics.health.evidence import Evidence, counted, failures
from analytics.health.record import Test
from verkehrspuls.settings import Health
from verkehrspuls.text import mark


def find(evidence: Evidence, limits: Health) -> pl.DataFrame:
    """Find periods whose intervals are not aligned to the clock."""
    length = pl.col("interval_s")
    past = pl.col("time").dt.epoch("s") % length
    distance = pl.when(past * 2 > length).then(past - length).otherwise(past)
    medians = (
        evidence.readings.filter(counted(), pl.col("time_origin") == 0)
        .group_by("channel_id", "began")
        .agg(distance.median().alias("distance"))
    )
    return failures(
        medians.filter(pl.col("distance").abs() > limits.bins_offset_s),
        value=pl.col("distance"),
        threshold=limits.bins_offset_s,
    )


TEST: Final = Test(
    name="bins-offset",
    order=130,
    text=mark("The sensor's count intervals do not begin on the clock."),
    word=mark("intervals shifted"),
    find=find,
)
