"""School holidays of states and local events of municipalities.

Local days, `first` to `last`, both included. Files are CSV, separated by comma or
semicolon, with a heading line.
"""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, timedelta
from functools import cache
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from verkehrspuls import wording
from verkehrspuls.calendar import no_state, states
from verkehrspuls.errors import BadFile, BadParameter, UnknownKey, UsageError
from verkehrspuls.files import MAX_TEXT_BYTES
from verkehrspuls.model import Name, Words
from verkehrspuls.storage.database import Connection, execute, read_records
from verkehrspuls.text import mark

_DAY: Final = timedelta(days=1)
_FORMAT: Final = "a calendar"
#: Years that a calendar may contain.
YEARS: Final = range(1970, 2201)
_NO_YEAR: Final = mark("the year must be from 1970 to 2200")
_ENDS_FIRST: Final = mark("it ends before it begins")
_GERMAN: Final = re.compile(r"(\d\d)\.(\d\d)\.(\d{4})", re.ASCII)


@dataclass(frozen=True, slots=True)
class SchoolHoliday:
    """School holidays of a state."""

    state: str
    name: str
    first: date
    last: date
    source: str


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A local event at a site, or in all of a municipality."""

    municipality: str
    site: str | None
    name: str
    first: date
    last: date
    note: str


@dataclass(frozen=True, slots=True)
class Event(NewEvent):
    """A local event with its number."""

    event: int


_Record = TypeVar("_Record", SchoolHoliday, NewEvent)


def school_holidays(connection: Connection) -> list[SchoolHoliday]:
    """List the school holidays that apply, by state and day.

    A state with imported holidays has only those; any other has the shipped ones.
    """
    imported = read_records(connection, SchoolHoliday, "imported_school_holidays")
    states = {holiday.state for holiday in imported}
    return imported + [holiday for holiday in shipped() if holiday.state not in states]


@cache
def shipped() -> list[SchoolHoliday]:
    """List the school holidays shipped with the program; do not change them."""
    text = (resources.files("verkehrspuls") / "school_holidays.csv").read_text("utf-8")
    return _parse(text, SchoolHoliday)


def known_until(connection: Connection) -> dict[str, date | None]:
    """Return the last day of known school holidays for each state with a town."""
    last: dict[str, date] = {}
    for holiday in school_holidays(connection):
        state = holiday.state
        last[state] = max(holiday.last, last.get(state, date.min))
    states = execute(connection, "states_of_towns").fetchall()
    return {row["state"]: last.get(row["state"]) for row in states}


def load_school_holidays(path: Path) -> list[SchoolHoliday]:
    """Read school holidays from a file, and refuse contradictions."""
    holidays = _load(path, SchoolHoliday)
    for holiday in holidays:
        if holiday.state not in states():
            raise _bad(path, no_state(holiday.state))
        if not holiday.source:
            raise _bad(path, f"{_named(holiday)}: the source is missing")
        if wrong := _wrong_words(holiday.name, holiday.source):
            raise _bad(path, f"{_named(holiday)[:60]!r}: {wrong}")
    ordered = sorted(holidays, key=lambda holiday: (holiday.state, holiday.first))
    for one, other in pairwise(ordered):
        if one.state == other.state and one.last >= other.first:
            raise _bad(path, f"{_named(one)} and {_named(other)} overlap")
    return ordered


def replace_school_holidays(
    connection: Connection, holidays: Sequence[SchoolHoliday]
) -> dict[str, int]:
    """Replace all school holidays of the states in `holidays`; count them by state.

    Days whose status changes become stale.
    """
    counts = Counter(holiday.state for holiday in holidays)
    with connection.transaction():
        before = [old for old in school_holidays(connection) if old.state in counts]
        rows = [asdict(holiday) for holiday in holidays]
        columns = {
            field.name: [row[field.name] for row in rows]
            for field in fields(SchoolHoliday)
        }
        execute(connection, "drop_school_holidays", states=list(counts), **columns)
        for row in rows:
            execute(connection, "add_school_holiday", **row)
        for state, first, last in sorted(_terms(before) ^ _terms(holidays)):
            _mark_stale(connection, first, last, state=state)
    return dict(counts)


def _terms(holidays: Sequence[SchoolHoliday]) -> set[tuple[str, date, date]]:
    return {(holiday.state, holiday.first, holiday.last) for holiday in holidays}


def _mark_stale(
    connection: Connection,
    first: date,
    last: date,
    *,
    state: str | None = None,
    municipality: str | None = None,
    site: str | None = None,
) -> None:
    """Mark the figures of local days, and the baselines that use them, as stale."""
    execute(
        connection,
        "mark_stale",
        first=first,
        last=last,
        state=state,
        municipality=municipality,
        site=site,
    )


def load_events(path: Path) -> list[NewEvent]:
    """Read events from a file; `site` and `note` may be empty."""
    events = [
        replace(event, site=event.site or None) for event in _load(path, NewEvent)
    ]
    seen: set[tuple[str, ...]] = set()
    for event in events:
        if wrong := _wrong_words(event.name, event.note):
            raise _bad(path, f"{event.name[:60]!r}: {wrong}")
        where = "/".join(filter(None, (event.municipality, event.site)))
        key = (where, event.name, event.first.isoformat())
        if key in seen:
            raise _bad(
                path,
                f"the event {key[1]} of {key[0]} from {key[2]} is there twice; each is "
                "there once",
            )
        seen.add(key)
    return events


def _wrong_words(name: str, note: str = "") -> str:
    """Explain why an event's name or note cannot be displayed; empty if it can."""
    for what, text, kind in (("the name", name, Name), ("the note", note, Words)):
        try:
            msgspec.convert(text, kind)
        except msgspec.ValidationError as error:
            return f"{what}: {wording.explain(error).in_english()}"
    return ""


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
    """Add an event, or update the one with this name and first day.

    Days that become or cease to be event days become stale.
    """
    if first > last:
        raise BadParameter(parameter="last", detail=_ENDS_FIRST)
    if not name.strip():
        raise UsageError(reason="an event has a name.")
    if wrong := _wrong_words(name, note):
        raise UsageError(reason=wrong)
    for parameter, day in (("first", first), ("last", last)):
        if day.year not in YEARS:
            raise BadParameter(parameter=parameter, detail=_NO_YEAR)
    with connection.transaction():
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
            kind, key = (
                ("site", f"{municipality}/{site}") if site else ("", municipality)
            )
            raise UnknownKey(kind=kind or "municipality", key=key)
        known_until = row["last_before"] or first - _DAY
        if known_until != last:
            _mark_stale(
                connection,
                min(known_until, last) + _DAY,
                max(known_until, last),
                municipality=municipality,
                site=site,
            )
    return int(row["local_event_id"])


def put_events(connection: Connection, events: Sequence[NewEvent]) -> int:
    """Add events, all or none; return their number."""
    with connection.transaction():
        for event in events:
            put_event(connection, **asdict(event))
    return len(events)


def events(
    connection: Connection,
    *,
    municipality: str | None = None,
    site: str | None = None,
    first: date | None = None,
    last: date | None = None,
) -> list[Event]:
    """List events that touch the local days from `first` to `last`, both included."""
    return read_records(
        connection,
        Event,
        "list_events",
        municipality=municipality,
        site=site,
        first=first,
        last=last,
    )


def remove_event(connection: Connection, event: int) -> None:
    """Remove an event; its days become stale."""
    with connection.transaction():
        gone = execute(connection, "remove_event", event=event).fetchone()
        if gone is None:
            raise UnknownKey(kind="event", key=event)
        _mark_stale(connection, **gone)


def _load(path: Path, record: type[_Record]) -> list[_Record]:
    from verkehrspuls import spreadsheet

    try:
        text = spreadsheet.decoded(path, format=_FORMAT, most=MAX_TEXT_BYTES)
        rows = _parse(text, record)
    except (OSError, EOFError, ValueError, csv.Error) as error:
        raise _bad(path, error) from error
    if not rows:
        raise _bad(path, "there is no row")
    return rows


def _parse(text: str, record: type[_Record]) -> list[_Record]:
    """Read records, a row each; columns that a record does not have are ignored."""
    columns = [field.name for field in fields(record)]
    lines = text.splitlines()
    heading = next((line for line in lines if line.strip()), "")
    reader = csv.reader(lines, delimiter=max(";,\t", key=heading.count), strict=True)
    names: list[str] = []
    rows: list[_Record] = []
    for cells in reader:
        line = reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        if not names:
            names = [cell.strip().lower() for cell in cells]
            missing = set(columns) - set(names)
            if missing:
                raise ValueError(f"the heading lacks {', '.join(sorted(missing))}")
            continue
        while len(cells) > len(names) and not cells[-1].strip():
            cells.pop()
        if len(cells) != len(names):
            raise ValueError(
                f"line {line}: it has {len(cells)} cells, the heading {len(names)}; "
                "write empty cells with their separators, and quote cells that have "
                "one in them"
            )
        given = dict(zip(names, cells, strict=True))
        rows.append(record(**_row(line, {name: given[name] for name in columns})))
    if not names:
        raise ValueError(f"it is empty; the heading lacks {', '.join(columns)}")
    return rows


def _row(line: int, given: dict[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {name: text.strip() for name, text in given.items()}
    for name in ("first", "last"):
        row[name] = _day(line, name, row[name])
    if row["first"] > row["last"]:
        raise ValueError(f"line {line}: {row['name']} ends before it begins")
    if not row["name"]:
        raise ValueError(f"line {line}: the name is missing")
    return row


def _day(line: int, name: str, text: str) -> date:
    day = _parsed(line, name, text)
    if day.year not in YEARS:
        raise ValueError(f"line {line}: {name} is {text}; {_NO_YEAR}")
    return day


def _parsed(line: int, name: str, text: str) -> date:
    german = _GERMAN.fullmatch(text)
    try:
        return date.fromisoformat(
            "-".join(reversed(german.groups())) if german else text
        )
    except ValueError as error:
        raise ValueError(
            f"line {line}: {name} is {text[:60]!r}; write a day as 2026-12-24 or "
            "24.12.2026"
        ) from error


def _bad(path: Path, reason: object) -> BadFile:
    return BadFile(path=path, format=_FORMAT, reason=reason)


def _named(holiday: SchoolHoliday) -> str:
    return f"{holiday.name} {holiday.state} {holiday.first}"
