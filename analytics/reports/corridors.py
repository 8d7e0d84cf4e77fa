"""The reports of corridors and junctions: times, reliability, bottlenecks, balances.

A corridor is read once in a period, and once more without what is suspected to be of a
sensor's fault where anything is. Whoever shows it arranges it, and computes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final, Generic, TypeVar

import polars as pl

from analytics.quality import suspected
from analytics.quality.passport import Passport, Touching
from analytics.reports.periods import Period
from analytics.reports.sources import touching
from analytics.reports.suspected import of_places
from analytics.sections.bottlenecks import bottlenecks
from analytics.sections.conservation import balances, residuals
from analytics.sections.reliability import reliability
from analytics.sections.smoothing import speed_field
from analytics.sections.stations import (
    MIN_OBSERVED,
    STATION_INTERVALS,
    free_speeds,
    station_intervals,
)
from analytics.sections.travel_time import (
    corridor_intervals,
    delays,
    section_intervals,
)
from verkehrspuls import calendar
from verkehrspuls.errors import UnknownKey
from verkehrspuls.storage import corridors
from verkehrspuls.storage.corridors import Corridor, Junction
from verkehrspuls.storage.reader import Reader
from verkehrspuls.storage.volumes import read_volumes_of_sites

QUARTER_S: Final = 900
HOUR_S: Final = 3600
#: Distance of the cells of a speed field.
STEP_M: Final = 100.0
#: Residuals that counting itself does not explain.
NOTABLE_Z: Final = 5.0
METHOD: Final = "half-distance, time-mean speeds"
BALANCE_METHOD: Final = "balance-1"
_STATIONS: Final = {
    "station": pl.Int32,
    "site_id": pl.Int32,
    "direction": pl.String,
    "chainage_m": pl.Float64,
}
_SIGNED: Final = {
    "balance": pl.String,
    "site_id": pl.Int32,
    "direction": pl.String,
    "sign": pl.Int32,
}

Figures = TypeVar("Figures")
Place = TypeVar("Place", Corridor, Junction)


@dataclass(frozen=True, slots=True)
class WithPassport(Generic[Figures]):
    """Figures, and where they come from."""

    figures: Figures
    passport: Passport


@dataclass(frozen=True, slots=True)
class Report(Generic[Figures]):
    """Figures of a corridor or junction in a period."""

    #: as registered
    of: Corridor | Junction
    period: Period
    found: WithPassport[Figures]
    #: the same without what is suspected to be of a sensor's fault, where any is
    without_suspected: WithPassport[Figures] | None


@dataclass(frozen=True, slots=True)
class Road:
    """What is known of a corridor's stations in a period, and what comes of it."""

    corridor: Corridor
    #: STATION_INTERVALS
    intervals: pl.DataFrame
    #: FREE_SPEEDS
    free: pl.DataFrame
    #: intervals of stations that are left out because a person excluded a lane
    excluded: int

    def sections(self) -> pl.DataFrame:
        """Compute travel times of sections (SECTION_INTERVALS)."""
        return section_intervals(self.intervals, self.free)

    def times(self, sections: pl.DataFrame) -> pl.DataFrame:
        """Compute travel times of the whole corridor (CORRIDOR_INTERVALS)."""
        return corridor_intervals(sections, count=len(self.corridor.stations) - 1)

    def reliability(self, times: pl.DataFrame) -> pl.DataFrame:
        """Compute how reliable travel times are on workdays (RELIABILITY)."""
        zone = self.corridor.time_zone
        return reliability(on_workdays(times, self.corridor), time_zone=zone)

    def bottlenecks(self) -> pl.DataFrame:
        """Find bottlenecks (BOTTLENECKS)."""
        return bottlenecks(self.intervals, self.free, interval_s=QUARTER_S)

    def speed_field(self, intervals: pl.DataFrame) -> pl.DataFrame:
        """Smooth the speeds of some of the intervals."""
        known = intervals.select(list(STATION_INTERVALS))
        return speed_field(known, interval_s=QUARTER_S, step_m=STEP_M)


@dataclass(frozen=True, slots=True)
class TravelTimes:
    """Travel times by the quarter-hour, and delays of sections."""

    #: FREE_SPEEDS
    free_speeds: pl.DataFrame
    #: CORRIDOR_INTERVALS
    intervals: pl.DataFrame
    #: DELAYS
    delays: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Balances:
    """What enters places against what leaves them, by the hour."""

    #: BALANCES
    balances: pl.DataFrame
    #: residuals that counting itself does not explain
    notable: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Day:
    """A corridor on a local day, and in the weeks up to it."""

    #: CORRIDOR_INTERVALS of all weeks
    times: pl.DataFrame
    #: RELIABILITY of the workdays of all weeks
    usual: pl.DataFrame
    #: BOTTLENECKS of all weeks
    bottlenecks: pl.DataFrame
    #: local days on which a speed was measured
    days_with_speeds: int
    #: STATION_INTERVALS of the day
    intervals: pl.DataFrame
    #: cells of the smoothed speeds of the day
    speed_field: pl.DataFrame
    #: mean speeds of the day by `station` and hour (`time`)
    speeds_by_hour: pl.DataFrame


def find_corridor(reader: Reader, municipality: str, corridor: str) -> Corridor:
    """Find a corridor as registered."""
    with reader.connection() as connection:
        rows = corridors.list_corridors(
            connection, municipality=municipality, corridor=corridor
        )
    return _first(rows, "corridor", municipality, corridor)


def find_junction(reader: Reader, municipality: str, junction: str) -> Junction:
    """Find a junction as registered."""
    with reader.connection() as connection:
        rows = corridors.list_junctions(
            connection, municipality=municipality, junction=junction
        )
    return _first(rows, "junction", municipality, junction)


def _first(found: Sequence[Place], kind: str, municipality: str, key: str) -> Place:
    if not found:
        raise UnknownKey(kind=kind, key=f"{municipality}/{key}")
    return found[0]


def travel_times(
    reader: Reader, corridor: Corridor, period: Period
) -> Report[TravelTimes]:
    """Report travel times and delays of a corridor."""

    def figures(road: Road) -> TravelTimes:
        sections = road.sections()
        return TravelTimes(
            road.free, road.times(sections), delays(sections, interval_s=QUARTER_S)
        )

    return _of_corridor(reader, corridor, period, figures)


def reliability_of(
    reader: Reader, corridor: Corridor, period: Period
) -> Report[pl.DataFrame]:
    """Report the same time of day over the workdays of a period (RELIABILITY)."""
    return _of_corridor(
        reader,
        corridor,
        period,
        lambda road: road.reliability(road.times(road.sections())),
    )


def bottlenecks_of(
    reader: Reader, corridor: Corridor, period: Period
) -> Report[pl.DataFrame]:
    """Report where slow traffic became free again (BOTTLENECKS)."""
    return _of_corridor(reader, corridor, period, Road.bottlenecks)


def speed_field_of(
    reader: Reader, corridor: Corridor, period: Period
) -> Report[pl.DataFrame]:
    """Report speeds, smoothed in space and time."""
    return _of_corridor(
        reader, corridor, period, lambda road: road.speed_field(road.intervals)
    )


def day_of(
    reader: Reader, corridor: Corridor, day: date, *, look_back: int
) -> tuple[Day, Day | None]:
    """Report a local day and `look_back` days up to it; and without what is suspected.

    The figures are those of the other reports of that period; the speed field is of
    the day.
    """
    zone = corridor.time_zone
    start = calendar.day_start(day - timedelta(days=look_back - 1), zone)
    end = calendar.day_end(day, zone)
    with reader.connection() as connection:
        places = stations_of(corridor)
        suspects = of_places(connection, places, start=start, end=end)

    def figures(trusted: bool) -> Day:
        road = _read(reader, corridor, start=start, end=end, trusted=trusted)
        times = road.times(road.sections())
        local = pl.col("time").dt.convert_time_zone(zone).dt.date()
        measured = road.intervals.drop_nulls("speed_kmh")
        of_day = road.intervals.filter(local == day)
        return Day(
            times=times,
            usual=road.reliability(times),
            bottlenecks=road.bottlenecks(),
            days_with_speeds=measured.select(local.n_unique()).item(),
            intervals=of_day,
            speed_field=road.speed_field(of_day),
            speeds_by_hour=of_day.group_by(
                "station", pl.col("time").dt.truncate("1h")
            ).agg(pl.col("speed_kmh").mean()),
        )

    return suspected.both(figures, suspects)


def balance_of_corridor(
    reader: Reader, corridor: Corridor, period: Period
) -> Report[Balances]:
    """Report the volumes of stations that follow each other."""
    stations = corridor.stations
    places = [
        (f"{a.site} → {b.site}", place.site_id, place.direction, sign)
        for a, b in pairwise(stations)
        for place, sign in ((a, 1), (b, -1))
    ]
    return _of_places(reader, corridor, period, places)


def balance_of_junction(
    reader: Reader, junction: Junction, period: Period
) -> Report[Balances]:
    """Report what enters a junction and what leaves it."""
    places = [
        (
            junction.key,
            arm.site_id,
            arm.direction,
            1 if arm.leads == "in" else -1,
        )
        for arm in junction.arms
    ]
    return _of_places(reader, junction, period, places)


def stations_of(corridor: Corridor) -> pl.DataFrame:
    """Return the stations of a corridor: a direction of a site each."""
    rows = [
        (each.station, each.site_id, each.direction, each.chainage_m)
        for each in corridor.stations
    ]
    return pl.DataFrame(rows, schema=_STATIONS, orient="row")


def on_workdays(times: pl.DataFrame, corridor: Corridor) -> pl.DataFrame:
    """Keep what was on workdays: Mondays to Fridays that are no public holidays."""
    day = pl.col("time").dt.convert_time_zone(corridor.time_zone).dt.date()
    days = times.select(day.unique())["time"]
    workdays = [
        one for one in days if calendar.day_type(one, corridor.state) == "workday"
    ]
    return times.filter(day.is_in(workdays))


def _read(
    reader: Reader,
    corridor: Corridor,
    *,
    start: datetime,
    end: datetime,
    trusted: bool,
) -> Road:
    """Read the quarter-hours of a corridor's stations, and their free speeds.

    `trusted` leaves out what is suspected to be of a sensor's fault.
    """
    stations = stations_of(corridor)
    with reader.frames() as source:
        volumes = read_volumes_of_sites(
            source,
            site_ids=stations["site_id"].unique().sort().to_list(),
            start=start,
            end=end,
            interval_s=QUARTER_S,
            trusted=trusted,
        )
    intervals = station_intervals(volumes, stations, interval_s=QUARTER_S)
    limits = {
        station.station: float(station.speed_limit_kmh)
        for station in corridor.stations
        if station.speed_limit_kmh
    }
    zone = corridor.time_zone
    left_out = volumes.filter(pl.col("excluded") > 0)
    return Road(
        corridor,
        intervals,
        free_speeds(intervals, time_zone=zone, limits_kmh=limits),
        left_out.join(stations, on=["site_id", "direction"]).height,
    )


def _of_corridor(
    reader: Reader,
    corridor: Corridor,
    period: Period,
    figures: Callable[[Road], Figures],
) -> Report[Figures]:
    """Read a corridor, with the passport of its figures."""
    stations = stations_of(corridor)
    suspects, share, touched = _standing(reader, period, stations, by="station")
    expected = period.hours * 4 * stations.height

    def compute(trusted: bool) -> WithPassport[Figures]:
        road = _read(
            reader, corridor, start=period.start, end=period.end, trusted=trusted
        )
        # where nobody passed there was no speed to observe
        measured = pl.col("speed_kmh").is_not_null() | (pl.col("flow") == 0)
        return WithPassport(
            figures(road),
            _passport(
                road.intervals.filter(measured).height,
                expected,
                METHOD,
                touched,
                excluded=road.excluded,
                suspected=0.0 if trusted else share,
            ),
        )

    return Report(corridor, period, *suspected.both(compute, suspects))


def _of_places(
    reader: Reader,
    place: Corridor | Junction,
    period: Period,
    places: Sequence[tuple[str, int, str, int]],
) -> Report[Balances]:
    """Read the hours of places, and compare what enters with what leaves."""
    signed = pl.DataFrame(places, schema=_SIGNED, orient="row").with_columns(
        places=pl.len().over("balance").cast(pl.Int32)
    )
    suspects, share, touched = _standing(reader, period, signed, by="balance")
    expected = period.hours * signed["balance"].n_unique()

    def compute(trusted: bool) -> WithPassport[Balances]:
        with reader.frames() as source:
            read = read_volumes_of_sites(
                source,
                site_ids=signed["site_id"].unique().sort().to_list(),
                start=period.start,
                end=period.end,
                interval_s=HOUR_S,
                trusted=trusted,
            )
        volumes = read.join(signed, on=["site_id", "direction"])
        excluded = volumes.filter(pl.col("excluded") > 0).select("balance", "time")
        found = residuals(
            volumes.filter(pl.col("least_observed") >= MIN_OBSERVED).with_columns(
                volume=pl.col("volume") / pl.col("observed")
            )
        )
        return WithPassport(
            Balances(balances(found), found.filter(pl.col("z").abs() > NOTABLE_Z)),
            _passport(
                found.height,
                expected,
                BALANCE_METHOD,
                touched,
                excluded=excluded.n_unique(),
                suspected=0.0 if trusted else share,
            ),
        )

    return Report(place, period, *suspected.both(compute, suspects))


def _standing(
    reader: Reader, period: Period, places: pl.DataFrame, *, by: str
) -> tuple[pl.DataFrame, float, Touching]:
    """Read what is suspected of places, what share of them, and what touches them."""
    start, end = period.start, period.end
    with reader.connection() as connection:
        suspects = of_places(connection, places, start=start, end=end)
        touched = touching(
            connection,
            [
                (site_id, "motor", direction)
                for site_id, direction in places.select(
                    "site_id", "direction"
                ).iter_rows()
            ],
            start=start,
            end=end,
        )
    share = suspected.share(
        suspects, start=start, end=end, channels=places[by].n_unique(), by=by
    )
    return suspects, share, touched


def _passport(
    known: int,
    expected: int,
    method: str,
    touched: Touching,
    *,
    excluded: int,
    suspected: float,
) -> Passport:
    return Passport(
        observed=min(1.0, known / max(1, expected)),
        normalised=0.0,
        imputed=0.0,
        excluded=min(1.0, excluded / max(1, expected)),
        method=method,
        suspected=suspected,
        **touched,
    )
