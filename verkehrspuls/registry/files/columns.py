"""The columns of registration tables: one for each field, in German and English."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Final, Literal, NamedTuple

import msgspec
from msgspec import Struct, structs

from verkehrspuls import model
from verkehrspuls.registry.registration import RECORDS, Kind

#: how a cell's text becomes a value
Reads = Literal["text", "whole", "number", "truth", "time", "json"]

_TYPES: Final[dict[type, Reads]] = {
    msgspec.inspect.IntType: "whole",
    msgspec.inspect.FloatType: "number",
    msgspec.inspect.BoolType: "truth",
    msgspec.inspect.DateTimeType: "time",
    msgspec.inspect.StrType: "text",
    msgspec.inspect.LiteralType: "text",
}
#: Fields that other columns name, or rows of their own.
_ELSEWHERE: Final = {
    *("key", "sites", "sensors", "channels", "installations"),
    *("corridors", "junctions", "stations", "arms"),
}
#: Columns of the rows of corridors and junctions, beside `site` and `direction`.
_OF_ROADS: Final[dict[Kind, tuple[type[Struct], str]]] = {
    "corridor": (model.Station, "chainage_m"),
    "junction": (model.Arm, "leads"),
}


class Column(NamedTuple):
    """A field of a kind of entry, or its key."""

    name: str
    kind: Kind
    field: str
    reads: Reads


#: German headings; the English ones are the names.
GERMAN: Final = {
    "municipality": "Kommune",
    "municipality_name": "Name der Kommune",
    "state": "Bundesland",
    "time_zone": "Zeitzone",
    "licence": "Lizenz",
    "simulated": "simuliert",
    "imprint": "Impressum",
    "privacy": "Datenschutz",
    "contact": "Kontakt",
    "municipality_latitude": "Breite der Kommune",
    "municipality_longitude": "Länge der Kommune",
    "site": "Messstelle",
    "site_name": "Name der Messstelle",
    "latitude": "Breite",
    "longitude": "Länge",
    "road": "Straße",
    "place": "Lage",
    "speed_limit_kmh": "Tempolimit",
    "lanes": "Fahrstreifen",
    "visibility": "Sichtbarkeit",
    "site_status": "Zustand der Messstelle",
    "channel": "Messkanal",
    "channel_name": "Name des Messkanals",
    "quantity": "Größe",
    "direction": "Richtung",
    "direction_name": "Name der Richtung",
    "bearing_deg": "Kurs",
    "lane": "Fahrstreifen-Nummer",
    "thresholds": "Schwellen",
    "sensor": "Sensor",
    "sensor_name": "Name des Sensors",
    "model": "Modell",
    "owner": "Eigentümer",
    "serial": "Seriennummer",
    "firmware": "Firmware",
    "power": "Stromversorgung",
    "sensor_status": "Zustand des Sensors",
    "payload_format": "Nutzlastformat",
    "topic": "Topic",
    "profile": "Profil",
    "interval_s": "Intervall",
    "class_scheme": "Klassenschema",
    "output": "Ausgang",
    "since": "seit",
    "until": "bis",
    "mapping": "Zuordnung",
    "calibrations": "Kalibrierungen",
    "corridor": "Strecke",
    "corridor_name": "Name der Strecke",
    "chainage_m": "Station",
    "junction": "Knoten",
    "junction_name": "Name des Knotens",
    "leads": "führt",
}


@cache
def columns() -> tuple[Column, ...]:
    """Return the columns in the order of a table."""
    found = list(_columns())
    several = Counter(column.field for column in found)
    several["name"] += 1
    return tuple(
        column._replace(name=f"{column.kind}_{column.field}")
        if several[column.field] > 1
        and column.field != "key"
        and (column.kind, column.field)
        not in {("site", "latitude"), ("site", "longitude")}
        else column
        for column in found
    )


@cache
def columns_of_kind(kind: Kind) -> tuple[Column, ...]:
    """Return the columns of a kind of entry."""
    return tuple(column for column in columns() if column.kind == kind)


def column_name(record: type[Struct], field: str) -> str:
    """Return the name of the column of a record's field."""
    named = (c.name for c in columns() if (RECORDS[c.kind], c.field) == (record, field))
    return next(named, field)


def _columns() -> Iterator[Column]:
    for kind, record in RECORDS.items():
        if kind != "installation":
            yield Column(kind, kind, "key", "text")
        for field in structs.fields(record):
            if field.name in _ELSEWHERE or (
                kind == "installation" and field.name in ("site", "channel")
            ):
                continue
            yield Column(field.name, kind, field.name, _reads(field.type))
        if kind in _OF_ROADS:
            row, name = _OF_ROADS[kind]
            (type_,) = (f.type for f in structs.fields(row) if f.name == name)
            yield Column(name, kind, name, _reads(type_))


def _reads(type_: object) -> Reads:
    info = msgspec.inspect.type_info(type_)
    options = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    for each in options:
        inner = each.type if isinstance(each, msgspec.inspect.Metadata) else each
        if not isinstance(inner, msgspec.inspect.NoneType):
            return _TYPES.get(type(inner), "json")
    return "json"


def plain(heading: str) -> str:
    """Return a heading as it is compared: without case, blanks and marks."""
    heading = re.sub(r"\(.*?\)|\[.*?\]", "", heading).casefold()
    for umlaut, letters in (("ä", "ae"), ("ö", "oe"), ("ü", "ue")):
        heading = heading.replace(umlaut, letters)
    return re.sub(r"[^a-z0-9]", "", heading)


@cache
def by_heading() -> dict[str, Column]:
    """Return the columns by their headings in German and English."""
    return {
        plain(heading): column
        for column in columns()
        for heading in (GERMAN.get(column.name, column.name), column.name)
    }
