"""Card off: nearly all intervals of the daytime are empty (PeMS).

value: share of intervals with occupancy zero, threshold 59 %; without occupancy, share
with a count of zero, threshold 95 % (PeMS: on ramps). PeMS' intervals are 30 s long; in
ours several vehicles usually pass, so the same share is suspicious. Channels with fewer
than 5 vehicles usual in an interval, or nothing usual yet, are not judged: PeMS'
low-volume set requires 100 %, which is `zero-count`.
"""

from typing import Final

import polars as pl

from analytics.health.evidence import Evidence, failures, usual_of
from analytics.health.record import Test
from verkehrspuls.settings import Health
from verkehrspuls.text import mark

_KEY = ("channel_id", "began")


def find(evidence: Evidence, limits: Health) -> pl.DataFrame:
    """Find periods in which nearly all intervals are empty."""
    busy = (
        evidence.periods.join(usual_of(evidence), on=_KEY)
        .with_columns(
            a_second=pl.col("usual")
            / (pl.col("ended") - pl.col("began")).dt.total_seconds()
        )
        .select(*_KEY, "a_second")
    )
    occupancy, volume = pl.col("occupancy"), pl.col("volume")
    has_occupancy = occupancy.count() > 0
    shares = (
        evidence.readings.filter("daytime")
        .join(busy, on=_KEY)
        .filter(pl.col("a_second") * pl.col("interval_s") >= limits.low_volume)
        .group_by(_KEY)
        .agg(
            pl.when(has_occupancy)
            .then((occupancy == 0).mean())
            .otherwise((volume == 0).mean())
            .alias("share"),
            pl.when(has_occupancy)
            .then(limits.zero_occupancy)
            .otherwise(limits.zero_flow)
            .alias("bound"),
        )
    )
    return failures(
        shares.filter(pl.col("share") >= pl.col("bound")),
        value=pl.col("share"),
        threshold=pl.col("bound"),
    )


TEST: Final = Test(
    name="card-off",
    order=80,
    text=mark("Nearly all intervals of the daytime are empty."),
    word=mark("empty intervals"),
    find=find,
    is_fault=True,
)
