"""Whose data a page shows: real or simulated, and who answers for it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from verkehrspuls.settings import Pages
from verkehrspuls.text import mark

#: What a town registers, or the operator sets for all, by its name to show.
LINKS: Final = {
    "imprint": mark("Imprint"),
    "privacy": mark("Privacy"),
    "contact": mark("Contact"),
}


@dataclass(frozen=True, slots=True)
class Owners:
    """The towns of a page."""

    #: names of those whose data is simulated
    simulated: Sequence[str]
    #: others are shown beside them
    mixed: bool
    #: (name, address); what is registered nowhere is left out
    links: Sequence[tuple[str, str]]


def owners(towns: Iterable[Mapping[str, Any]], settings: Pages) -> Owners:
    """Tell of the towns that a page shows; rows of towns, or of sites.

    The addresses are those of a town that is shown alone, else those of the operator.
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
