"""Clock offset: the day's profile fits the reference if shifted by some hours.

For example, a device runs on UTC or ignores the clock change. value: hours by which the
sensor's clock is ahead; threshold half an hour. Days with 18 hours are judged; the
shifted profile must fit at least three times as well as the original, and better by
more than the noise of counting. The reference is that of `profiles`: the direction's
own past, else its neighbours.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from analytics.health import profiles
from analytics.health.evidence import Evidence, failures
from analytics.health.profiles import MIN_DISTANCE, MIN_HOURS, STREAM, distance
from analytics.health.record import Test
from verkehrspuls.settings import Health
from verkehrspuls.text import mark

SHIFTS: Final = (-3, -2, -1, 1, 2, 3)
#: Maximum distance of the shifted profile as a share of the original one's.
MAX_DISTANCE_RATIO: Final = 1 / 3

_HALF_H: Final = 0.5


def find(evidence: Evidence, _: Health) -> pl.DataFrame:
    """Find days whose profile is shifted against the reference."""
    streams = profiles.streams(evidence).drop_nulls("reference")
    hours = streams.join(profiles.days(evidence), on=STREAM).filter(
        pl.col("time").is_between("began", "ended", closed="left")
    )
    best = (
        pl.concat([_moved(hours, streams, shift) for shift in SHIFTS])
        .sort("moved")
        .unique([*STREAM, "began"], keep="first", maintain_order=True)
        .filter(
            (pl.col("moved") <= MAX_DISTANCE_RATIO * pl.col("unmoved"))
            & (pl.col("unmoved") - pl.col("moved") >= MIN_DISTANCE)
        )
    )
    return failures(
        profiles.channels(best, evidence), value=pl.col("shift"), threshold=_HALF_H
    )


def _moved(hours: pl.DataFrame, streams: pl.DataFrame, shift: int) -> pl.DataFrame:
    """Return distances of each day to the reference, original and shifted by hours."""
    there = streams.select(
        *STREAM, pl.col("time") + timedelta(hours=shift), moved="reference"
    )
    volume = pl.col("volume")
    return (
        hours.join(there, on=[*STREAM, "time"])
        .group_by(*STREAM, "began")
        .agg(
            pl.len().alias("hours"),
            distance(volume, pl.col("reference")).alias("unmoved"),
            distance(volume, pl.col("moved")).alias("moved"),
            pl.lit(shift).alias("shift"),
        )
        .filter(pl.col("hours") >= MIN_HOURS, pl.col("moved", "unmoved").is_finite())
    )


TEST: Final = Test(
    name="clock-offset",
    order=150,
    text=mark("The daily profile is shifted by hours: the clock is probably wrong."),
    word=mark("wrong clock"),
    find=find,
)
