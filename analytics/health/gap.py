"""Gap: too long a silence between readings (Toronto).

value: the longest silence inside the period in minutes, from its start to its end while
a sensor was installed. Threshold of a day, also of one that has only begun: the outage
alarm, 4 hours. Threshold of an hour: by its usual volume (`quality.gaps`; 5 to 20
minutes without settings), but never less than one reading.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from analytics.health.evidence import Evidence, failures, usual_of
from analytics.health.record import Test
from verkehrspuls.settings import Health
from verkehrspuls.text import mark

_KEY = ("channel_id", "began")


def find(evidence: Evidence, limits: Health) -> pl.DataFrame:
    """Find periods with an unacceptable gap."""
    ends = pl.col("time") + pl.duration(seconds="interval_s")
    # the reading covers it itself, or nothing comes before it
    follows = pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in _KEY)
    inside = (
        evidence.readings.select(*_KEY, "time", "interval_s")
        .sort("channel_id", "time")
        .with_columns(silent=pl.when(follows).then(pl.col("time") - ends.shift(1)))
        .group_by(_KEY)
        .agg(
            pl.col("silent").max(),
            pl.col("time").min().alias("first"),
            ends.max().alias("last"),
            pl.col("interval_s").max(),
        )
    )
    silences = (
        "silent",
        pl.col("first") - pl.col("since"),
        pl.col("until") - pl.col("last"),
    )
    longest = pl.max_horizontal(*silences).dt.total_minutes()
    known = (
        inside.join(evidence.periods, on=_KEY)
        .with_columns(longest.alias("minutes"))
        .join(usual_of(evidence), on=_KEY, how="left")
    )
    # the first hour of a running day is as long, but not complete
    one_hour = pl.col("complete") & (
        pl.col("ended") - pl.col("began") <= timedelta(hours=1)
    )
    bound = (
        pl.when(one_hour)
        .then(
            pl.max_horizontal(
                evidence.gaps.seconds(pl.col("usual")) / 60, pl.col("interval_s") / 60
            )
        )
        .otherwise(limits.outage_h * 60)
    )
    return failures(
        known.filter(pl.col("minutes") > bound),
        value=pl.col("minutes"),
        threshold=bound,
    )


TEST: Final = Test(
    name="gap",
    order=30,
    text=mark("Readings are missing for too long."),
    word=mark("long gap"),
    find=find,
    counts=False,
)
