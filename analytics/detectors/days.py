"""Days of channels against what is usual for them, and against those of the town.

x = ln((observed + 1) / (usual + 1)) of the hours of a day whose usual volume is known;
a day is judged from 20 such hours on. The network ratio of a day is the median of x
over the channels of the municipality that count the same (4 at least, else 0), of sites
that all see who see the channel's: rain, holidays and a strike move all of them, a
fault moves one. `net` is x without it.
"""

from typing import Final

import polars as pl

from analytics import audiences
from analytics.frames import CHANNEL_DAYS, HITS, check
from analytics.local_time import day_bounds

#: Hours of a day that have to be known.
MIN_HOURS: Final = 20
#: Number of channels below which there is no network ratio.
MIN_NETWORK_CHANNELS: Final = 4
#: Spread of ln ratios of a new channel, and the number of days that it is worth [I]:
#: weather moves who walks and cycles.
PRIOR_SPREAD: Final = {"motor": 0.08, "bicycle": 0.25, "pedestrian": 0.2}
PRIOR_DAYS: Final = 7


def judged(days: pl.DataFrame) -> pl.DataFrame:
    """Add `x`, `net` and the bounds of the day to CHANNEL_DAYS with enough hours."""
    x = ((pl.col("observed") + 1) / (pl.col("usual") + 1)).log().alias("x")
    town = ("quantity", "day")
    network = pl.when(pl.len().over(town) >= MIN_NETWORK_CHANNELS).then(
        pl.col("x").median().over(town)
    )
    net = pl.col("x") - network.fill_null(0.0)
    known = (
        check(days, CHANNEL_DAYS)
        .filter(pl.col("hours") >= MIN_HOURS)
        .with_columns(x, prior=pl.col("quantity").replace_strict(PRIOR_SPREAD))
    )
    return (
        audiences.apart(known, lambda seen: seen.with_columns(net=net))
        .join(day_bounds(days), on=["time_zone", "day"])
        .sort("channel_id", "day")
    )


def before(
    days: pl.DataFrame, column: str, *, period: str, offset: str
) -> pl.DataFrame:
    """Return median, spread and number of a column over days before each day.

    The spread is the robust one, shrunk towards that of the quantity (`prior`, p) where
    days are few: s² = (n·(1.4826·MAD)² + PRIOR_DAYS·p²) / (n + PRIOR_DAYS).
    """
    value, known = pl.col(column), pl.len().cast(pl.Float64)
    mad = 1.4826 * (value - value.median()).abs().median()
    return days.rolling(
        "day", period=period, offset=offset, closed="left", group_by="channel_id"
    ).agg(
        value.median().alias("median"),
        (
            (known * mad**2 + PRIOR_DAYS * pl.col("prior").first() ** 2)
            / (known + PRIOR_DAYS)
        )
        .sqrt()
        .alias("spread"),
        pl.len().alias("known"),
    )


def hits(
    found: pl.DataFrame, is_more: pl.Expr, more: pl.Expr, less: pl.Expr
) -> pl.DataFrame:
    """Return HITS of whole days, with one of two reasons."""
    reason = pl.when(is_more).then(more).otherwise(less)
    days = {"began": "day_began", "ended": "day_ended"}
    return check(found.with_columns(**days, reason=reason), HITS)
