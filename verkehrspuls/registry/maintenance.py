"""The maintenance log: what is done at sites and with sensors, with photographs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal, NoReturn, get_args

from msgspec import Meta, Struct, structs

from verkehrspuls.errors import BadParameter, UnknownKey
from verkehrspuls.model import CONTROLS, Key, Since
from verkehrspuls.registry.edit import require
from verkehrspuls.registry.photographs import prepared
from verkehrspuls.storage.database import Connection, execute, read_records
from verkehrspuls.text import mark

Work = Literal[
    "inspection", "cleaning", "repair", "alignment", "battery", "firmware", "other"
]
#: kinds of what is done, in words
WORKS: Final[Mapping[str, str]] = {
    "inspection": mark("inspection"),
    "cleaning": mark("cleaning"),
    "repair": mark("repair"),
    "alignment": mark("alignment"),
    "battery": mark("change of the battery"),
    "firmware": mark("new firmware"),
    "other": mark("something else"),
}
#: of one entry
MAX_PHOTOGRAPHS: Final = 20
#: of text to display, with line breaks
_CONTROLS: Final = CONTROLS.replace("\0-\x1f", "\0-\x09\x0b-\x1f")

assert set(get_args(Work)) == set(WORKS)  # noqa: S101 - one set of keys


class Maintenance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was done at a site, or with a sensor."""

    site: Key | None = None
    sensor: Key | None = None
    done_at: Since
    kind: Work = "inspection"
    note: Annotated[str, Meta(pattern=rf"^[^{_CONTROLS}]*\Z", max_length=2000)] = ""
    #: local day of the next maintenance
    due_on: date | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the log."""

    number: int
    site: str | None
    sensor: str | None
    done_at: datetime
    kind: Work
    note: str
    due_on: date | None
    noted_at: datetime
    noted_by: str
    #: numbers of its photographs
    photographs: Sequence[int]


_YEARS: Final = range(1971, 2199)
_PLACE: Final = mark("name a site, or a sensor")
_YEAR: Final = mark("the year is from 1971 to 2198")
_MANY: Final = mark("an entry has at most 20 photographs; add another entry")


def entries(
    connection: Connection,
    municipality: str,
    *,
    site: str | None = None,
    sensor: str | None = None,
    limit: int = 100,
    skip: int = 0,
) -> list[Entry]:
    """List the log of a municipality, a site or a sensor, the newest entry first."""
    require(connection, municipality)
    which = {"site": site, "sensor": sensor, "limit": limit, "skip": skip}
    return _entries(connection, municipality, **which)


def entry(connection: Connection, municipality: str, number: int) -> Entry:
    """Return one entry of the log."""
    require(connection, municipality)
    found = _entries(connection, municipality, number=number)
    if not found:
        _nothing("maintenance", municipality, number)
    return found[0]


def due(connection: Connection, municipality: str) -> dict[str, date]:
    """Return the day of the next maintenance of each sensor that has one."""
    rows = execute(connection, "maintenance_due", municipality=municipality)
    return {row["sensor"]: row["due_on"] for row in rows}


def add(connection: Connection, municipality: str, done: Maintenance) -> int:
    """Note what was done, within the transaction; return the number of the entry."""
    require(connection, municipality)
    _check(done)
    if (done.site is None) == (done.sensor is None):
        raise BadParameter(parameter="site", detail=_PLACE)
    fields = structs.asdict(done)
    row = _row(connection, "add_maintenance", municipality, **fields)
    if row is None:
        kind = "site" if done.site else "sensor"
        _nothing(kind, municipality, done.site or done.sensor)
    return int(row["maintenance_id"])


def change(
    connection: Connection, municipality: str, number: int, done: Maintenance
) -> None:
    """Correct an entry, within the transaction; it stays at its site or sensor."""
    require(connection, municipality)
    _check(done)
    fields = structs.asdict(done)
    if not _row(
        connection, "change_maintenance", municipality, number=number, **fields
    ):
        _nothing("maintenance", municipality, number)


def remove(connection: Connection, municipality: str, number: int) -> None:
    """Remove an entry with its photographs; the audit log keeps what it said."""
    require(connection, municipality)
    if not _row(connection, "remove_maintenance", municipality, number=number):
        _nothing("maintenance", municipality, number)


def add_photograph(
    connection: Connection, municipality: str, number: int, data: bytes
) -> int:
    """Add a photograph to an entry, without its metadata; return its number."""
    if len(entry(connection, municipality, number).photographs) >= MAX_PHOTOGRAPHS:
        raise BadParameter(parameter="photographs", detail=_MANY)
    fields = {"number": number, **prepared(data)._asdict()}
    row = _row(connection, "add_photograph", municipality, **fields)
    if row is None:
        _nothing("maintenance", municipality, number)
    return int(row["photograph_id"])


def photograph(connection: Connection, municipality: str, number: int) -> bytes:
    """Return a photograph, as JPEG."""
    require(connection, municipality)
    row = _row(connection, "read_photograph", municipality, photograph=number)
    if row is None:
        _nothing("photograph", municipality, number)
    return bytes(row["image"])


def remove_photograph(connection: Connection, municipality: str, number: int) -> None:
    """Remove a photograph."""
    require(connection, municipality)
    if not _row(connection, "remove_photograph", municipality, photograph=number):
        _nothing("photograph", municipality, number)


def _check(done: Maintenance) -> None:
    for name in ("done_at", "due_on"):
        day = getattr(done, name)
        if day is not None and day.year not in _YEARS:
            raise BadParameter(parameter=name, detail=_YEAR)


def _entries(
    connection: Connection, municipality: str, **chosen: str | int | None
) -> list[Entry]:
    usual = {"site": None, "sensor": None, "number": None, "limit": 1, "skip": 0}
    where = {"municipality": municipality, **usual, **chosen}
    return read_records(connection, Entry, "list_maintenance", **where)


def _row(
    connection: Connection, query: str, municipality: str, **fields: Any
) -> dict[str, Any] | None:
    """Run a query that answers with one row; None where there is nothing of it."""
    row: dict[str, Any] | None = execute(
        connection, query, municipality=municipality, **fields
    ).fetchone()
    return row


def _nothing(kind: str, municipality: str, key: object) -> NoReturn:
    raise UnknownKey(kind=kind, key=f"{municipality}/{key}")
