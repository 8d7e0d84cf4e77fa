"""Records: the fields of a foreign payload, before the registry's mapping."""

import contextlib
import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import msgspec

from ingest.formats import DEVICE
from ingest.formats.salvage import placed
from ingest.reasons import NOT_UTF8, TOO_DEEP, VERBATIM, Unusable, explained
from verkehrspuls.text import mark as _

T = TypeVar("T")
G = TypeVar("G")

#: Value of a field; None if the field is present without a value.
Value = bool | int | float | str | None

#: Maximum depth of fields; more deeply nested ones are left out.
MAX_FIELD_DEPTH: Final = 16
#: Maximum characters of a path. Fields with a longer one are left out: no mapping can
#: name them, and a long key over many values would multiply the payload's memory.
MAX_PATH_LENGTH: Final = 256

_NUMBER: Final = re.compile(
    r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,3})?", re.ASCII
)


class Stamp(NamedTuple):
    """A time field of a payload, with its original value."""

    #: the field, e.g. `received_at`
    field: str
    #: the value in the payload
    said: object
    #: aware; None if the value is not a usable time
    time: datetime | None
    #: contradicted by another time of the payload
    doubtful: bool = False


class Record(NamedTuple):
    """The fields of a payload that belong to one time, by path."""

    #: aware; None if the payload has no time known to the format
    time: datetime | None
    fields: dict[str, Value]
    time_origin: int = DEVICE
    #: sequence number of the message
    seq: int | None = None
    #: device and session, if `seq` counts frames of a radio network: a frame with the
    #: same number in a session is a repetition, whatever its time
    session: str | None = None
    #: length of the interval, if the payload has it; `time` then is its start
    interval_s: int | None = None
    #: name of the field with the observed share of the interval
    observed: str | None = None
    #: whether the device scaled counts up from the observed part to the interval
    scaled: bool = False
    #: units in the payload, by path
    units: Mapping[str, str] = MappingProxyType({})
    #: used instead of `time`: the first plausible one is the time
    stamps: tuple[Stamp, ...] = ()
    #: whether it repeats fields of an earlier record of the same time; fields missing
    #: here keep their values from there
    again: bool = False
    #: fields that are present but unusable, with the reason
    unusable: Mapping[str, Unusable] = MappingProxyType({})


#: Decodes a foreign format from topic, payload and time of receipt. Returns records,
#: and a problem for each unusable part of a list; nothing for a kind of message without
#: readings. Raises `Unusable` if the whole message is unusable.
DecodeForeign = Callable[[str, bytes, datetime], Sequence[Record | Unusable]]


class Entry(NamedTuple):
    """One item in the memory of a stateful format."""

    key: str
    at: datetime
    #: JSON
    content: bytes


class Memory(Protocol):
    """The memory of a stateful format, which decodes with what it remembers.

    A collector of messages owns it: it stores new entries with each batch, and learns
    the entries that others stored whenever it reads the registry.
    """

    def decode(
        self, topic: str, payload: bytes, received_at: datetime, /
    ) -> Sequence[Record | Unusable]:
        """Decode a message; see `DecodeForeign`."""

    def learn(self, entries: Iterable[Entry], /) -> None:
        """Add stored entries that are newer than the remembered ones."""

    def unsaved(self) -> Sequence[Entry]:
        """Return the entries that are not stored yet."""

    def saved(self, entries: Sequence[Entry], /) -> None:
        """Mark entries as stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stateful:
    """How a format remembers: the factory of its memory, and its storage."""

    memory: Callable[[], Memory]
    #: names of the queries that read entries (key, at, content; at most `most`, the
    #: newest last) and that write one
    read: str
    write: str
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How a network server of LoRaWAN devices publishes their uplinks."""

    #: topic filter of a device, with places for its ids
    topic: str
    #: topic of one uplink
    uplink_topic: str
    #: path of what the codec of the device returns
    fields: str
    #: make the payload of an uplink: of a device's `ids` by name, the `fields` that its
    #: codec returns, the `port`, and the `time` at a gateway
    payload: Callable[..., bytes]
    #: return what the codec returned in an uplink's payload, and the port; nothing of
    #: what is none
    opened: Callable[[bytes], tuple[Mapping[str, Any], int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A foreign payload format, by the name that the registry uses."""

    name: str
    #: decoder without a memory, or with one
    decode: DecodeForeign | Stateful
    #: levels of the topic that name the device, if the format fixes its topics
    device_levels: tuple[int, ...] | None = None
    #: if it is that of a network server
    network: Network | None = None


def records_of_parts(
    parts: Sequence[Any], make: Callable[[Any], Record]
) -> Sequence[Record | Unusable]:
    """Make a record of each part, or a problem with its place in the list."""
    found: list[Record | Unusable] = []
    for index, part in enumerate(parts):
        try:
            found.append(make(part))
        except Unusable as problem:
            found.append(placed(index, problem))
    return settled(found)


def settled(found: Sequence[Record | Unusable]) -> Sequence[Record | Unusable]:
    """Return records and problems; raise the problem if it is the only item."""
    if len(found) == 1 and isinstance(found[0], Unusable):
        raise found[0]
    return found


def records_of(
    groups: Iterable[G], make: Callable[[G], Record], problems: Sequence[Unusable]
) -> Sequence[Record | Unusable]:
    """Make a record, or a problem, of each group; append them to `problems`."""
    found: list[Record | Unusable] = [*problems]
    for group in groups:
        try:
            found.append(make(group))
        except Unusable as problem:
            found.append(problem)
    return settled(found)


def as_object(value: Any) -> dict[str, Any]:
    """Return an element of a list as an object; raise `Unusable` if it is not one."""
    return as_kind(value, dict[str, Any])


def as_kind(value: Any, kind: "type[T]") -> T:
    """Convert a part of a payload; raise `Unusable` with the problem."""
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, OverflowError) as error:
        raise Unusable("unreadable", VERBATIM, explained(error)) from error


def usable(parts: Any, kind: "type[T]") -> list[T]:
    """Convert the usable elements of an optional list; leave the others out."""
    found = []
    for part in parts if isinstance(parts, list) else ():
        with contextlib.suppress(msgspec.ValidationError, OverflowError):
            found.append(msgspec.convert(part, kind))
    return found


def read_json(decoder: "msgspec.json.Decoder[T]", payload: bytes) -> T:
    """Decode JSON; raise `Unusable` with the problem."""
    try:
        return decoder.decode(payload)
    except UnicodeDecodeError as error:
        raise Unusable("not-utf8", NOT_UTF8, error.start) from error
    except RecursionError as error:
        raise Unusable("too-deep", TOO_DEEP) from error
    except msgspec.MsgspecError as error:
        raise Unusable("unreadable", VERBATIM, explained(error)) from error


def flatten(value: Any, path: str = "") -> dict[str, Value]:
    """Turn nested objects and arrays into fields by path, e.g. `lanes.0.car`."""
    return dict(_leaves(value, path, 0))


def _leaves(value: Any, path: str, depth: int) -> Iterator[tuple[str, Value]]:
    if isinstance(value, dict):
        inner: Iterable[tuple[object, Any]] = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    else:
        known = value is None or isinstance(value, bool | int | float | str)
        if known and len(path) <= MAX_PATH_LENGTH:
            yield path, value
        return
    if depth < MAX_FIELD_DEPTH and len(path) < MAX_PATH_LENGTH:
        for key, each in inner:
            yield from _leaves(each, f"{path}.{key}" if path else str(key), depth + 1)


def number_of(text: str) -> float | None:
    """Parse a number; None if the text is not one.

    Hexadecimal, thousands separators, a decimal comma and infinity are not accepted.
    """
    if not _NUMBER.fullmatch(text.strip()):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def as_quoted(text: str) -> str:
    """Return the detail text for a text that is not a number, with a known cause."""
    return _("{}, with a decimal comma") if "," in text else "{}"


def stamp(
    field: str, value: object, *, zone: tzinfo | None = None
) -> tuple[Stamp, ...]:
    """Parse a field with an ISO 8601 time; return nothing if it is empty.

    `zone` is the zone that the format defines for times without an offset.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return ()
    time = None
    text = value if isinstance(value, str) else ""
    try:
        time = msgspec.convert(text, datetime)  # to the nearest microsecond
    except msgspec.ValidationError:
        with contextlib.suppress(ValueError):
            time = datetime.fromisoformat(text)
    if time is not None and time.tzinfo is None:
        time = time.replace(tzinfo=zone) if zone else None
    return (Stamp(field, value, time),)


def no_time(found: Stamp) -> Unusable:
    """Return the problem of an unusable time, with the remedy."""
    text = f"{found.field} = {found.said!r}"[:120]
    value = str(found.said)
    if number_of(value) is not None and not isinstance(found.said, bool):
        return Unusable(
            "not-a-time", _("{} is a number: name it in `times`, with its unit"), text
        )
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return Unusable("not-a-time", text)
    return Unusable(
        "not-a-time", _("{} has no offset: name it in `times`, with its zone"), text
    )


Place = TypeVar("Place", bound=Hashable)


def gather(
    found: Iterable[tuple[Place, dict[str, Value]]],
) -> Iterator[tuple[Place, dict[str, Value], bool]]:
    """Group fields by place, usually a time.

    A field that occurs again at its place does not replace the first one: it goes into
    a further group of that place, yielded with True (see `Record.again`).
    """
    groups: dict[tuple[Place, int], dict[str, Value]] = {}
    times: Counter[tuple[Place, str]] = Counter()
    for place, fields in found:
        number = max((times[place, path] for path in fields), default=0)
        groups.setdefault((place, number), {}).update(fields)
        for path in fields:
            times[place, path] = number + 1
    for (place, number), fields in groups.items():
        yield place, fields, number > 0


def aware(text: str | None) -> datetime | None:
    """Parse an ISO 8601 time; None if it is invalid or has no offset."""
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time if time.tzinfo is not None else None
