"""Register what a file contains, or say what it would change."""

from typing import Final, NamedTuple

from verkehrspuls.model import Town
from verkehrspuls.registry.edit import edit
from verkehrspuls.registry.faults import Faulty
from verkehrspuls.registry.files import load
from verkehrspuls.registry.files.record import Content, FaultyFile
from verkehrspuls.registry.registration import Change, overlay
from verkehrspuls.storage.database import Connection
from verkehrspuls.text import mark
from verkehrspuls.wording import Phrase

_OTHER: Final = mark("it is the registration of {}, not of {}")


class Imported(NamedTuple):
    """What a file contains, and the entries that it changes."""

    town: Town
    changes: list[Change]


def import_content(
    connection: Connection, found: Content, municipality: str, *, dry_run: bool = False
) -> Imported:
    """Register the content of a file within the transaction: all of it, or nothing.

    Entries that it does not name stay; a sensor's installations and a corridor's
    stations are replaced as a whole. Raise `FaultyFile` with all problems.
    """
    key = load.municipality_of(found, municipality)
    if key != municipality:
        found.add(("key",), Phrase(_OTHER, (key, municipality)))
        raise FaultyFile(found.problems)
    towns: list[Town] = []

    def become(before: Town | None) -> Town:
        town = load.town_of(found, before)
        towns.append(town)
        return overlay(before, town) if before else town

    try:
        changes = edit(connection, municipality, become, dry_run=dry_run)
    except Faulty as error:
        raise load.in_place(found, towns[0], error.faults) from error
    return Imported(towns[0], changes)
