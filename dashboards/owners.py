"""The owner of a page's data: real or simulated, and responsible addresses."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from verkehrspuls.settings import Pages
from verkehrspuls.text import mark

#: Addresses registered by a town, or set by the operator for all, by name for display.
LINKS: Final = {
    "imprint": mark("Imprint"),
    "privacy": mark("Privacy"),
    "contact": mark("Contact"),
}


@dataclass(frozen=True, slots=True)
class Owners:
    """The towns of a page."""

    #: names of those with simulated data
    simulated: Sequence[str]
    #: whether others are shown beside them
    mixed: bool
    #: (name, address); only registered ones
    links: Sequence[tuple[str, str]]


def owners(towns: Iterable[Mapping[str, Any]], settings: Pages) -> Owners:
    """Return the owners of a page's data; from rows of towns, or of sites.

    The addresses are those of a single shown town, else those of the operator.
    """
    by_key = {town.get("municipality", town["key"]): town for town in towns}
    simulated = [_name(town) for town in by_key.values() if town["simulated"]]
    of = next(iter(by_key.values())) if len(by_key) == 1 else {}
    found = (
        (name, of.get(key) or getattr(settings, key)) for key, name in LINKS.items()
    )
    return Owners(
        simulated=simulated,
        mixed=0 < len(simulated) < len(by_key),
        links=[(name, address) for name, address in found if address],
    )


def _name(town: Mapping[str, Any]) -> str:
    return str(town.get("municipality_name", town["name"]))
