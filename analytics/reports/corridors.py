"""The speeds along a corridor, as routes and pages start from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from analytics.sections.stations import free_speeds, station_intervals
from verkehrspuls import calendar
from verkehrspuls.storage.volumes import read_volumes_of_sites

QUARTER_S: Final = 900
_STATIONS: Final = {
    "station": pl.Int32,
    "site_id": pl.Int32,
    "direction": pl.String,
    "chainage_m": pl.Float64,
}


@dataclass(frozen=True, slots=True)
class Speeds:
    """What is known of a corridor's stations in a period."""

    #: STATION_INTERVALS
    intervals: pl.DataFrame
    #: FREE_SPEEDS
    free: pl.DataFrame
    #: intervals of stations that are left out because a person excluded a lane
    excluded: int


def stations_of(corridor: Mapping[str, Any]) -> pl.DataFrame:
    """Return the stations of a corridor: a direction of a site each."""
    return pl.DataFrame(corridor["stations"], schema=_STATIONS)


def read_corridor(
    url: str,
    corridor: Mapping[str, Any],
    *,
    start: datetime,
    end: datetime,
    trusted: bool = False,
) -> Speeds:
    """Read the quarter-hours of a corridor's stations, and their free speeds.

    `trusted` leaves out what is suspected to be of a sensor's fault.
    """
    stations = stations_of(corridor)
    volumes = read_volumes_of_sites(
        url,
        site_ids=stations["site_id"].unique().sort().to_list(),
        start=start,
        end=end,
        interval_s=QUARTER_S,
        trusted=trusted,
    )
    intervals = station_intervals(volumes, stations, interval_s=QUARTER_S)
    limits = {
        station["station"]: float(station["speed_limit_kmh"])
        for station in corridor["stations"]
        if station["speed_limit_kmh"]
    }
    zone = corridor["time_zone"]
    left_out = volumes.filter(pl.col("excluded") > 0)
    return Speeds(
        intervals,
        free_speeds(intervals, time_zone=zone, limits_kmh=limits),
        left_out.join(stations, on=["site_id", "direction"]).height,
    )


def on_workdays(times: pl.DataFrame, corridor: Mapping[str, Any]) -> pl.DataFrame:
    """Keep what was on workdays: Mondays to Fridays that are no public holidays."""
    day = pl.col("time").dt.convert_time_zone(corridor["time_zone"]).dt.date()
    days = times.select(day.unique())["time"]
    workdays = [
        one for one in days if calendar.day_type(one, corridor["state"]) == "workday"
    ]
    return times.filter(day.is_in(workdays))
