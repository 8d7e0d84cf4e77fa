"""Clock offset: the day's profile fits the reference when it is moved by some hours.

As where a device runs on UTC or forgets the change of clocks. value: hours by which
the sensor's clock is ahead; threshold half an hour. Judged are days with 18 hours; the
moved profile has to fit at least three times as well as the unmoved one, and better by
more than the noise of counting. The reference is that of `profiles`: the direction's
own past, else its neighbours.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from analytics.health import profiles
from analytics.health.evidence import Evidence, failures
from analytics.health.profiles import APART, FEWEST_H, STREAM, distance
from verkehrspuls.settings import Health

SHIFTS: Final = (-3, -2, -1, 1, 2, 3)
#: The moved profile's distance as a part of the unmoved one's.
BETTER: Final = 1 / 3

_HALF_H: Final = 0.5


def find(evidence: Evidence, _: Health) -> pl.DataFrame:
    """Find days whose profile is moved against the reference."""
    streams = profiles.streams(evidence).drop_nulls("reference")
    hours = streams.join(profiles.days(evidence), on=STREAM).filter(
        pl.col("time").is_between("began", "ended", closed="left")
    )
    best = (
        pl.concat([_moved(hours, streams, shift) for shift in SHIFTS])
        .sort("moved")
        .unique([*STREAM, "began"], keep="first", maintain_order=True)
        .filter(
            (pl.col("moved") <= BETTER * pl.col("unmoved"))
            & (pl.col("unmoved") - pl.col("moved") >= APART)
        )
    )
    return failures(
        profiles.channels(best, evidence), value=pl.col("shift"), threshold=_HALF_H
    )


def _moved(hours: pl.DataFrame, streams: pl.DataFrame, shift: int) -> pl.DataFrame:
    """Distances of each day to the reference, as it is and moved by hours."""
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
        .filter(pl.col("hours") >= FEWEST_H, pl.col("moved", "unmoved").is_finite())
    )
