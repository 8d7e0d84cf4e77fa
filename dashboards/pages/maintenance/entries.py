"""Entries of the maintenance log in words."""

from collections.abc import Sequence
from typing import NamedTuple

from dashboards import addresses
from verkehrspuls.language import Language
from verkehrspuls.model import Town
from verkehrspuls.registry.maintenance import WORKS, Entry


class Shown(NamedTuple):
    """An entry in the list."""

    number: int
    title: str
    note: str
    due: str
    by: str
    #: number and address
    photographs: Sequence[tuple[int, str]]


def shown(town: Town, entry: Entry, language: Language) -> Shown:
    """Return an entry in words."""
    work = language.phrase(WORKS[entry.kind])
    return Shown(
        entry.number,
        f"{language.moment(entry.done_at, town.time_zone)}: {work}",
        entry.note,
        language.day(entry.due_on) if entry.due_on else "",
        entry.noted_by,
        [
            (each, addresses.photograph(language.key, town.key, each))
            for each in entry.photographs
        ],
    )
