"""Municipalities and sites, as pages, API and exports read them.

What of a registration cannot be used is left out here, and named.
"""

from collections.abc import Sequence
from typing import NamedTuple

from verkehrspuls import places
from verkehrspuls.errors import UnknownKey
from verkehrspuls.quantities import QUANTITIES
from verkehrspuls.storage.database import Connection, Row, execute
from verkehrspuls.storage.sensors import list_sensors
from verkehrspuls.storage.visibility import PUBLIC
from verkehrspuls.text import mark, translate


class Fault(NamedTuple):
    """A part of a site's registration that cannot be used, with its value."""

    text: str
    value: str

    def in_language(self, language: str) -> str:
        """Return the text in a language, with the value."""
        return translate(self.text, language) % {"value": self.value}


def list_municipalities(
    connection: Connection, *, visible: Sequence[str] = PUBLIC
) -> list[Row]:
    """List municipalities that have a visible site, by name."""
    rows = execute(connection, "list_municipalities", visible=list(visible))
    return [_placed(row) for row in rows]


def list_sites(
    connection: Connection,
    *,
    municipality: str | None = None,
    heard: bool = True,
    visible: Sequence[str] = PUBLIC,
) -> list[Row]:
    """List sites with their channels, by names of municipality and site.

    Without `heard` nothing of messages and readings is looked up. With it
    `last_received_at` is when the newest message of any of a site's sensors came; null
    where none ever did. `last_messages`: what became of those of its last hour, `used`
    (one at least), `rejected` (all), or `imported` from a file. `newest_reading_at` is
    when the newest of its readings was measured, whenever it came. `faults`: what of
    its registration cannot be used and is left out, so that nobody stumbles over it.
    """
    rows = execute(
        connection,
        "list_sites",
        municipality=municipality,
        site=None,
        heard=heard,
        visible=list(visible),
    )
    found = [_usable(row) for row in rows]
    by_town: dict[str, list[Row]] = {}
    for row in found:
        if row["latitude"] is not None:
            by_town.setdefault(row["municipality"], []).append(row)
    for town in by_town.values():
        _leave_out_astray(town)
    return found


def read_site(
    connection: Connection,
    municipality: str,
    site: str,
    *,
    visible: Sequence[str] = PUBLIC,
) -> Row:
    """Find a site; like one of `list_sites`, and with its `sensors`."""
    seen = list(visible)
    row: Row | None = execute(
        connection,
        "list_sites",
        municipality=municipality,
        site=site,
        heard=True,
        visible=seen,
    ).fetchone()
    if row is None:
        raise UnknownKey(kind="site", key=f"{municipality}/{site}")
    return _usable(row) | {
        "sensors": list_sensors(
            connection, municipality=municipality, site=site, visible=seen
        )
    }


def _usable(row: Row) -> Row:
    """Leave out what of a site's registration cannot be used, and say so."""
    unknown = {c["quantity"] for c in row["channels"]} - QUANTITIES.keys()
    faults = [
        Fault(mark("It measures “%(value)s”, which is not known here."), quantity)
        for quantity in sorted(unknown)
    ]
    usable = _placed(row)
    if usable is not row:
        place = f"{row['latitude']:g}, {row['longitude']:g}"
        text = mark("Its coordinates (%(value)s) do not lie in Germany.")
        faults.append(Fault(text, place))
    usable["faults"] = faults
    if unknown:
        usable["channels"] = [
            c for c in row["channels"] if c["quantity"] not in unknown
        ]
    return usable


def _leave_out_astray(town: Sequence[Row]) -> None:
    """Leave out coordinates far from a municipality's other sites, and say so."""
    known = [(row["latitude"], row["longitude"]) for row in town]
    its_own = town[0]["town_latitude"], town[0]["town_longitude"]
    told = [its_own] if None not in its_own and places.is_plausible(*its_own) else []
    middle = places.middle([*known, *told])
    for row, place in zip(town, known, strict=True):
        if places.are_far(place, middle):
            text = mark("Its coordinates (%(value)s) lie far from all other sites.")
            fault = Fault(text, f"{place[0]:g}, {place[1]:g}")
            row |= {
                "latitude": None,
                "longitude": None,
                "faults": [*row["faults"], fault],
            }


def _placed(row: Row) -> Row:
    """Leave out coordinates that cannot be those of a German town."""
    if row["latitude"] is None or places.is_plausible(
        row["latitude"], row["longitude"] or 0.0
    ):
        return row
    return row | {"latitude": None, "longitude": None}
