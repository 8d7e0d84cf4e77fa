"""High value: intervals of the daytime are too full (PeMS).

value: the greater of the shares of intervals with an occupancy above 70 % and of those
with a flow above 2400 veh/h (20 in 30 s; motor vehicles only); threshold 20 %. A long
queue looks the same, so an hour of it is no proof.
"""

from typing import Final

import polars as pl

from analytics.health.evidence import Evidence, failures
from analytics.health.record import Test
from verkehrspuls.settings import Health
from verkehrspuls.text import mark


def find(evidence: Evidence, limits: Health) -> pl.DataFrame:
    """Find periods with too many high values."""
    flow = pl.col("volume") * 3600.0 / pl.col("interval_s")
    shares = (
        evidence.readings.filter("daytime", pl.col("quantity") == "motor")
        .group_by("channel_id", "began")
        .agg(
            pl.max_horizontal(
                (pl.col("occupancy") > limits.high_occupancy).mean(),
                (flow > limits.high_flow).mean(),
            ).alias("share")
        )
    )
    return failures(
        shares.filter(pl.col("share") >= limits.high_share),
        value=pl.col("share"),
        threshold=limits.high_share,
    )


TEST: Final = Test(
    name="high-value",
    order=90,
    text=mark("Counts or occupancy are too high for too long."),
    word=mark("too high"),
    find=find,
    is_fault=True,
)
