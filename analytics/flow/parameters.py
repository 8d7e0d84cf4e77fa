"""Car units and level-of-service profiles: parameters that a town can replace."""

from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from verkehrspuls import wording
from verkehrspuls.errors import BadFile
from verkehrspuls.files import parse_toml, read_text

SHIPPED: Final = Path(__file__).with_name("parameters.toml")


class CarUnits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Car units of a vehicle of each class."""

    source: str
    units: dict[str, Annotated[float, Meta(gt=0)]]


class ServiceProfile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The measure of the level of service, and the ends of levels A to E."""

    name: str
    source: str
    measure: Literal["utilisation", "density", "speed_index"]
    bounds: tuple[float, float, float, float, float]
    #: vehicles/h
    capacity_per_lane: Annotated[float, Meta(gt=0)]


class Parameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of the file, by key."""

    car_units: dict[str, CarUnits]
    service: dict[str, ServiceProfile]


@cache
def load(path: Path | None = None) -> Parameters:
    """Load the file; None: the shipped one."""
    path = path or SHIPPED
    try:
        document = parse_toml(read_text(path, format="TOML"))
    except (RecursionError, ValueError) as error:
        raise BadFile(path=path, format="TOML", reason=error) from error
    try:
        return msgspec.convert(document, Parameters)
    except msgspec.ValidationError as error:
        reason = wording.explain(error, document, Parameters).in_english()
        raise BadFile(path=path, format="TOML", reason=reason) from error
