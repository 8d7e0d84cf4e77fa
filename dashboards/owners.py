"""The owners of a page's data: who simulates it, and their imprint and contact."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from verkehrspuls.settings import Pages
from verkehrspuls.storage.sites import Municipality, Site
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


def owners(towns: Iterable[Municipality | Site], settings: Pages) -> Owners:
    """Return the owners of a page's data; from towns, or sites of them.

    The addresses are those of a single shown town, else those of the operator.
    """
    by_key = {_town(town)[0]: town for town in towns}
    simulated = [_town(town)[1] for town in by_key.values() if town.simulated]
    single = next(iter(by_key.values())) if len(by_key) == 1 else None
    found = (
        (name, getattr(single, key, "") or getattr(settings, key))
        for key, name in LINKS.items()
    )
    return Owners(
        simulated=simulated,
        mixed=0 < len(simulated) < len(by_key),
        links=[(name, address) for name, address in found if address],
    )


def _town(town: Municipality | Site) -> tuple[str, str]:
    """Return key and name of a town, or of the town of a site."""
    if isinstance(town, Site):
        return town.municipality, town.municipality_name
    return town.key, town.name
