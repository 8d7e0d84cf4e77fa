"""The stations of a corridor over time, and their free speeds."""

from typing import Final

import polars as pl

from analytics.frames import TIME, Schema, check

#: Intervals of the stations of one corridor: `station` counts from 0 in the direction
#: of travel. Flow is veh/h; speed is null without traffic or measurement.
STATION_INTERVALS: Final[Schema] = {
    "station": pl.Int32(),
    "chainage_m": pl.Float64(),
    "time": TIME,
    "flow": pl.Float64(),
    "speed_kmh": pl.Float64(),
}
#: Speed (km/h) of free traffic at a station.
FREE_SPEEDS: Final[Schema] = {
    "station": pl.Int32(),
    "chainage_m": pl.Float64(),
    "free_kmh": pl.Float64(),
}

#: Minimum observed share of an interval, at each lane.
MIN_OBSERVED: Final = 0.75
#: Quantile of the speeds at night, on empty roads, that represents free speed.
FREE_QUANTILE: Final = 0.85
NIGHT: Final = (22, 6)
MIN_INTERVALS: Final = 8


def station_intervals(
    volumes: pl.DataFrame, stations: pl.DataFrame, *, interval_s: int
) -> pl.DataFrame:
    """Assign volumes to stations of a corridor (STATION_INTERVALS).

    `volumes` has `site_id`, `direction`, `time`, `observed` (share), `least_observed`
    (the least of the lanes), `volume` and `speed_kmh`; `stations` has `station`,
    `site_id`, `direction`, `chainage_m`. Flow is volume · 3600 / (observed · interval).
    Intervals with a lane observed by less than three quarters are left out: a missing
    lane is not scaled up from the others. A speed of zero or below means unknown.
    """
    speed = pl.col("speed_kmh").cast(pl.Float64)
    return check(
        volumes.filter(pl.col("least_observed") >= MIN_OBSERVED)
        .join(stations, on=["site_id", "direction"])
        .with_columns(
            pl.col("station").cast(pl.Int32),
            pl.col("chainage_m").cast(pl.Float64),
            flow=pl.col("volume") * 3600 / (pl.col("observed") * interval_s),
            speed_kmh=pl.when(speed > 0).then(speed),
        )
        .sort("time", "station"),
        STATION_INTERVALS,
    )


def free_speeds(
    intervals: pl.DataFrame,
    *,
    time_zone: str,
    limits_kmh: dict[int, float] | None = None,
) -> pl.DataFrame:
    """Find the speed of free traffic at each station (FREE_SPEEDS).

    85th percentile of the speeds of night intervals (22 to 6 o'clock, local), linear
    between them, capped by the speed limit of the station if known: a driver at the
    limit loses no time. A station with fewer than eight such intervals has no row.
    """
    hour = pl.col("time").dt.convert_time_zone(time_zone).dt.hour()
    night = (hour >= NIGHT[0]) | (hour < NIGHT[1])
    limit = (
        pl.col("station")
        .cast(pl.Int64)
        .replace_strict(limits_kmh or {}, default=None, return_dtype=pl.Float64)
    )
    return check(
        check(intervals, STATION_INTERVALS)
        .filter(night & pl.col("speed_kmh").is_not_null())
        .group_by("station", "chainage_m")
        .agg(
            pl.col("speed_kmh").quantile(FREE_QUANTILE, interpolation="linear"),
            pl.len(),
        )
        .filter(pl.col("len") >= MIN_INTERVALS)
        .with_columns(free_kmh=pl.min_horizontal("speed_kmh", limit))
        .sort("station"),
        FREE_SPEEDS,
    )
