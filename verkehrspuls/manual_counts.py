"""Records of manual counts: what a person counts at a site, beside its sensors."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from verkehrspuls.classes import COUNTS, SCHEMES, VOLUME_CLASSES
from verkehrspuls.model import Since


class Tap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A vehicle of a manual count, or several of a tally."""

    #: chosen by who counts; the same one counts once
    id: UUID
    at: Since
    #: one of `quantities.COUNTED`
    quantity: str = "motor"
    #: key of the direction; empty where there is none
    direction: Annotated[str, Meta(pattern=r"^[a-z0-9-]{0,64}\Z")] = ""
    vehicle: str = "car"
    #: 0: it was undone
    vehicles: Annotated[int, Meta(ge=0, le=10_000)] = 1
    #: of what was said of it, the greatest one counts
    revision: Annotated[int, Meta(ge=0, le=30_000)] = 0


@dataclass(frozen=True, slots=True)
class Way:
    """A direction of a quantity at a site, as it is counted."""

    quantity: str
    direction: str
    name: str
    channels: list[int]
    schemes: list[str]

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that one of its sensors tells apart, in the order of `COUNTS`."""
        return self._in_order(set().union(*self._known))

    @property
    def common_classes(self) -> tuple[str, ...]:
        """The classes that all of its sensors tell apart."""
        return self._in_order(set.intersection(*self._known) if self.schemes else set())

    @property
    def _known(self) -> list[set[str]]:
        return [set(SCHEMES.get(scheme, ())) for scheme in self.schemes]

    def _in_order(self, known: set[str]) -> tuple[str, ...]:
        possible = known & set(VOLUME_CLASSES[self.quantity])
        return tuple(name for name in COUNTS if name in possible)


@dataclass(frozen=True, slots=True)
class Device:
    """A sensor beside which is counted."""

    key: str
    name: str
    model: str
    serial: str
    firmware: str


@dataclass(frozen=True, slots=True)
class ManualCount:
    """A manual count at a site."""

    number: int
    municipality: str
    site_id: int
    site: str
    site_name: str
    time_zone: str
    began: datetime
    ended: datetime | None
    counted_by: str
    note: str
    #: None: not decided
    accepted: bool | None
    decided_at: datetime | None
    decided_by: str
    remark: str
    #: the comparison on which was decided
    result: Any
