"""Change what is registered: read it, change it, check it, write what differs.

One way for files, commands, pages and API. An edit is a function from a `Town` to the
one that it is to become; nothing is written before the whole was checked.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from verkehrspuls import wording
from verkehrspuls.errors import UnknownKey, UsageError
from verkehrspuls.model import Town
from verkehrspuls.registry.clock import WrongTime, installed_on_clock
from verkehrspuls.registry.faults import Fault, Faulty, faults, readable, refuse
from verkehrspuls.registry.registration import (
    RECORDS,
    Change,
    Entry,
    Kind,
    difference,
    entries,
    put,
    version,
)
from verkehrspuls.storage.database import Connection, execute, refusal
from verkehrspuls.text import mark
from verkehrspuls.wording import Phrase


class NotYourTown(UsageError):
    """Changing the registration of {municipality} needs the permission {permission}."""

    code = "not-your-town"
    http_status = 403


class EntryChanged(UsageError):
    """Somebody changed {kind} {key} since you looked: look again, then change it."""

    code = "entry-changed"
    http_status = 412


class EntryUsed(UsageError):
    """{kind} {key} has readings or messages, so it stays.

    Register its end instead: the status, and the end of its installations.
    """

    code = "entry-used"
    http_status = 409


#: permission to change the municipality itself
SETTINGS: Final = "settings"


class _Write(NamedTuple):
    """A named query that writes entries, in the order of `_WRITES`."""

    query: str
    kind: Kind
    #: which changes: those that add, change or remove
    which: Callable[[Change], bool]


def _is_there(change: Change) -> bool:
    return change.after is not None


def _is_gone(change: Change) -> bool:
    return change.after is None


def _goes(change: Change) -> bool:
    """Return whether an installation goes, if only to be attached elsewhere."""
    return change.before is not None and (change.after is None or _moves(change))


def _comes(change: Change) -> bool:
    return change.after is not None and (change.before is None or _moves(change))


def _stays(change: Change) -> bool:
    return change.before is not None and change.after is not None and not _moves(change)


def _moves(change: Change) -> bool:
    before, after = change.before or {}, change.after or {}
    return any(before.get(name) != after.get(name) for name in ("site", "channel"))


#: What goes is written before what comes, so that a channel can pass to another sensor.
_WRITES: Final = (
    _Write("put_sites", "site", _is_there),
    _Write("put_channels", "channel", _is_there),
    _Write("put_sensors", "sensor", _is_there),
    _Write("remove_installations", "installation", _goes),
    _Write("change_installations", "installation", _stays),
    _Write("put_installations", "installation", _comes),
    _Write("remove_corridors", "corridor", _is_gone),
    _Write("put_corridors", "corridor", _is_there),
    _Write("clear_stations", "corridor", _is_there),
    _Write("put_stations", "corridor", _is_there),
    _Write("remove_junctions", "junction", _is_gone),
    _Write("put_junctions", "junction", _is_there),
    _Write("clear_arms", "junction", _is_there),
    _Write("put_arms", "junction", _is_there),
    _Write("remove_sensors", "sensor", _is_gone),
    _Write("remove_channels", "channel", _is_gone),
    _Write("remove_unused_sites", "site", _is_gone),
)


def read(
    connection: Connection, municipality: str, permission: str = "register"
) -> Town:
    """Read what is registered of a municipality, for who changes it.

    Parts that cannot be read are left out.
    """
    require(connection, municipality, permission)
    found = _read(connection, municipality)
    if found is None:
        raise UnknownKey(kind="municipality", key=municipality)
    return found


def require(
    connection: Connection, municipality: str, permission: str = "register"
) -> None:
    """Refuse who has not the permission in a municipality.

    Raise `UnknownKey` where there is none that the viewer sees.
    """
    asked = {"municipality": municipality, "permission": permission}
    row = execute(connection, "is_permitted_here", **asked).fetchone()
    if row is None:
        raise UnknownKey(kind="municipality", key=municipality)
    if not row["here"]:
        raise NotYourTown(**asked)


def edit(
    connection: Connection,
    municipality: str,
    become: Callable[[Town | None], Town],
    *,
    dry_run: bool = False,
) -> list[Change]:
    """Change a registration within the transaction; return the entries that differ.

    `become` gets what is registered (None: nothing) and returns what is to be. Raise
    `UsageError` for a fault that was not there before; then nothing is written, nor in
    a dry run.
    """
    execute(connection, "lock_registration", municipality=municipality)
    before = _read(connection, municipality)
    after = become(before)
    changes = difference(before, after)
    if before and changes and changes[0].entry.kind == "municipality":
        require(connection, municipality, SETTINGS)
    if changes:
        _refuse(connection, before, after, changes)
    if changes and not dry_run:
        _write(connection, before, after, changes)
    return changes


def put_entry(
    connection: Connection,
    municipality: str,
    entry: Entry,
    fields: Mapping[str, Any] | None,
    *,
    seen: str | None,
) -> list[Change]:
    """Add, replace or (None) remove one entry; return the entries that differ.

    `seen` is the `version` of the entry that the person saw, None where there was none.
    Raise `EntryChanged` if it is another one by now.
    """
    needed = SETTINGS if entry.kind == "municipality" else "register"
    require(connection, municipality, needed)

    def become(before: Town | None) -> Town:
        town = _there(before, municipality)
        found = entries(town).get(entry)
        if (found and version(found)) != seen:
            raise EntryChanged(kind=entry.kind, key=entry.key)
        return _put(town, entry, fields) if fields else put(town, entry, None)

    return edit(connection, municipality, become)


def change_entry(
    connection: Connection,
    municipality: str,
    kind: Kind,
    key: str,
    fields: Mapping[str, Any],
    *,
    dry_run: bool = False,
) -> list[Change]:
    """Add an entry, or change some fields of it; a field of None gets its default."""

    def become(before: Town | None) -> Town:
        town = _there(before, municipality)
        entry = _named(town, kind, key)
        new = {**entries(town).get(entry, _from_key(kind, key)), **fields}
        given = {name: value for name, value in new.items() if value is not None}
        return _put(town, entry, given)

    require(connection, municipality)
    return edit(connection, municipality, become, dry_run=dry_run)


def remove_entry(
    connection: Connection, municipality: str, kind: Kind, key: str
) -> list[Change]:
    """Remove an entry that was never used."""

    def become(before: Town | None) -> Town:
        town = _there(before, municipality)
        entry = _named(town, kind, key)
        if entry not in entries(town):
            raise UnknownKey(kind=kind, key=f"{municipality}/{key}")
        return put(town, entry, None)

    require(connection, municipality)
    return edit(connection, municipality, become)


def _put(town: Town, entry: Entry, fields: Mapping[str, Any]) -> Town:
    """Put an entry into a town; raise `Faulty` for fields that are none of its kind."""
    try:
        if entry.kind == "installation":
            fields = installed_on_clock(fields, town.time_zone)
        changed = put(town, entry, fields)
    except WrongTime as error:
        raise Faulty([Fault(entry, error.field, error.phrase)]) from error
    except msgspec.ValidationError as error:
        found = wording.explain(error, fields, RECORDS[entry.kind])
        field = re.split(r"[.\[ ]", found.where)[0]
        if not field and len(found.values) == 1:  # it is missing
            field = str(found.values[0])
        fault = Fault(entry, field, found.phrase)
        raise Faulty([fault]) from error
    # an installation is named by what it holds
    if entry.kind != "installation" and entry not in entries(changed):
        raise Faulty([Fault(entry, "key", Phrase(_OTHER_KEY))])
    return changed


_OTHER_KEY: Final = mark(
    "the key names the entry and stays; register another entry, and end this one"
)


def _there(town: Town | None, municipality: str) -> Town:
    if town is None:
        raise UnknownKey(kind="municipality", key=municipality)
    return town


def _named(town: Town, kind: Kind, key: str) -> Entry:
    """Return the entry of a key; of an installation without a start the newest one."""
    found = [each for each in entries(town) if each.kind == kind]
    newest = [each for each in found if each.key.startswith(f"{key}/")]
    if kind == "installation" and newest and Entry(kind, key) not in found:
        return max(newest, key=lambda each: each.key)
    return Entry(kind, key)


def _from_key(kind: Kind, key: str) -> dict[str, Any]:
    """Return the fields of a new entry that its key says."""
    if kind == "installation":
        _, _, output = key.partition("/")
        return {"output": output}
    return {"key": key.rpartition("/")[2]}


def _read(connection: Connection, municipality: str) -> Town | None:
    row = execute(connection, "registrations", municipality=municipality).fetchone()
    return readable(row["town"])[0] if row else None


def _refuse(
    connection: Connection, before: Town | None, after: Town, changes: Iterable[Change]
) -> None:
    """Refuse what would be a fault, and was none before."""
    _refuse_mixed(connection, after)
    _refuse_used(connection, after, changes)
    found = [
        Fault(change.entry, "quantity", Phrase(_OTHER_QUANTITY))
        for change in changes
        if change.entry.kind == "channel"
        and change.before
        and change.after
        and "quantity" in change.fields
    ]
    found += faults(after)
    old = set(faults(before)) if found and before else set()
    refuse([fault for fault in found if fault not in old])


_OTHER_QUANTITY: Final = mark(
    "it is registered with another quantity; a channel keeps what it measures, so "
    "register a new one"
)


def _refuse_used(connection: Connection, town: Town, changes: Iterable[Change]) -> None:
    """Refuse to remove what was used: its end is registered instead."""
    gone = [change.entry._asdict() for change in changes if change.after is None]
    if not gone:
        return
    used = execute(
        connection, "used_entries", municipality=town.key, rows=Jsonb(gone)
    ).fetchone()
    if used is not None:
        raise EntryUsed(**used)


def _refuse_mixed(connection: Connection, town: Town) -> None:
    """Refuse to mix simulated and real readings."""
    row = execute(connection, "origin_of_readings", key=town.key).fetchone()
    if row is not None and row["simulated"] != town.simulated:
        there, wanted = (
            "simulated" if simulated else "real"
            for simulated in (row["simulated"], town.simulated)
        )
        raise UsageError(
            reason=f"{town.key} holds {there} readings and is to be {wanted}; take "
            f"another key, or remove them first with `verkehrspuls town remove "
            f"{town.key} --with-readings`"
        )


def _write(
    connection: Connection, before: Town | None, town: Town, changes: Iterable[Change]
) -> None:
    by_kind: dict[Kind, list[Change]] = {}
    for change in changes:
        by_kind.setdefault(change.entry.kind, []).append(change)
    try:
        for change in by_kind.get("municipality", ()):
            query = "change_municipality" if before else "put_municipality"
            execute(connection, query, **_fields(change))
        for query, kind, which in _WRITES:
            rows = [_row(change) for change in by_kind.get(kind, ()) if which(change)]
            if rows:
                execute(connection, query, municipality=town.key, rows=Jsonb(rows))
        marked = list(filter(None, map(_marked, by_kind.get("installation", ()))))
        if marked:
            given = {"municipality": town.key, "rows": Jsonb(marked)}
            execute(connection, "mark_installations", **given)
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        # what only the database can detect
        raise UsageError(reason=f"municipality {town.key}: {refusal(error)}") from error


def _marked(change: Change) -> dict[str, Any] | None:
    """Return from when on the figures of a channel change with its installation.

    It is without its sensor, or with it again, or another factor holds.
    """
    sides = [side for side in (change.before, change.after) if side]
    times = [each["since"] for each in _calibrations_that_differ(change)]
    if change.before is not None and "until" in change.fields:
        times += [side["until"] for side in sides if side["until"]]
    if _goes(change):
        times += [change.before["since"]] if change.before else []
    if not times:
        return None
    at = min(times, key=datetime.fromisoformat)
    return {**{name: sides[0][name] for name in ("site", "channel")}, "at": at}


def _calibrations_that_differ(change: Change) -> list[dict[str, Any]]:
    before, after = (
        side["calibrations"] if side else [] for side in (change.before, change.after)
    )
    return [each for each in (*before, *after) if (each in before) != (each in after)]


def _fields(change: Change) -> dict[str, Any]:
    return dict(change.after or change.before or {})


def _row(change: Change) -> dict[str, Any]:
    """Return an entry with the keys of those that it is part of."""
    kind, key = change.entry
    row = _fields(change)
    if kind == "channel":
        row["site"] = key.partition("/")[0]
    elif kind == "installation":
        row["sensor"] = key.partition("/")[0]
    return row
