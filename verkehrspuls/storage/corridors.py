"""Corridors and junctions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from verkehrspuls.storage.database import Connection, read_records


@dataclass(frozen=True, slots=True)
class Station:
    """A direction of a site, at its position on a corridor."""

    #: number in the direction of travel
    station: int
    site_id: int
    site: str
    site_name: str
    direction: str
    chainage_m: float
    speed_limit_kmh: int | None


@dataclass(frozen=True, slots=True)
class Corridor:
    """One direction of travel along a road."""

    corridor_id: int
    key: str
    name: str
    municipality: str
    state: str
    time_zone: str
    simulated: bool
    #: in the direction of travel
    stations: tuple[Station, ...]


@dataclass(frozen=True, slots=True)
class Arm:
    """A direction of a site that leads into or out of a junction."""

    site_id: int
    site: str
    site_name: str
    direction: str
    leads: Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class Junction:
    """A junction at which all ways in and out are counted."""

    junction_id: int
    key: str
    name: str
    municipality: str
    time_zone: str
    simulated: bool
    arms: tuple[Arm, ...]


def list_corridors(
    connection: Connection,
    *,
    municipality: str | None = None,
    corridor: str | None = None,
) -> list[Corridor]:
    """List corridors."""
    return read_records(
        connection,
        _corridor,
        "list_corridors",
        municipality=municipality,
        corridor=corridor,
    )


def list_junctions(
    connection: Connection,
    *,
    municipality: str | None = None,
    junction: str | None = None,
) -> list[Junction]:
    """List junctions."""
    return read_records(
        connection,
        _junction,
        "list_junctions",
        municipality=municipality,
        junction=junction,
    )


def _corridor(*, stations: Sequence[Mapping[str, Any]], **row: Any) -> Corridor:
    return Corridor(stations=tuple(Station(**each) for each in stations), **row)


def _junction(*, arms: Sequence[Mapping[str, Any]], **row: Any) -> Junction:
    return Junction(arms=tuple(Arm(**each) for each in arms), **row)
