"""Mode-specific zeros: one mode is never counted while others pass the same site.

For example, cars are zero on a day on which bicycles and pedestrians are not (Toronto
`#323`): the classifier fails, not the device. Only whole days: at least 22 hours
observed. value: the count of the other modes.
"""

from typing import Final

import polars as pl

from analytics.health import zero_count
from analytics.health.evidence import Evidence, failures, within
from analytics.health.levels import OF_COUNTS
from analytics.health.record import Test
from verkehrspuls.settings import Health
from verkehrspuls.text import mark

#: Observed hours required.
MIN_HOURS: Final = 22

_MODE = ("site_id", "quantity", "day")


def find(evidence: Evidence, limits: Health) -> pl.DataFrame:
    """Find days of channels whose mode is zero at its site, and others are not."""
    zeros = zero_count.all_zero(evidence, limits).join(
        evidence.periods, on=["channel_id", "began"]
    )
    modes = (
        within(evidence.siblings, evidence.hours)
        .join(evidence.siblings, on=["channel_id", "began"])
        .group_by(_MODE)
        .agg(pl.col("volume").sum(), pl.col("time").n_unique().alias("hours"))
    )
    of_site = modes.select("volume", "site_id", "day", other="quantity")
    others = (
        modes.filter((pl.col("volume") == 0) & (pl.col("hours") >= MIN_HOURS))
        .drop("volume")
        .join(of_site, on=["site_id", "day"])
        .filter(pl.col("other") != pl.col("quantity"))
        .group_by(_MODE)
        .agg(pl.col("volume").sum().alias("others"))
        .filter(pl.col("others") > 0)
    )
    return failures(
        zeros.drop("value", "threshold").join(others, on=_MODE),
        value=pl.col("others"),
        threshold=0.0,
    )


TEST: Final = Test(
    name="mode-zero",
    order=60,
    text=mark("This mode is never counted, while others pass the same site."),
    word=mark("one mode missing"),
    find=find,
    levels=OF_COUNTS,
)
