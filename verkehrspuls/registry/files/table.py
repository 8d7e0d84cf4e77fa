"""A registration as rows: each names a site, a channel, a sensor or an output of one.

A fact of an entry stands in the first row that names the entry, or in several that
agree. A row of a corridor is one of its stations, a row of a junction one of its ways.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import msgspec

from verkehrspuls import wording
from verkehrspuls.model import Town
from verkehrspuls.registry.files.columns import (
    Column,
    by_heading,
    columns,
    columns_of_kind,
)
from verkehrspuls.registry.files.columns import plain as plain_heading
from verkehrspuls.registry.files.record import Content, Path, Place, Problem
from verkehrspuls.registry.files.slim import slim
from verkehrspuls.registry.registration import Kind
from verkehrspuls.text import mark
from verkehrspuls.wording import Phrase

#: What begins so is run as a formula by a spreadsheet.
_FORMULA: Final = "=+-@\t\r"
_WHOLE: Final = re.compile(r"[-+−]?\d{1,300}")
_NUMBER: Final = re.compile(r"[-+−]?\d+([.,]\d+)?([eE][-+]?\d{1,3})?")
_DAY: Final = re.compile(r"(\d\d?)\.(\d\d?)\.(\d{4})(?:[ T]+(\d\d?:\d\d(?::\d\d)?))?")
_TRUTHS: Final = {
    **dict.fromkeys(("true", "ja", "yes", "wahr", "1", "x"), True),
    **dict.fromkeys(("false", "nein", "no", "falsch", "0"), False),
}
_NO_JSON: Final = mark("it is no JSON; write it as in an export")
_ALIKE: Final = mark(
    "it is {} here, and {} in {}; write the same, or leave one of them empty"
)
_NO_COLUMN: Final = mark("there is no column {}; {}")
_TWICE: Final = mark("there is a second column {}; leave one out")
_NO_HEADING: Final = mark("it stands under no heading; name its column, or take it out")
_NEEDS: Final = mark("it needs {} in the same row")
_NOT_HERE: Final = mark("in a row of a {} it means nothing; take it out")
#: Columns of a row of a corridor or junction.
_ON_ROADS: Final = ("site", "direction")
#: Fields of an entry that the entry of a row is part of.
_LISTS: Final[Mapping[Kind, str]] = {
    "site": "sites",
    "sensor": "sensors",
    "corridor": "corridors",
    "junction": "junctions",
}


class Cell(NamedTuple):
    """What a row has in a column."""

    value: Any
    place: Place


class Rows:
    """Makes a document of rows, one after the other."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {name: [] for name in _LISTS.values()}
        self.places: dict[Path, Place] = {}
        self.problems: list[Problem] = []
        self.columns: set[tuple[Kind, str]] = set()
        self._paths: dict[tuple[Any, ...], Path] = {}

    def content(self) -> Content:
        """Return what the rows were."""
        return Content(self.document, self.places, self.problems, self.columns)

    def heading(self, cells: Iterable[tuple[str, Place]]) -> dict[int, Column]:
        """Read a heading; return the columns by their number."""
        found: dict[int, Column] = {}
        known = by_heading()
        for text, place in cells:
            if not text.strip():
                continue
            column = known.get(plain_heading(text))
            if column is None:
                names = [each.name for each in columns()]
                listed = Phrase(*wording.suggestion(text, names))
                self.problem(place, _NO_COLUMN, text[:60], listed)
            elif column in found.values():
                self.problem(place, _TWICE, text[:60])
            else:
                found[place.column] = column
                self.columns.add((column.kind, column.field))
        return found

    def row(
        self, heading: Mapping[int, Column], cells: Iterable[tuple[Any, Place]]
    ) -> None:
        """Read a row; its cells are texts, or values of a workbook."""
        given: dict[Column, Cell] = {}
        for raw, place in cells:
            column = heading.get(place.column)
            text = _text(raw) if isinstance(raw, str) else raw
            if text is None or text == "":
                continue
            if column is None:
                self.problem(place, _NO_HEADING)
                continue
            named = place._replace(heading=column.name)
            value = _value(column, text)
            if value is _UNREADABLE:
                self.problem(named, _NO_JSON)
            else:
                given[column] = Cell(value, named)
        named_kinds = {column.name for column in given}
        for road, part in _PARTS.items():
            if road in named_kinds:
                self._road(road, part, given)
                return
        self._entries(given)

    def _entries(self, given: Mapping[Column, Cell]) -> None:
        """Note the facts of the entries that a row names."""
        keys = {column.kind: given[column] for column in given if column.field == "key"}
        kinds = {column.kind for column in given}
        paths: dict[Kind, Path] = {"municipality": ()}
        if "site" in keys:
            paths["site"] = self._entry("site", keys["site"])
        if "site" in keys and "channel" in keys:
            at = (*paths["site"], "channels")
            paths["channel"] = self._entry("channel", keys["channel"], at)
        if "sensor" in keys:
            paths["sensor"] = self._entry("sensor", keys["sensor"])
        if "sensor" in keys and ("channel" in keys or "installation" in kinds):
            at = (*paths["sensor"], "installations")
            paths["installation"] = self._part(at, keys["sensor"].place)
            for kind in ("site", "channel"):
                if kind in keys:
                    self._note(paths["installation"], kind, keys[kind])
        for column, cell in given.items():
            if column.kind in paths:
                self._note(paths[column.kind], column.field, cell)
            else:
                needs = "site" if column.kind in keys else _NEEDED[column.kind]
                self.problem(cell.place, _NEEDS, needs)

    def _road(self, road: Kind, part: str, given: Mapping[Column, Cell]) -> None:
        key = next(cell for column, cell in given.items() if column.name == road)
        path = self._entry(road, key)
        way = self._part((*path, part), key.place)
        self._at(way)["direction"] = ""
        for column, cell in given.items():
            if column.kind == road and column.field in ("key", "name"):
                self._note(path, column.field, cell)
            elif column.kind == road:
                self._note(way, column.field, cell)
            elif column.name in _ON_ROADS:
                self._at(way).pop(column.name, None)
                self._note(way, column.name, cell)
            else:
                self.problem(cell.place, _NOT_HERE, Phrase(_ROADS[road]))

    def _entry(self, kind: Kind, key: Cell, at: Path | None = None) -> Path:
        """Return the path of an entry, new or known."""
        within = (_LISTS[kind],) if at is None else at
        known = (within, key.value)
        if known not in self._paths:
            self._paths[known] = self._part(within, key.place)
        return self._paths[known]

    def _part(self, within: Path, place: Place) -> Path:
        """Add a part to a list; return its path."""
        parts = self._at(within[:-1]).setdefault(str(within[-1]), [])
        parts.append({})
        path = (*within, len(parts) - 1)
        self.places[path] = place
        return path

    def _at(self, path: Path) -> dict[str, Any]:
        at: Any = self.document
        for part in path:
            at = at[part]
        found: dict[str, Any] = at
        return found

    def _note(self, path: Path, field: str, cell: Cell) -> None:
        fields = self._at(path)
        where = (*path, field)
        if field not in fields:
            fields[field] = cell.value
            self.places[where] = cell.place
        elif fields[field] != cell.value:
            other = _named_place(self.places[where])
            values = (_shown(cell.value), _shown(fields[field]), other)
            self.problem(cell.place, _ALIKE, *values, path=where)

    def problem(
        self, place: Place, text: str, *values: str | Phrase, path: Path = ()
    ) -> None:
        """Note a problem of a cell."""
        self.problems.append(Problem(place, Phrase(text, values), path))


#: Columns that rows with facts of a kind have.
_NEEDED: Final[Mapping[Kind, str]] = {
    "site": "site",
    "channel": "channel",
    "sensor": "sensor",
    "installation": "sensor",
    "corridor": "corridor",
    "junction": "junction",
}
#: Lists of corridors and junctions, of which each row is a part.
_PARTS: Final[Mapping[Kind, str]] = {"corridor": "stations", "junction": "arms"}
_ROADS: Final[Mapping[str, str]] = {
    "corridor": mark("corridor"),
    "junction": mark("junction"),
}
_UNREADABLE: Final = object()


def _named_place(place: Place) -> str | Phrase:
    if place.sheet:
        return place.in_language("en")
    return Phrase(mark("line {}"), (str(place.line),))


def _shown(value: Any) -> str:
    return str(value)[:60]


def _text(raw: str) -> str:
    """Return a cell's text; an apostrophe before a formula or blank is taken off."""
    if raw[:1] == "'" and (
        raw[1:2] in {*_FORMULA, "'", " "} or raw[-1:].isspace() or raw[1:2].isspace()
    ):
        return raw[1:]
    return raw.strip()


def guarded(text: str) -> str:
    """Return a text that no spreadsheet runs, and that is read as it was."""
    if text and (text[0] in {*_FORMULA, "'"} or text != text.strip()):
        return f"'{text}"
    return text


def _value(column: Column, value: Any) -> Any:
    """Return a cell's value; what does not fit stays, and is a problem later."""
    if not isinstance(value, str):
        return _of_workbook(column, value)
    text = value.strip()
    if column.reads == "whole" and _WHOLE.fullmatch(text):
        return int(text.replace("−", "-"))
    if column.reads == "number" and _NUMBER.fullmatch(text):
        return float(text.replace("−", "-").replace(",", "."))
    if column.reads == "truth":
        return _TRUTHS.get(text.casefold(), value)
    if column.reads == "time" and (found := _DAY.fullmatch(text)):
        day, month, year, time = found.groups()
        clock = f"T{time:0>5}" if time else ""
        return f"{year}-{month:0>2}-{day:0>2}{clock}"
    if column.reads == "json":
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return _UNREADABLE
    return value


def _of_workbook(column: Column, value: Any) -> Any:
    """Return the value of a workbook's cell, whose numbers may stand for text."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if column.reads == "text" and type(value) in (int, float):
        return str(value)
    if column.reads == "truth" and type(value) is int:
        return _TRUTHS.get(str(value), value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, datetime.min.time())
    return value


#: The tables of a workbook, and the columns that name the entries of each.
SHEETS: Final[Mapping[str, tuple[Kind, tuple[str, ...]]]] = {
    "municipality": ("municipality", ("municipality",)),
    "sites": ("site", ("site",)),
    "channels": ("channel", ("site", "channel")),
    "sensors": ("sensor", ("sensor",)),
    "installations": ("installation", ("sensor", "site", "channel")),
    "corridors": ("corridor", ("corridor", "corridor_name", "site", "direction")),
    "junctions": ("junction", ("junction", "junction_name", "site", "direction")),
}


def columns_of(sheet: str) -> list[Column]:
    """Return the columns of a table of a workbook."""
    kind, names = SHEETS[sheet]
    by_name = {column.name: column for column in columns()}
    own = [each for each in columns_of_kind(kind) if each.name not in names]
    return [*(by_name[name] for name in names), *own]


def sheets(town: Town) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the tables of a workbook, each with its rows by column."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SHEETS}
    rows["municipality"].append(_facts("municipality", slim(town)))
    for site in town.sites:
        rows["sites"].append(_facts("site", slim(site)))
        rows["channels"] += [
            {"site": site.key} | _facts("channel", slim(channel))
            for channel in site.channels
        ]
    for sensor in town.sensors:
        rows["sensors"].append(_facts("sensor", slim(sensor)))
        rows["installations"] += [
            {"sensor": sensor.key} | _installed(slim(each))
            for each in sensor.installations
        ]
    rows["corridors"] = list(_ways("corridor", "stations", town.corridors))
    rows["junctions"] = list(_ways("junction", "arms", town.junctions))
    yield from rows.items()


def flat(town: Town) -> Iterator[dict[str, Any]]:
    """Yield the rows of one table of everything, by column."""
    tables = dict(sheets(town))
    sites = {row["site"]: row for row in tables["sites"]}
    sensors = {row["sensor"]: row for row in tables["sensors"]}
    installed: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in tables["installations"]:
        installed.setdefault((row["site"], row["channel"]), []).append(row)
    yield from tables["municipality"]
    for channel in tables["channels"]:
        key = (channel["site"], channel["channel"])
        facts = sites.pop(channel["site"], {}) | channel
        for row in installed.pop(key, [{}]):
            yield facts | sensors.pop(row.get("sensor", ""), {}) | row
            facts = {}
    yield from sites.values()
    yield from sensors.values()
    for rows in installed.values():  # of channels that are not there
        yield from rows
    yield from tables["corridors"]
    yield from tables["junctions"]


def _facts(kind: Kind, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        column.name: fields[column.field]
        for column in columns_of_kind(kind)
        if column.field in fields
    }


def _installed(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in ("site", "channel")} | _facts(
        "installation", fields
    )


def _ways(kind: Kind, part: str, roads: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for road in roads:
        fields = slim(road)
        facts = _facts(kind, fields)
        for way in fields[part]:
            yield facts | {name: value for name, value in way.items() if value != ""}
            facts = {kind: road.key}
