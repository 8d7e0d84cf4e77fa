"""`/corridors` and `/junctions`: what happens between the sites of a road."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import polars as pl
from fastapi import APIRouter, Path

from analytics.passport import Passport
from analytics.sections.bottlenecks import bottlenecks
from analytics.sections.conservation import balances, residuals
from analytics.sections.reliability import FEWEST_DAYS, reliability
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
from api import sections_schemas as schemas
from api.corridors import QUARTER_S, on_workdays, read_corridor
from api.database import Database
from api.parameters import From, MunicipalityKey, OfMunicipality, Store, To
from api.periods import Period, period
from api.problems import RESPONSES
from verkehrspuls.errors import UnknownKey
from verkehrspuls.storage import series

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
    period: Period
    intervals: pl.DataFrame
    free: pl.DataFrame
    excluded: int
    cases: tuple[int, ...]

    def answer(self, **parts: object) -> dict[str, Any]:
        """Put an answer together."""
        expected = self.period.hours * 4 * len(self.corridor["stations"])
        # where nobody passed there was no speed to observe
        told = pl.col("speed_kmh").is_not_null() | (pl.col("flow") == 0)
        known = self.intervals.filter(told).height
        return {
            "corridor": self.corridor["key"],
            "from_": self.period.start,
            "to": self.period.end,
            "passport": _passport(
                known, expected, METHOD, self.cases, excluded=self.excluded
            ),
            **parts,
        }


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
        return {"corridors": series.corridors(connection, municipality=municipality)}


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
    road = _road(store, municipality, corridor, from_, to, days=7, longest=62)
    sections = section_intervals(road.intervals, road.free)
    count = len(road.corridor["stations"]) - 1
    return road.answer(
        free_speeds=road.free.to_dicts(),
        corridor_intervals=corridor_intervals(sections, count=count).to_dicts(),
        delays=delays(sections, interval_s=QUARTER_S).to_dicts(),
    )


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

    The default is the last 28 days, at most 366 come at once.
    """
    road = _road(store, municipality, corridor, from_, to, days=28, longest=366)
    count = len(road.corridor["stations"]) - 1
    times = corridor_intervals(
        section_intervals(road.intervals, road.free), count=count
    )
    found = reliability(
        on_workdays(times, road.corridor), time_zone=road.corridor["time_zone"]
    )
    return road.answer(days_required=FEWEST_DAYS, reliability=found.to_dicts())


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
    road = _road(store, municipality, corridor, from_, to, days=7, longest=62)
    found = bottlenecks(road.intervals, road.free, interval_s=QUARTER_S)
    return road.answer(bottlenecks=found.to_dicts())


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
    road = _road(store, municipality, corridor, from_, to, days=1, longest=2)
    field = speed_field(road.intervals, interval_s=QUARTER_S, step_m=STEP_M)
    return road.answer(step_m=STEP_M, cells=field.to_dicts())


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
    return _balances(store, asked, places)


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
        return {"junctions": series.junctions(connection, municipality=municipality)}


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
        rows = series.junctions(
            connection, municipality=municipality, junction=junction
        )
    if not rows:
        raise UnknownKey(kind="junction", key=f"{municipality}/{junction}")
    places = [
        (junction, arm["site_id"], arm["direction"], 1 if arm["leads"] == "in" else -1)
        for arm in rows[0]["arms"]
    ]
    return _balances(store, _period(rows[0], from_, to, days=28, longest=366), places)


def _passport(
    known: int, expected: int, method: str, cases: tuple[int, ...], *, excluded: int
) -> dict[str, Any]:
    return asdict(
        Passport(
            observed=min(1.0, known / max(1, expected)),
            normalised=0.0,
            imputed=0.0,
            excluded=min(1.0, excluded / max(1, expected)),
            method=method,
            cases=cases,
        )
    )


def _corridor(store: Database, municipality: str, corridor: str) -> dict[str, Any]:
    with store.connection() as connection:
        rows = series.corridors(
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


def _road(
    store: Database,
    municipality: str,
    corridor: str,
    from_: From,
    to: To,
    *,
    days: int,
    longest: int,
) -> _Road:
    found = _corridor(store, municipality, corridor)
    asked = _period(found, from_, to, days=days, longest=longest)
    with store.frames() as url:
        read = read_corridor(url, found, start=asked.start, end=asked.end)
    places = [(s["site_id"], s["direction"]) for s in found["stations"]]
    cases = _cases(store, asked, places)
    return _Road(found, asked, read.intervals, read.free, read.excluded, cases)


def _cases(
    store: Database, asked: Period, places: Iterable[tuple[int, str]]
) -> tuple[int, ...]:
    """Find the open cases that touch directions of sites."""
    with store.connection() as connection:
        return series.open_cases(
            connection,
            [(site_id, "motor", direction) for site_id, direction in places],
            start=asked.start,
            end=asked.end,
        )


def _volumes(
    store: Database, asked: Period, site_ids: list[int], interval_s: Literal[900, 3600]
) -> pl.DataFrame:
    with store.frames() as url:
        return series.volumes_of_sites(
            url,
            site_ids=sorted(set(site_ids)),
            start=asked.start,
            end=asked.end,
            interval_s=interval_s,
        )


def _balances(
    store: Database, asked: Period, places: list[tuple[str, int, str, int]]
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
    volumes = _volumes(store, asked, signed["site_id"].to_list(), HOUR_S).join(
        signed, on=["site_id", "direction"]
    )
    excluded = volumes.filter(pl.col("excluded") > 0).select("balance", "time")
    found = residuals(
        volumes.filter(pl.col("least_observed") >= ENOUGH_OBSERVED).with_columns(
            volume=pl.col("volume") / pl.col("observed")
        )
    )
    return {
        "from_": asked.start,
        "to": asked.end,
        "balances": balances(found).to_dicts(),
        "passport": _passport(
            found.height,
            asked.hours * signed["balance"].n_unique(),
            BALANCE_METHOD,
            _cases(store, asked, signed.select("site_id", "direction").iter_rows()),
            excluded=excluded.n_unique(),
        ),
        "residuals": found.filter(pl.col("z").abs() > NOTABLE_Z).to_dicts(),
    }
