"""`/corridors` and `/junctions`: traffic between the sites of a road."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Generic, NamedTuple, TypeVar

from fastapi import APIRouter, Depends

from analytics.reports import corridors as reports
from analytics.reports.periods import Period, period
from analytics.sections.reliability import MIN_DAYS, MIN_DAYS_FOR_95
from api import PREFIX
from api.database import Seen
from api.parameters import From, MunicipalityKey, OfMunicipality, Store, To, key_of
from api.problems import READ_RESPONSES
from api.schemas import sections as schemas
from verkehrspuls.storage import corridors, known
from verkehrspuls.storage.corridors import Corridor, Junction

router = APIRouter(prefix=PREFIX, tags=["figures"])
ORDER: Final = 70

CorridorKey = Annotated[str, key_of("corridor", example="nordtangente-ost")]
JunctionKey = Annotated[str, key_of("junction", example="mainzer-tor")]
Figures = TypeVar("Figures")
Place = TypeVar("Place", Corridor, Junction)


class Asked(NamedTuple, Generic[Place]):
    """A corridor or junction as registered, and the period asked for."""

    place: Place
    period: Period


def _corridor(*, days: int, longest: int) -> Any:
    """Depend on the corridor and the period of a request.

    `days` is the length of a period that has no start, `longest` the maximum.
    """

    def asked(
        store: Store,
        municipality: MunicipalityKey,
        corridor: CorridorKey,
        from_: From = None,
        to: To = None,
    ) -> Asked[Corridor]:
        found = reports.find_corridor(store, municipality, corridor)
        return Asked(found, _period(found, from_, to, days=days, longest=longest))

    return Depends(asked)


def _junction(
    store: Store,
    municipality: MunicipalityKey,
    junction: JunctionKey,
    from_: From = None,
    to: To = None,
) -> Asked[Junction]:
    found = reports.find_junction(store, municipality, junction)
    return Asked(found, _period(found, from_, to, days=28, longest=366))


@router.get(
    "/corridors",
    summary="List corridors",
    response_model=schemas.Corridors,
    responses=READ_RESPONSES,
)
def list_corridors(store: Store, municipality: OfMunicipality = None) -> dict[str, Any]:
    """List corridors with their stations in the order of travel."""
    return {"corridors": _listed(store, municipality, corridors.list_corridors)}


@router.get(
    "/corridors/{municipality}/{corridor}/travel-times",
    summary="Travel times and delays",
    response_model=schemas.TravelTimes,
    responses=READ_RESPONSES,
)
def read_travel_times(
    store: Store, asked: Annotated[Asked[Corridor], _corridor(days=7, longest=62)]
) -> dict[str, Any]:
    """Return travel times by the quarter-hour, from spot speeds, and delays.

    The default is the last seven days, the maximum is 62 days.
    """
    return _of_corridor(
        reports.travel_times(store, *asked),
        lambda figures: {
            "free_speeds": figures.free_speeds,
            "corridor_intervals": figures.intervals,
            "delays": figures.delays,
        },
    )


@router.get(
    "/corridors/{municipality}/{corridor}/reliability",
    summary="Reliability of travel times",
    response_model=schemas.Reliability,
    responses=READ_RESPONSES,
)
def read_reliability(
    store: Store, asked: Annotated[Asked[Corridor], _corridor(days=35, longest=366)]
) -> dict[str, Any]:
    """Compare the same time of day over the workdays of a period.

    Workdays are Mondays to Fridays that are not public holidays.

    The default is the last 35 days, the maximum is 366 days.
    """
    report = reports.reliability_of(store, *asked)
    return _of_corridor(report, lambda rows: {"reliability": rows}) | {
        "days_required": MIN_DAYS,
        "days_required_p95": MIN_DAYS_FOR_95,
    }


@router.get(
    "/corridors/{municipality}/{corridor}/bottlenecks",
    summary="Bottlenecks",
    response_model=schemas.Bottlenecks,
    responses=READ_RESPONSES,
)
def read_bottlenecks(
    store: Store, asked: Annotated[Asked[Corridor], _corridor(days=7, longest=62)]
) -> dict[str, Any]:
    """Find where slow traffic became free again, five of seven quarter-hours long.

    The default is the last seven days, the maximum is 62 days.
    """
    report = reports.bottlenecks_of(store, *asked)
    return _of_corridor(report, lambda rows: {"bottlenecks": rows})


@router.get(
    "/corridors/{municipality}/{corridor}/speed-field",
    summary="Speed in space and time",
    response_model=schemas.SpeedField,
    responses=READ_RESPONSES,
)
def read_speed_field(
    store: Store, asked: Annotated[Asked[Corridor], _corridor(days=1, longest=2)]
) -> dict[str, Any]:
    """Smooth speeds to a field: every 100 m, every quarter-hour.

    The default is the last day, the maximum is two days.
    """
    report = reports.speed_field_of(store, *asked)
    return _of_corridor(report, lambda rows: {"cells": rows}) | {
        "step_m": reports.STEP_M
    }


@router.get(
    "/corridors/{municipality}/{corridor}/balance",
    summary="Conservation of flow along a road",
    response_model=schemas.Balances,
    responses=READ_RESPONSES,
)
def read_corridor_balance(
    store: Store, asked: Annotated[Asked[Corridor], _corridor(days=28, longest=366)]
) -> dict[str, Any]:
    """Compare the volumes of consecutive stations, by the hour.

    Junctions between two stations appear as a bias. The default is the last 28 days,
    the maximum is 366 days.
    """
    return _answer(reports.balance_of_corridor(store, *asked), _balances)


@router.get(
    "/junctions",
    summary="List junctions",
    response_model=schemas.Junctions,
    responses=READ_RESPONSES,
)
def list_junctions(store: Store, municipality: OfMunicipality = None) -> dict[str, Any]:
    """List junctions with their ways in and out."""
    return {"junctions": _listed(store, municipality, corridors.list_junctions)}


@router.get(
    "/junctions/{municipality}/{junction}/balance",
    summary="Conservation of flow at a junction",
    response_model=schemas.Balances,
    responses=READ_RESPONSES,
)
def read_junction_balance(
    store: Store, asked: Annotated[Asked[Junction], Depends(_junction)]
) -> dict[str, Any]:
    """Compare the traffic entering and leaving a junction, by the hour.

    The default is the last 28 days, the maximum is 366 days.
    """
    return _answer(reports.balance_of_junction(store, *asked), _balances)


def _listed(
    store: Seen, municipality: str | None, read: Callable[..., list[Place]]
) -> list[Place]:
    """List places; refuse a municipality that is not known."""
    with store.connection() as connection:
        found = read(connection, municipality=municipality)
        if not found:
            known.require(connection, municipality)
    return found


def _period(
    place: Corridor | Junction, from_: From, to: To, *, days: int, longest: int
) -> Period:
    now = datetime.now(UTC)
    return period(place.time_zone, from_, to, now=now, days=days).at_most(longest)


def _balances(figures: reports.Balances) -> dict[str, Any]:
    return {
        "balances": figures.balances,
        "residuals": figures.notable,
    }


def _of_corridor(
    report: reports.Report[Figures], arranged: Callable[[Figures], dict[str, Any]]
) -> dict[str, Any]:
    return {"corridor": report.of.key} | _answer(report, arranged)


def _answer(
    report: reports.Report[Figures], arranged: Callable[[Figures], dict[str, Any]]
) -> dict[str, Any]:
    """Arrange a report; without what is suspected, too, where anything is."""

    def body_of(figures: reports.WithPassport[Figures]) -> dict[str, Any]:
        return arranged(figures.figures) | {"passport": figures.passport}

    without = report.without_suspected
    return {
        "simulated": report.of.simulated,
        "from_": report.period.start,
        "to": report.period.end,
        **body_of(report.found),
        "without_suspected": without and body_of(without),
    }
