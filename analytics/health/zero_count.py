"""Zero count: nothing was counted all day, or in hours with much usual traffic.

Full-day zeros (Toronto): all readings of a day observed to 95 % are zero; reported at
the broadest level: site, site and quantity, site, quantity and direction, channel.
Volume-adaptive: a day with a usual volume below 10 vehicles may be empty; without a
usual volume it is judged. Shorter runs are those of the detector `stuck`. value: hours
of zeros. A closed road looks the same: a person decides.
"""

from typing import Final

import polars as pl

from analytics.detectors import stuck
from analytics.frames import STORED_VOLUMES
from analytics.health.evidence import Evidence, failures, usual_of, within
from analytics.health.levels import OF_COUNTS
from analytics.health.record import Test
from verkehrspuls.settings import Health
from verkehrspuls.text import mark

#: Observed share of the day required.
MIN_OBSERVED: Final = 0.95
#: Shortest period that counts as a day.
MIN_DAY_S: Final = 23 * 3600
#: Shortest run of hours.
MIN_HOURS: Final = 3

_KEY = ("channel_id", "began")


def find(evidence: Evidence, limits: Health) -> pl.DataFrame:
    """Find days of zeros, and hours of zeros with much usual traffic."""
    days = all_zero(evidence, limits)
    hours = within(evidence.periods, evidence.hours)
    # runs are limited to a period, so that a day's verdict is independent of others
    numbers = hours.select(_KEY).unique().with_row_index("number")
    runs = (
        stuck.detect(
            hours.join(numbers, on=_KEY)
            .with_columns(channel_id=pl.col("number").cast(pl.Int32))
            .select(list(STORED_VOLUMES)),
            fewest_zeros=MIN_HOURS,
            zero_usual=limits.zero_usual,
        )
        .filter(pl.col("observed") == 0)
        .select(
            pl.col("channel_id").cast(pl.UInt32).alias("number"),
            (pl.col("ended") - pl.col("began")).dt.total_hours().alias("hours"),
        )
        .group_by("number")
        .agg(pl.col("hours").max())
        .join(numbers, on="number")
        .join(days, on=_KEY, how="anti")
    )
    shorter = failures(runs, value=pl.col("hours"), threshold=float(MIN_HOURS))
    return pl.concat([days, shorter])


def all_zero(evidence: Evidence, limits: Health) -> pl.DataFrame:
    """Find whole days on which every known count is zero."""
    volume, known_s = pl.col("volume"), pl.col("known_s")
    zeros = (
        evidence.readings.group_by(_KEY)
        .agg(
            volume.min().alias("least"),
            volume.max().alias("most"),
            pl.col("interval_s").filter(volume.is_not_null()).sum().alias("known_s"),
        )
        .filter((pl.col("least") == 0) & (pl.col("most") == 0))
        .join(evidence.periods, on=_KEY)
        .filter(
            (pl.col("expected_s") >= MIN_DAY_S)
            & (known_s >= MIN_OBSERVED * pl.col("expected_s"))
        )
        .join(usual_of(evidence), on=_KEY, how="left")
        .filter((pl.col("usual") >= limits.zero_usual).fill_null(value=True))
    )
    return failures(
        zeros, value=known_s / 3600, threshold=MIN_OBSERVED * MIN_DAY_S / 3600
    )


TEST: Final = Test(
    name="zero-count",
    order=70,
    text=mark("Only zeros are counted in spite of usual traffic."),
    word=mark("only zeros"),
    find=find,
    levels=OF_COUNTS,
    is_fault=True,
)
