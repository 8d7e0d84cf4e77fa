"""`/corridors` and `/junctions`: what happens between the sites of a road."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import polars as pl
from fastapi import APIRouter, Path

from analytics.quality import suspected
from analytics.quality.passport import Passport
from analytics.reports.corridors import (
    QUARTER_S,
    on_workdays,
    read_corridor,
    stations_of,
)
from analytics.reports.periods import Period, period
from analytics.reports.sources import Touching, touching
from analytics.reports.suspected import of_places
from analytics.sections.bottlenecks import bottlenecks
from analytics.sections.conservation import balances, residuals
from analytics.sections.reliability import FEWEST_DAYS, FEWEST_FOR_95, reliability
from analytics.sections.smoothing import speed_field
from analytics.sections.stations import (
    ENOUGH_OBSERVED,
)
from analytics.sections.travel_time import (
    corridor_intervals,
    delays,
    section_intervals,
)
from api import PREFIX
from api.database import Database
from api.parameters import From, MunicipalityKey, OfMunicipality, Store, To
from api.problems import RESPONSES
from api.schemas import sections as schemas
from verkehrspuls.errors import UnknownKey
from verkehrspuls.storage import corridors
from verkehrspuls.storage.volumes import read_volumes_of_sites

router = APIRouter(prefix=PREFIX, tags=["figures"])

HOUR_S: Final = 3600
STEP_M: Final = 100.0
#: residuals that counting itself does not explain
NOTABLE_Z: Final = 5.0
METHOD: Final = "half-distance, time-mean speeds"
BALANCE_METHOD: Final = "balance-1"

CorridorKey = Annotated[
    str,
    Path(
        description="key of the corridor",
        pattern="^[a-z0-9-]{1,64}$",
        examples=["nordtangente-ost"],
    ),
]
JunctionKey = Annotated[
    str,
    Path(
        description="key of the junction",
        pattern="^[a-z0-9-]{1,64}$",
        examples=["mainzer-tor"],
    ),
]


@dataclass(frozen=True, slots=True)
class _Road:
    """A corridor in a period: its stations, their intervals and free speeds."""

    corridor: dict[str, Any]
    intervals: pl.DataFrame
    free: pl.DataFrame

    @property
    def sections(self) -> int:
        """How many sections it has."""
        return len(self.corridor["stations"]) - 1


@router.get(
    "/corridors",
    operation_id="listCorridors",
    summary="List corridors",
    response_model=schemas.Corridors,
    responses={422: RESPONSES[422], 503: RESPONSES[503]},
)
def list_corridors(store: Store, municipality: OfMunicipality = None) -> dict[str, Any]:
    """List corridors with their stations, in the order in which they are passed."""
    with store.connection() as connection:
        return {
            "corridors": corridors.list_corridors(connection, municipality=municipality)
        }


@router.get(
    "/corridors/{municipality}/{corridor}/travel-times",
    operation_id="readTravelTimes",
    summary="Travel times and delays",
    response_model=schemas.TravelTimes,
    responses=RESPONSES,
)
def read_travel_times(
    store: Store,
    municipality: MunicipalityKey,
    corridor: CorridorKey,
    from_: From = None,
    to: To = None,
) -> dict[str, Any]:
    """Give travel times by the quarter-hour, from spot speeds, and delays.

    The default is the last seven days, at most 62 come at once.
    """
    found = _corridor(store, municipality, corridor)
    asked = _period(found, from_, to, days=7, longest=62)
    return _answer(store, found, asked, _travel_times)


def _travel_times(road: _Road) -> dict[str, Any]:
    """Compute travel times, and delays of sections."""
    sections = section_intervals(road.intervals, road.free)
    times = corridor_intervals(sections, count=road.sections)
    return {
        "free_speeds": road.free.to_dicts(),
        "corridor_intervals": times.to_dicts(),
        "delays": delays(sections, interval_s=QUARTER_S).to_dicts(),
    }


@router.get(
    "/corridors/{municipality}/{corridor}/reliability",
    operation_id="readReliability",
    summary="Reliability of travel times",
    response_model=schemas.Reliability,
    responses=RESPONSES,
)
def read_reliability(
    store: Store,
    municipality: MunicipalityKey,
    corridor: CorridorKey,
    from_: From = None,
    to: To = None,
) -> dict[str, Any]:
    """Compare the same time of day over the workdays of a period.

    Workdays are Mondays to Fridays that are no public holidays.

    The default is the last 35 days, at most 366 come at once.
    """
    found = _corridor(store, municipality, corridor)
    asked = _period(found, from_, to, days=35, longest=366)
    return _answer(store, found, asked, _reliability) | {
        "days_required": FEWEST_DAYS,
        "days_required_p95": FEWEST_FOR_95,
    }


def _reliability(road: _Road) -> dict[str, Any]:
    """Compute how reliable travel times are on workdays."""
    times = corridor_intervals(
        section_intervals(road.intervals, road.free), count=road.sections
    )
    found = reliability(
        on_workdays(times, road.corridor), time_zone=road.corridor["time_zone"]
    )
    return {"reliability": found.to_dicts()}


@router.get(
    "/corridors/{municipality}/{corridor}/bottlenecks",
    operation_id="readBottlenecks",
    summary="Bottlenecks",
    response_model=schemas.Bottlenecks,
    responses=RESPONSES,
)
def read_bottlenecks(
    store: Store,
    municipality: MunicipalityKey,
    corridor: CorridorKey,
    from_: From = None,
    to: To = None,
) -> dict[str, Any]:
    """Find where slow traffic became free again, five of seven quarter-hours long.

    The default is the last seven days, at most 62 come at once.
    """
    found = _corridor(store, municipality, corridor)
    asked = _period(found, from_, to, days=7, longest=62)
    return _answer(store, found, asked, _bottlenecks)


def _bottlenecks(road: _Road) -> dict[str, Any]:
    """Find bottlenecks."""
    found = bottlenecks(road.intervals, road.free, interval_s=QUARTER_S)
    return {"bottlenecks": found.to_dicts()}


@router.get(
    "/corridors/{municipality}/{corridor}/speed-field",
    operation_id="readSpeedField",
    summary="Speed in space and time",
    response_model=schemas.SpeedField,
    responses=RESPONSES,
)
def read_speed_field(
    store: Store,
    municipality: MunicipalityKey,
    corridor: CorridorKey,
    from_: From = None,
    to: To = None,
) -> dict[str, Any]:
    """Smooth speeds to a field: every 100 m, every quarter-hour.

    The default is the last day, at most two days come at once.
    """
    found = _corridor(store, municipality, corridor)
    asked = _period(found, from_, to, days=1, longest=2)
    return _answer(store, found, asked, _field) | {"step_m": STEP_M}


def _field(road: _Road) -> dict[str, Any]:
    """Smooth speeds."""
    field = speed_field(road.intervals, interval_s=QUARTER_S, step_m=STEP_M)
    return {"cells": field.to_dicts()}


@router.get(
    "/corridors/{municipality}/{corridor}/balance",
    operation_id="readCorridorBalance",
    summary="Conservation of flow along a road",
    response_model=schemas.Balances,
    responses=RESPONSES,
)
def read_corridor_balance(
    store: Store,
    municipality: MunicipalityKey,
    corridor: CorridorKey,
    from_: From = None,
    to: To = None,
) -> dict[str, Any]:
    """Compare the volumes of stations that follow each other, by the hour.

    Streets that join between two stations show as a bias. The default is the last 28
    days, at most 366 come at once.
    """
    found = _corridor(store, municipality, corridor)
    asked = _period(found, from_, to, days=28, longest=366)
    places = [
        (f"{a['site']} → {b['site']}", place["site_id"], place["direction"], sign)
        for a, b in zip(found["stations"], found["stations"][1:], strict=False)
        for place, sign in ((a, 1), (b, -1))
    ]
    return _balances(store, found, asked, places)


@router.get(
    "/junctions",
    operation_id="listJunctions",
    summary="List junctions",
    response_model=schemas.Junctions,
    responses={422: RESPONSES[422], 503: RESPONSES[503]},
)
def list_junctions(store: Store, municipality: OfMunicipality = None) -> dict[str, Any]:
    """List junctions with their ways in and out."""
    with store.connection() as connection:
        return {
            "junctions": corridors.list_junctions(connection, municipality=municipality)
        }


@router.get(
    "/junctions/{municipality}/{junction}/balance",
    operation_id="readJunctionBalance",
    summary="Conservation of flow at a junction",
    response_model=schemas.Balances,
    responses=RESPONSES,
)
def read_junction_balance(
    store: Store,
    municipality: MunicipalityKey,
    junction: JunctionKey,
    from_: From = None,
    to: To = None,
) -> dict[str, Any]:
    """Compare what enters a junction with what leaves it, by the hour.

    The default is the last 28 days, at most 366 come at once.
    """
    with store.connection() as connection:
        rows = corridors.list_junctions(
            connection, municipality=municipality, junction=junction
        )
    if not rows:
        raise UnknownKey(kind="junction", key=f"{municipality}/{junction}")
    places = [
        (junction, arm["site_id"], arm["direction"], 1 if arm["leads"] == "in" else -1)
        for arm in rows[0]["arms"]
    ]
    asked = _period(rows[0], from_, to, days=28, longest=366)
    return _balances(store, rows[0], asked, places)


def _passport(
    known: int,
    expected: int,
    method: str,
    touching: Touching,
    *,
    excluded: int,
    suspected: float,
) -> dict[str, Any]:
    return asdict(
        Passport(
            observed=min(1.0, known / max(1, expected)),
            normalised=0.0,
            imputed=0.0,
            excluded=min(1.0, excluded / max(1, expected)),
            method=method,
            suspected=suspected,
            **touching,
        )
    )


def _corridor(store: Database, municipality: str, corridor: str) -> dict[str, Any]:
    with store.connection() as connection:
        rows = corridors.list_corridors(
            connection, municipality=municipality, corridor=corridor
        )
    if not rows:
        raise UnknownKey(kind="corridor", key=f"{municipality}/{corridor}")
    return rows[0]


def _period(
    place: dict[str, Any], from_: From, to: To, *, days: int, longest: int
) -> Period:
    now = datetime.now(UTC)
    return period(place, from_, to, now=now, days=days).at_most(longest)


def _answer(
    store: Database,
    corridor: dict[str, Any],
    asked: Period,
    figures: Callable[[_Road], dict[str, Any]],
) -> dict[str, Any]:
    """Put the answer of a corridor together."""
    stations = stations_of(corridor)
    with store.connection() as connection:
        suspects = of_places(connection, stations, start=asked.start, end=asked.end)
    share = suspected.share(
        suspects,
        start=asked.start,
        end=asked.end,
        channels=stations.height,
        by="station",
    )
    found_there = _touching(store, asked, stations)
    expected = asked.hours * 4 * stations.height

    def compute(trusted: bool) -> dict[str, Any]:
        with store.frames() as url:
            read = read_corridor(
                url, corridor, start=asked.start, end=asked.end, trusted=trusted
            )
        # where nobody passed there was no speed to observe
        told = pl.col("speed_kmh").is_not_null() | (pl.col("flow") == 0)
        return figures(_Road(corridor, read.intervals, read.free)) | {
            "passport": _passport(
                read.intervals.filter(told).height,
                expected,
                METHOD,
                found_there,
                excluded=read.excluded,
                suspected=0.0 if trusted else share,
            )
        }

    return {"corridor": corridor["key"]} | _of_period(
        corridor, asked, compute, suspects
    )


def _of_period(
    of: dict[str, Any],
    asked: Period,
    compute: Callable[[bool], dict[str, Any]],
    suspects: pl.DataFrame,
) -> dict[str, Any]:
    """Put an answer together; without `suspects`, too, where any are."""
    found, without = suspected.both(compute, suspects)
    return {
        "simulated": of["simulated"],
        "from_": asked.start,
        "to": asked.end,
        **found,
        "without_suspected": without,
    }


def _touching(store: Database, asked: Period, places: pl.DataFrame) -> Touching:
    """Find what touches directions of sites."""
    with store.connection() as connection:
        return touching(
            connection,
            [
                (site_id, "motor", direction)
                for site_id, direction in places.select(
                    "site_id", "direction"
                ).iter_rows()
            ],
            start=asked.start,
            end=asked.end,
        )


def _balances(
    store: Database,
    of: dict[str, Any],
    asked: Period,
    places: list[tuple[str, int, str, int]],
) -> dict[str, Any]:
    signed = pl.DataFrame(
        places,
        schema={
            "balance": pl.String,
            "site_id": pl.Int32,
            "direction": pl.String,
            "sign": pl.Int32,
        },
        orient="row",
    ).with_columns(places=pl.len().over("balance").cast(pl.Int32))
    with store.connection() as connection:
        suspects = of_places(connection, signed, start=asked.start, end=asked.end)
    count = signed["balance"].n_unique()
    share = suspected.share(
        suspects, start=asked.start, end=asked.end, channels=count, by="balance"
    )
    found_there = _touching(store, asked, signed)

    def compute(trusted: bool) -> dict[str, Any]:
        with store.frames() as url:
            read = read_volumes_of_sites(
                url,
                site_ids=signed["site_id"].unique().sort().to_list(),
                start=asked.start,
                end=asked.end,
                interval_s=HOUR_S,
                trusted=trusted,
            )
        volumes = read.join(signed, on=["site_id", "direction"])
        excluded = volumes.filter(pl.col("excluded") > 0).select("balance", "time")
        found = residuals(
            volumes.filter(pl.col("least_observed") >= ENOUGH_OBSERVED).with_columns(
                volume=pl.col("volume") / pl.col("observed")
            )
        )
        return {
            "balances": balances(found).to_dicts(),
            "passport": _passport(
                found.height,
                asked.hours * count,
                BALANCE_METHOD,
                found_there,
                excluded=excluded.n_unique(),
                suspected=0.0 if trusted else share,
            ),
            "residuals": found.filter(pl.col("z").abs() > NOTABLE_Z).to_dicts(),
        }

    return _of_period(of, asked, compute, suspects)
