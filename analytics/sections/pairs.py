"""Travel times of re-identified devices (Bluetooth), by pair of sites.

The identifiers are hashes that the sensors make with a key that changes daily; they are
only in memory and are never stored.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from analytics.frames import TIME, Schema, check

#: Sightings of devices at a site.
DETECTIONS: Final[Schema] = {"device": pl.String(), "time": TIME}
#: `began` is when the first site was left.
TRIPS: Final[Schema] = {"device": pl.String(), "began": TIME, "travel_s": pl.Float64()}
PAIR_INTERVALS: Final[Schema] = {
    "time": TIME,
    "devices": pl.Int32(),
    "travel_s": pl.Float64(),
    "excluded": pl.Int32(),
}

#: Plausible speeds (km/h): slower devices stopped on the way; faster ones are wrong
#: matches.
MIN_SPEED_KMH: Final = 3.0
MAX_SPEED_KMH: Final = 200.0
#: Sightings of a device closer together than this are one passage.
MAX_PASSAGE: Final = timedelta(minutes=2)
#: Outlier limit in robust standard deviations from the interval's median, and their
#: minimum (s).
MAX_DEVIATIONS: Final = 3.5
MIN_SPREAD_S: Final = 5.0


def trips(
    first: pl.DataFrame, second: pl.DataFrame, *, length_m: float
) -> pl.DataFrame:
    """Match DETECTIONS of two sites to TRIPS.

    A trip is from the last sighting of a passage at the first site to the first one of
    the next passage at the second, when no other passage at the first lies between, and
    when its speed is between 3 and 200 km/h.
    """
    left = _passages(first).select("device", "ended", time="ended")
    arrived = _passages(second).select("device", "began", time="began")
    found = arrived.sort("time").join_asof(
        left.sort("time"),
        on="time",
        by="device",
        strategy="backward",
        check_sortedness=False,
    )
    travel = (pl.col("began") - pl.col("ended")).dt.total_milliseconds() / 1000
    kmh = 3.6 * length_m / pl.col("travel_s")
    return check(
        found.drop_nulls("ended")
        .with_columns(travel_s=travel)
        .filter(kmh.is_between(MIN_SPEED_KMH, MAX_SPEED_KMH))
        # the first of several arrivals after one departure
        .sort("began")
        .unique(["device", "ended"], keep="first", maintain_order=True)
        .select("device", "travel_s", began="ended")
        .sort("began", "device"),
        TRIPS,
    )


def pair_intervals(found: pl.DataFrame, *, every: str = "15m") -> pl.DataFrame:
    """Take the median of the TRIPS that began in an interval (PAIR_INTERVALS).

    Trips further than 3.5 · 1.4826 · MAD from the interval's median (at least 5 s ·
    3.5) are left out and counted: these devices stopped on the way.
    """
    time = pl.col("began").dt.truncate(every).alias("time")
    travel = pl.col("travel_s")
    off = (travel - travel.median().over("time")).abs()
    spread = pl.max_horizontal(1.4826 * off.median().over("time"), pl.lit(MIN_SPREAD_S))
    kept = travel.filter(pl.col("kept"))
    return check(
        check(found, TRIPS)
        .with_columns(time)
        .with_columns(kept=off <= MAX_DEVIATIONS * spread)
        .group_by("time")
        .agg(
            pl.col("kept").sum().cast(pl.Int32).alias("devices"),
            kept.median().alias("travel_s"),
            (~pl.col("kept")).sum().cast(pl.Int32).alias("excluded"),
        )
        .sort("time"),
        PAIR_INTERVALS,
    )


def _passages(detections: pl.DataFrame) -> pl.DataFrame:
    apart = pl.col("time").diff().over("device") > MAX_PASSAGE
    return (
        check(detections, DETECTIONS)
        .sort("device", "time")
        .with_columns(passage=apart.fill_null(value=False).cum_sum().over("device"))
        .group_by("device", "passage")
        .agg(pl.col("time").min().alias("began"), pl.col("time").max().alias("ended"))
    )
