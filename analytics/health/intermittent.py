"""Intermittent: count and occupancy contradict each other (PeMS).

value: share of daytime intervals with occupancy but no count (threshold 2 %), else that
with a count but no occupancy (50 %). Only for sensors with both.
"""

from typing import Final

import polars as pl

from analytics.health.evidence import Evidence, failures
from analytics.health.record import Test
from verkehrspuls.settings import Health
from verkehrspuls.text import mark


def find(evidence: Evidence, limits: Health) -> pl.DataFrame:
    """Find periods in which the two contradict each other too often."""
    volume, occupancy = pl.col("volume"), pl.col("occupancy")
    shares = (
        evidence.readings.filter("daytime")
        .drop_nulls(["volume", "occupancy"])
        .group_by("channel_id", "began")
        .agg(
            ((volume == 0) & (occupancy > 0)).mean().alias("held"),
            ((volume > 0) & (occupancy == 0)).mean().alias("flown"),
        )
    )
    held = pl.col("held") >= limits.occupancy_without_flow
    flown = pl.col("flown") >= limits.flow_without_occupancy
    return failures(
        shares.filter(held | flown),
        value=pl.when(held).then("held").otherwise("flown"),
        threshold=pl.when(held)
        .then(limits.occupancy_without_flow)
        .otherwise(limits.flow_without_occupancy),
    )


TEST: Final = Test(
    name="intermittent",
    order=100,
    text=mark("Counts and occupancy contradict each other."),
    word=mark("contradictory"),
    find=find,
    is_fault=True,
)
