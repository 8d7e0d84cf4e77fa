"""School holidays of states and local events of municipalities.

Local days, `first` to `last`, both included. Files are CSV, separated by comma or
semicolon, with a heading line.
"""

import csv
from collections.abc import Sequence
from datetime import date
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from verkehrspuls.errors import BadFile, UnknownKey, UsageError
from verkehrspuls.storage.database import Connection, execute

Row = dict[str, Any]

_HOLIDAYS: Final = ("state", "name", "first", "last", "source")
_EVENTS: Final = ("municipality", "site", "name", "first", "last", "note")


def school_holidays(connection: Connection) -> list[Row]:
    """List the school holidays that apply, by state and day.

    Of a state for which some were imported those alone; else what the program brings.
    """
    imported = execute(connection, "imported_school_holidays").fetchall()
    states = {row["state"] for row in imported}
    return imported + [row for row in shipped() if row["state"] not in states]


def shipped() -> list[Row]:
    """List the school holidays that come with the program."""
    text = (resources.files("verkehrspuls") / "school_holidays.csv").read_text("utf-8")
    return _parse(text, _HOLIDAYS)


def load_school_holidays(path: Path) -> list[Row]:
    """Read school holidays from a file, and refuse what contradicts itself."""
    from holidays.countries.germany import Germany

    rows = _load(path, _HOLIDAYS)
    for row in rows:
        if row["state"] not in Germany.subdivisions:
            raise _bad(path, f"there is no state {row['state']}")
        if not row["source"]:
            raise _bad(path, f"{_named(row)}: the source is missing")
    ordered = sorted(rows, key=lambda row: (row["state"], row["first"]))
    for one, other in pairwise(ordered):
        if one["state"] == other["state"] and one["last"] >= other["first"]:
            raise _bad(path, f"{_named(one)} and {_named(other)} overlap")
    return ordered


def replace_school_holidays(
    connection: Connection, rows: Sequence[Row]
) -> dict[str, int]:
    """Replace all school holidays of the states in `rows`; tells how many by state."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["state"]] = counts.get(row["state"], 0) + 1
    with connection.transaction():
        execute(connection, "drop_school_holidays", states=list(counts))
        for row in rows:
            execute(connection, "add_school_holiday", **row)
    return counts


def load_events(path: Path) -> list[Row]:
    """Read events from a file; `site` and `note` may be empty."""
    return [row | {"site": row["site"] or None} for row in _load(path, _EVENTS)]


def put_event(
    connection: Connection,
    *,
    municipality: str,
    site: str | None,
    name: str,
    first: date,
    last: date,
    note: str = "",
) -> int:
    """Add an event, or bring that of this name and first day up to date."""
    if first > last:
        raise UsageError(reason=f"{name}: it ends before it begins.")
    if not name.strip():
        raise UsageError(reason="an event has a name.")
    row = execute(
        connection,
        "put_event",
        municipality=municipality,
        site=site,
        name=name,
        first=first,
        last=last,
        note=note,
    ).fetchone()
    if row is None:
        kind, key = ("site", f"{municipality}/{site}") if site else ("", municipality)
        raise UnknownKey(kind=kind or "municipality", key=key)
    return int(row["local_event_id"])


def put_events(connection: Connection, rows: Sequence[Row]) -> int:
    """Add events, all or none; returns how many."""
    with connection.transaction():
        for row in rows:
            put_event(connection, **row)
    return len(rows)


def events(
    connection: Connection,
    *,
    municipality: str | None = None,
    site: str | None = None,
    first: date | None = None,
    last: date | None = None,
    visible: Sequence[str] = ("public",),
) -> list[Row]:
    """List events that touch the local days from `first` to `last`, both included."""
    return execute(
        connection,
        "list_events",
        municipality=municipality,
        site=site,
        first=first,
        last=last,
        visible=list(visible),
    ).fetchall()


def events_of_sites(connection: Connection, sites: Sequence[int]) -> list[Row]:
    """List events as they concern each site, those of its municipality with them."""
    return execute(connection, "events_of_sites", sites=list(sites)).fetchall()


def remove_event(connection: Connection, event: int) -> None:
    """Forget an event."""
    if execute(connection, "remove_event", event=event).fetchone() is None:
        raise UnknownKey(kind="event", key=event)


def _load(path: Path, columns: Sequence[str]) -> list[Row]:
    try:
        rows = _parse(path.read_text("utf-8-sig"), columns)
    except (OSError, ValueError, csv.Error) as error:
        raise _bad(path, error) from error
    if not rows:
        raise _bad(path, "there is no row")
    return rows


def _parse(text: str, columns: Sequence[str]) -> list[Row]:
    heading, _, _ = text.partition("\n")
    reader = csv.DictReader(
        text.splitlines(), delimiter=";" if ";" in heading else ",", strict=True
    )
    missing = set(columns) - set(reader.fieldnames or ())
    if missing:
        raise ValueError(f"the heading lacks {', '.join(sorted(missing))}")
    return [_row(reader.line_num, given, columns) for given in reader]


def _row(line: int, given: dict[str, str | None], columns: Sequence[str]) -> Row:
    row: Row = {name: (given[name] or "").strip() for name in columns}
    try:
        row["first"], row["last"] = map(date.fromisoformat, (row["first"], row["last"]))
    except ValueError as error:
        raise ValueError(f"line {line}: {error}") from error
    if row["first"] > row["last"]:
        raise ValueError(f"line {line}: {row['name']} ends before it begins")
    if not row["name"]:
        raise ValueError(f"line {line}: the name is missing")
    return row


def _bad(path: Path, reason: object) -> BadFile:
    return BadFile(path=path, format="a calendar", reason=reason)


def _named(row: Row) -> str:
    return f"{row['name']} {row['state']} {row['first']}"
