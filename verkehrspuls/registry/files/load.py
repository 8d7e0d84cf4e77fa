"""Read a registration file, and list all that is wrong with it by its place."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, get_args, get_origin

import msgspec
from msgspec import Struct, structs

from verkehrspuls import wording
from verkehrspuls.model import DEFAULT_TIME_ZONE, Town
from verkehrspuls.registry.clock import WrongTime, installed_on_clock
from verkehrspuls.registry.faults import Fault, faults, is_zone
from verkehrspuls.registry.files import format_of
from verkehrspuls.registry.files.columns import column_name
from verkehrspuls.registry.files.record import (
    MAX_BYTES,
    Content,
    FaultyFile,
    Path,
    Problem,
    unreadable,
)
from verkehrspuls.registry.registration import (
    Entry,
    Kind,
    entries,
    overlay,
    walk,
)
from verkehrspuls.text import mark
from verkehrspuls.wording import Phrase

_TOO_LARGE: Final = mark("it is larger than {} MiB; split it")
_NO_TOWN: Final = mark(
    "the file does not say of which municipality it is; add it, or name it beside the "
    "file"
)
_MISSING: Final = mark("the field {} is missing")
#: Kinds whose entries are looked up by their keys, and the lists they are in.
_KEYED: Final[Mapping[Kind, str]] = {
    "site": "sites",
    "sensor": "sensors",
    "corridor": "corridors",
    "junction": "junctions",
}


def content(data: bytes, name: str) -> Content:
    """Read a file; its name or media type says its format. Raise `FaultyFile`."""
    if len(data) > MAX_BYTES:
        raise unreadable(_TOO_LARGE, str(MAX_BYTES >> 20))
    return format_of(data, name).read(data)


def municipality_of(found: Content, named: str | None) -> str:
    """Return the municipality that a file is of; raise `FaultyFile` if unclear."""
    key = found.document.setdefault("key", named)
    if not isinstance(key, str):
        raise unreadable(_NO_TOWN)
    return key


def town_of(found: Content, before: Town | None) -> Town:
    """Return the registration of a file; raise `FaultyFile` with all problems.

    `before` is what is registered: a table without a column leaves what it has there.
    """
    if before is not None:
        _keep(found, before)
    _on_clock(found)
    try:
        town = msgspec.convert(found.document, Town)
    except msgspec.ValidationError:
        pass
    else:
        if not found.problems:
            return town
    kept: dict[Path, list[int]] = {}
    usable = msgspec.convert(_usable(found, kept), Town)
    _note_faults(found, usable, before, _paths(usable, kept))
    raise FaultyFile(found.problems)


def in_place(found: Content, town: Town, wrong: Sequence[Fault]) -> FaultyFile:
    """Return the error of a file whose registration has faults."""
    paths = _paths(town)
    for fault in wrong:
        found.problems.append(_problem(found, fault, paths))
    return FaultyFile(found.problems)


def _problem(found: Content, fault: Fault, paths: Mapping[Entry, Path]) -> Problem:
    named = Phrase("{}: {}", (fault.entry.phrase, fault.phrase))
    if fault.entry not in paths:  # it was registered before
        return Problem(None, named)
    path = (*paths[fault.entry], *filter(None, (fault.field,)))
    return Problem(found.place(path), named, path)


def _paths(town: Town, kept: Mapping[Path, list[int]] = {}) -> dict[Entry, Path]:
    """Return where the entries of a town stand in its document.

    `kept`: which parts of a list the town has, where it has not all of them.
    """
    found: dict[Entry, Path] = {}
    counts: dict[Path, int] = {}
    outer: Path = ()
    for entry, _ in walk(town):
        if entry.kind == "municipality":
            found[entry] = ()
            continue
        if entry.kind in _KEYED:
            within: Path = (_KEYED[entry.kind],)
        else:
            within = (*outer, f"{entry.kind}s")
        counts[within] = counts.get(within, -1) + 1
        number = counts[within]
        path = (*within, kept[within][number] if within in kept else number)
        if entry.kind in _KEYED:
            outer = path
        found[entry] = path
    return found


def _keep(found: Content, before: Town) -> None:
    """Fill in what a table has no columns for."""
    if found.columns is None:
        return
    old = entries(before)
    has = found.columns
    for entry, fields in _named(found.document):
        kept = old.get(entry)
        for name, value in (kept or {}).items():
            if (entry.kind, name) not in has and name not in ("stations", "arms"):
                fields.setdefault(name, value)
    if ("installation", "output") not in has:
        installed = {sensor.key: sensor.installations for sensor in before.sensors}
        for sensor in found.document["sensors"]:
            kept_ones = installed.get(sensor["key"], ())
            sensor.setdefault("installations", msgspec.to_builtins(kept_ones))


def _named(document: dict[str, Any]) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """Yield the entries of the document of a table, each with its fields."""
    yield Entry("municipality", document["key"]), document
    for kind, name in _KEYED.items():
        for each in document[name]:
            yield Entry(kind, each["key"]), each
    for site in document["sites"]:
        for channel in site.get("channels", ()):
            yield Entry("channel", f"{site['key']}/{channel['key']}"), channel


def _on_clock(found: Content) -> None:
    """Interpret times without offset on the town's clock."""
    zone = found.document.get("time_zone", DEFAULT_TIME_ZONE)
    if not isinstance(zone, str) or not is_zone(zone):
        return  # told later
    for path, table in _installations(found.document):
        for name in ("since", "until"):
            if name not in table:
                continue
            try:
                table |= installed_on_clock({name: table[name]}, zone)
            except WrongTime as error:
                found.add((*path, name), error.phrase)
                del table[name]


def _installations(document: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    for number, sensor in _tables(document.get("sensors")):
        for index, each in _tables(sensor.get("installations")):
            yield ("sensors", number, "installations", index), each


def _tables(value: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    if isinstance(value, list):
        yield from ((n, each) for n, each in enumerate(value) if isinstance(each, dict))


def _usable(found: Content, kept: dict[Path, list[int]]) -> dict[str, Any]:
    """Note what is wrong with the values; return the document without it."""
    usable, _ = _record(found, found.document, Town, (), kept)
    for name, value in (("key", "x"), ("name", "x"), ("state", "")):
        usable.setdefault(name, value)
    usable.setdefault("sites", [])
    usable.setdefault("sensors", [])
    return usable


def _record(
    found: Content,
    value: dict[str, Any],
    record: type[Struct],
    path: Path,
    kept: dict[Path, list[int]],
) -> tuple[dict[str, Any], bool]:
    """Return the usable fields of a record, and whether it can be used with them."""
    fields = {field.encode_name: field for field in structs.fields(record)}
    usable, whole = {}, True
    for name in value.keys() - fields.keys():
        listed = Phrase(*wording.suggestion(str(name), fields))
        text = mark("there is no field {}; {}")
        found.add((*path, name), Phrase(text, (str(name), listed)))
    for name, field in fields.items():
        here = (*path, name)
        needed = field.required
        if name not in value:
            if needed and not _is_noted(found, here):
                called = name if found.columns is None else column_name(record, name)
                found.add(here, Phrase(_MISSING, (called,)))
            whole &= not needed
            continue
        inner = _inner(field.type)
        if inner is not None and isinstance(value[name], list):
            parts = [
                _part(found, each, inner, (*here, number), kept)
                for number, each in enumerate(value[name])
            ]
            kept[here] = [n for n, part in enumerate(parts) if part is not None]
            usable[name] = [parts[number] for number in kept[here]]
            least = 2 if name in ("stations", "arms") else 0
            if len(usable[name]) < least:
                if len(parts) < least:
                    _explain(found, value[name], field.type, here)
                whole = False
        elif _explain(found, value[name], field.type, here):
            usable[name] = value[name]
        else:
            whole &= not needed
    return usable, whole


def _part(
    found: Content,
    value: Any,
    record: type[Struct],
    path: Path,
    kept: dict[Path, list[int]],
) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        _explain(found, value, record, path)
        return None
    usable, whole = _record(found, value, record, path, kept)
    return usable if whole else None


def _inner(type_: Any) -> type[Struct] | None:
    """Return the record of a list of records; None for other types."""
    if get_origin(type_) is Annotated:
        type_ = get_args(type_)[0]
    if get_origin(type_) is tuple and issubclass(get_args(type_)[0], Struct):
        record: type[Struct] = get_args(type_)[0]
        return record
    return None


def _explain(found: Content, value: Any, type_: Any, path: Path) -> bool:
    """Return whether a value is of a type, or note why not."""
    try:
        msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        explained = wording.explain(error, value, type_)
        _, _, at = str(error).partition(" - at `$")
        parts = re.findall(r"\.([^.\[\]`]+)|\[(\d+)\]", at)
        inner = tuple(name or int(index) for name, index in parts)
        text = explained.phrase
        if inner and found.place((*path, *inner)) == found.place(path):
            text = Phrase("{}: {}", (explained.where, text))
        found.add((*path, *inner), text)
        return False
    return True


def _is_noted(found: Content, path: Path) -> bool:
    return any(problem.path == path for problem in found.problems)


def _note_faults(
    found: Content, usable: Town, before: Town | None, paths: Mapping[Entry, Path]
) -> None:
    """Note the faults of what can be used, but those that follow from what cannot."""
    town = overlay(before, usable) if before is not None else usable
    old = set(faults(before)) if before is not None else set()
    noted = {problem.path for problem in found.problems}
    for fault in faults(town):
        if fault in old or fault.entry not in paths or fault.field in _FOLLOWING:
            continue
        about = _PAIRS.get(fault.field, (fault.field,))
        if not noted & {(*paths[fault.entry], field) for field in about}:
            found.problems.append(_problem(found, fault, paths))


#: Fields whose faults follow from what is wrong elsewhere.
_FOLLOWING: Final = ("channel", "stations", "arms", "since")
#: Fields that are checked together.
_PAIRS: Final = dict.fromkeys(("latitude", "longitude"), ("latitude", "longitude"))
