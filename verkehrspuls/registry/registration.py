"""A registration as entries: compare two of them, and lay one over another.

Pure: what is registered comes as a `Town`, and so does what it is to become.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Struct, structs

from verkehrspuls.errors import UnknownKey
from verkehrspuls.model import (
    Channel,
    Corridor,
    Installation,
    Junction,
    Sensor,
    Site,
    Town,
)
from verkehrspuls.text import mark
from verkehrspuls.wording import Phrase

Kind = Literal[
    "municipality", "site", "channel", "sensor", "installation", "corridor", "junction"
]
#: Fields that hold entries of their own.
_INNER: Final[Mapping[Kind, tuple[str, ...]]] = {
    "municipality": ("sites", "sensors", "corridors", "junctions"),
    "site": ("channels",),
    "sensor": ("installations",),
}

#: Where entries are: the field of the town, and of the entry that they are part of.
_LISTS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "site": ("sites",),
    "channel": ("sites", "channels"),
    "sensor": ("sensors",),
    "installation": ("sensors", "installations"),
    "corridor": ("corridors",),
    "junction": ("junctions",),
}
#: Records of the kinds.
RECORDS: Final[Mapping[Kind, type[Struct]]] = {
    "municipality": Town,
    "site": Site,
    "channel": Channel,
    "sensor": Sensor,
    "installation": Installation,
    "corridor": Corridor,
    "junction": Junction,
}
_OUTPUT: Final = mark("output")
#: An installation is named by its sensor.
_NAMES: Final[Mapping[Kind, str]] = {
    "municipality": mark("municipality"),
    "site": mark("site"),
    "channel": mark("channel"),
    "sensor": mark("sensor"),
    "installation": mark("sensor"),
    "corridor": mark("corridor"),
    "junction": mark("junction"),
}


class Entry(NamedTuple):
    """An entry of a registration, by its kind and key.

    The key of a channel is `site/channel`, that of an installation
    `sensor/output/since`.
    """

    kind: Kind
    key: str

    @property
    def phrase(self) -> Phrase:
        """The entry's kind and key."""
        named = Phrase(_NAMES[self.kind])
        if self.kind != "installation":
            return Phrase("{} {}", (named, self.key))
        sensor, _, rest = self.key.partition("/")
        values = (named, sensor, Phrase(_OUTPUT), rest.rpartition("/")[0])
        return Phrase("{} {}, {} {}", values)

    def in_language(self, language: str) -> str:
        """Return the entry's kind and key in a language."""
        return self.phrase.in_language(language)


class Change(NamedTuple):
    """An entry that differs: None before it is added, and after it is removed."""

    entry: Entry
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    @property
    def fields(self) -> list[str]:
        """Return the names of the fields that differ."""
        before, after = self.before or {}, self.after or {}
        return [
            name
            for name in dict.fromkeys((*before, *after))
            if before.get(name) != after.get(name)
        ]

    def summary(self) -> dict[str, Any]:
        """Return what differs, for JSON: the fields before and after."""
        before, after = (
            None if side is None else {name: side.get(name) for name in self.fields}
            for side in (self.before, self.after)
        )
        action = "add" if before is None else "remove" if after is None else "change"
        return self.entry._asdict() | {
            "action": action,
            "before": before,
            "after": after,
        }


def entries(town: Town) -> dict[Entry, dict[str, Any]]:
    """Return the entries of a town, each with its own fields."""
    return {entry: own_fields(entry.kind, record) for entry, record in walk(town)}


def difference(before: Town | None, after: Town) -> list[Change]:
    """Return the entries that differ, in the order of the kinds."""
    old = entries(before) if before else {}
    new = entries(after)
    return [
        Change(entry, old.get(entry), new.get(entry))
        for entry in dict.fromkeys((*new, *old))
        if old.get(entry) != new.get(entry)
    ]


def overlay(town: Town, over: Town, *, keep: bool = False) -> Town:
    """Lay a registration over another one: entries that only one of them has stay.

    A sensor, a corridor and a junction are replaced as a whole. `keep`: of sites and
    channels that both have, the facts of the lower one stay.
    """
    sites = {site.key: site for site in town.sites}
    for site in over.sites:
        sites[site.key] = (
            _overlay_site(sites[site.key], site, keep=keep)
            if site.key in sites
            else site
        )
    return structs.replace(
        over,
        sites=tuple(sites.values()),
        sensors=_by_key(town.sensors, over.sensors),
        corridors=_by_key(town.corridors, over.corridors),
        junctions=_by_key(town.junctions, over.junctions),
    )


def _overlay_site(site: Site, over: Site, *, keep: bool) -> Site:
    upper = (over.channels, site.channels) if keep else (site.channels, over.channels)
    return structs.replace(site if keep else over, channels=_by_key(*upper))


def _by_key(*layers: Iterable[Any]) -> tuple[Any, ...]:
    """Return the records of all layers; of the same key, that of the last layer."""
    return tuple({each.key: each for layer in layers for each in layer}.values())


def put(town: Town, entry: Entry, fields: Mapping[str, Any] | None) -> Town:
    """Return a town with an entry added or replaced, or (None) without it.

    The entry keeps its inner entries. Raise `msgspec.ValidationError` for fields that
    are none of the kind, and `UnknownKey` where what it is part of is missing.
    """
    if entry.kind == "municipality":
        inner = {each: getattr(town, each) for each in _INNER["municipality"]}
        return msgspec.convert({**(fields or {}), **inner, "key": entry.key}, Town)
    *outer, name = _LISTS[entry.kind]
    if not outer:
        whole: Town = _put(town, name, entry, entry.key, fields)
        return whole
    owner, _, key = entry.key.partition("/")
    records = getattr(town, outer[0])
    at = next(
        (number for number, each in enumerate(records) if each.key == owner), None
    )
    if at is None:
        raise UnknownKey(kind=outer[0].removesuffix("s"), key=f"{town.key}/{owner}")
    changed = list(records)
    changed[at] = _put(records[at], name, entry, key, fields)
    return structs.replace(town, **{outer[0]: tuple(changed)})


def _put(
    owner: Any, name: str, entry: Entry, key: str, fields: Mapping[str, Any] | None
) -> Any:
    """Return the record with one entry of a list added, replaced or left out."""
    kind = entry.kind
    found = {_key(kind, each): each for each in getattr(owner, name)}
    old = found.pop(key, None)
    if fields is not None:
        inner = {each: getattr(old, each, ()) for each in _INNER.get(kind, ())}
        record = msgspec.convert({**fields, **inner}, RECORDS[kind])
        found[_key(kind, record)] = record
    return structs.replace(owner, **{name: tuple(found.values())})


def _key(kind: Kind, record: Any) -> str:
    if kind == "installation":
        return f"{record.output}/{record.since.astimezone(UTC).isoformat()}"
    return str(record.key)


def version(fields: Mapping[str, Any] | None) -> str:
    """Return what tells this state of an entry from every other one."""
    text = msgspec.json.encode(fields, order="deterministic")
    return hashlib.blake2b(text, digest_size=12).hexdigest()


def walk(town: Town) -> Iterator[tuple[Entry, Struct]]:
    """Yield the entries of a town, each with its record."""
    yield Entry("municipality", town.key), town
    for site in town.sites:
        yield Entry("site", site.key), site
        for channel in site.channels:
            yield Entry("channel", f"{site.key}/{channel.key}"), channel
    for sensor in town.sensors:
        yield Entry("sensor", sensor.key), sensor
        for each in sensor.installations:
            yield installation_entry(sensor, each), each
    for corridor in town.corridors:
        yield Entry("corridor", corridor.key), corridor
    for junction in town.junctions:
        yield Entry("junction", junction.key), junction


def installation_entry(sensor: Sensor, installation: Installation) -> Entry:
    """Return the entry of an installation."""
    return Entry("installation", f"{sensor.key}/{_key('installation', installation)}")


def own_fields(kind: Kind, record: Struct) -> dict[str, Any]:
    """Return the fields of a record as JSON has them, but those of inner entries."""
    inner = _INNER.get(kind, ())
    fields: dict[str, Any] = msgspec.to_builtins(
        {
            name: value.astimezone(UTC) if isinstance(value, datetime) else value
            for name, value in structs.asdict(record).items()
            if name not in inner
        }
    )
    return fields
