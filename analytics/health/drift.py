"""Drift: a channel counts increasingly less, or more, than its neighbours.

value: the median over the last 7 days of (own ratio / neighbours' ratio) - 1; a ratio
is the count over the usual volume, and the neighbours' is the median of the channels of
other sensors that count the same in the municipality. Threshold 20 %. The channel's own
ratio must have moved as far in the same direction, else the neighbours drift; and so
must the newest day, else the drift is over. Days with 18 hours whose usual volume is
known and 50 at least; 4 of the 7 days are needed.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from analytics.baseline.hours import MIN_OBSERVED
from analytics.health.evidence import LOOK_BACK, Evidence, failures
from analytics.health.profiles import MIN_HOURS
from analytics.health.record import Test
from verkehrspuls.settings import Health
from verkehrspuls.text import mark

MIN_DAYS: Final = 4
#: Minimum usual volume of a day; below it the ratio is mostly chance.
MIN_USUAL: Final = 50.0

_KEY = ("channel_id", "began")
_SAME = ("municipality_id", "quantity", "began", "back")


def find(evidence: Evidence, limits: Health) -> pl.DataFrame:
    """Find days on which a channel has drifted."""
    ratios = _ratios(evidence)
    peers = ratios.select(*_SAME, other="sensor_id", others="ratio")
    against = (
        ratios.join(peers, on=_SAME)
        .filter(pl.col("sensor_id") != pl.col("other"))
        .group_by(*_KEY, "back", "ratio")
        .agg(pl.col("others").median())
    )
    medians = (
        against.with_columns(
            own=pl.col("ratio") - 1, apart=pl.col("ratio") / pl.col("others") - 1
        )
        .sort("back")
        .group_by(_KEY)
        .agg(
            pl.len().alias("days"),
            pl.col("own", "apart").median(),
            pl.col("apart").last().alias("last"),
        )
        .filter(pl.col("days") >= MIN_DAYS)
    )
    apart = pl.col("apart")
    moved = [pl.col(name) * apart.sign() > limits.drift for name in ("own", "last")]
    return failures(
        medians.filter(apart.abs() > limits.drift, *moved).join(
            evidence.periods, on=_KEY, how="semi"
        ),
        value=apart,
        threshold=limits.drift,
    )


def _ratios(evidence: Evidence) -> pl.DataFrame:
    """Return count over usual, for the day of each sibling and each day before it."""
    observed = evidence.hours.filter(
        (pl.col("observed_s") >= MIN_OBSERVED * 3600) & pl.col("usual").is_not_null()
    ).select("channel_id", "time", "volume", "usual")
    days = evidence.siblings.filter(
        pl.col("ended") - pl.col("began") > timedelta(hours=1)
    )
    since_began = pl.col("time") - pl.col("began")
    return (
        days.join(observed, on="channel_id")
        .filter((since_began >= -LOOK_BACK) & (pl.col("time") < pl.col("ended")))
        .with_columns(
            back=(since_began.dt.total_hours() / 24).floor().cast(pl.Int32).clip(-6, 0)
        )
        .group_by(*_KEY, "municipality_id", "quantity", "sensor_id", "back")
        .agg(
            pl.len().alias("hours"),
            pl.col("volume").sum(),
            pl.col("usual").sum().cast(pl.Float64),
        )
        .filter((pl.col("hours") >= MIN_HOURS) & (pl.col("usual") >= MIN_USUAL))
        .with_columns(ratio=pl.col("volume") / pl.col("usual"))
    )


TEST: Final = Test(
    name="drift",
    order=160,
    text=mark(
        "The sensor increasingly counts more or less than expected from its neighbours."
    ),
    word=mark("drift"),
    find=find,
)
