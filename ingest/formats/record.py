"""What a foreign payload holds, before the registry says what it means."""

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

#: None: the field is there, and says that there is no value.
Value = bool | int | float | str | None

#: Fields nested more deeply are left out.
DEEPEST: Final = 16
#: Characters of a path. Longer ones are left out: no mapping can name them, and a long
#: key over many values would take a thousand times the memory of the payload.
LONGEST: Final = 256

_NUMBER: Final = re.compile(
    r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,3})?", re.ASCII
)


class Stamp(NamedTuple):
    """A time that a payload tells, as it stands there."""

    #: the field, e.g. `received_at`
    field: str
    said: object
    #: aware; None where that is no time that can be used
    time: datetime | None
    #: another time of the payload speaks against it
    doubtful: bool = False


class Record(NamedTuple):
    """The fields of a payload that belong to one time, by path."""

    #: aware; None where the payload has none that the format knows
    time: datetime | None
    fields: dict[str, Value]
    time_origin: int = DEVICE
    #: a number that grows by one with each message
    seq: int | None = None
    #: the device and its session where `seq` counts frames of a radio network: one that
    #: comes again under its number is the same, whatever its time
    session: str | None = None
    #: where the payload tells the interval; `time` then is its start
    interval_s: int | None = None
    #: the field with the share of the interval that the device says it observed
    observed: str | None = None
    #: whether counts were scaled up from what was observed to the whole interval
    scaled: bool = False
    #: units that the payload tells, by path
    units: Mapping[str, str] = MappingProxyType({})
    #: in place of `time`: the first of these that can be right is the time
    stamps: tuple[Stamp, ...] = ()
    #: Fields that stand in an earlier record of this time came again: what of them is
    #: not here is as it was there.
    again: bool = False
    #: fields that are there and hold no reading, with the reason
    unusable: Mapping[str, Unusable] = MappingProxyType({})


#: A foreign format: topic, payload and time of receipt in, records out, and for each
#: part of a list that is none, why. None at all where the message is of a kind that
#: holds no readings. Raises `Unusable` where the message as a whole is.
DecodeForeign = Callable[[str, bytes, datetime], Sequence[Record | Unusable]]


class Entry(NamedTuple):
    """One thing that a format remembers of earlier messages."""

    key: str
    at: datetime
    #: JSON
    content: bytes


class Memory(Protocol):
    """A format that remembers earlier messages, and decodes with what it remembers.

    It belongs to whoever collects messages, who stores what is new with a batch, and
    reads what others stored together with the registry.
    """

    def decode(
        self, topic: str, payload: bytes, received_at: datetime, /
    ) -> Sequence[Record | Unusable]:
        """Decode a message, see `DecodeForeign`."""

    def learn(self, entries: Iterable[Entry], /) -> None:
        """Take over entries from where they are stored, where they are newer."""

    def unsaved(self) -> Sequence[Entry]:
        """Return the entries that are to be stored."""

    def saved(self, entries: Sequence[Entry], /) -> None:
        """Take note that entries are stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stateful:
    """How a format remembers: what makes its memory, and where that is stored."""

    memory: Callable[[], Memory]
    #: Names of the queries that read entries (key, at, content; `most` of them, those
    #: read last are the newest) and write one.
    read: str
    write: str
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A foreign payload format, by the name that the registry uses."""

    name: str
    #: how its messages are decoded: by themselves, or with what was remembered
    decode: DecodeForeign | Stateful
    #: The levels of a topic that name the device, where the format fixes its topics.
    device_levels: tuple[int, ...] | None = None


def each(
    parts: Sequence[Any], make: Callable[[Any], Record]
) -> Sequence[Record | Unusable]:
    """Make a record of each part; of one that is none, say why, and where it is."""
    found: list[Record | Unusable] = []
    for index, part in enumerate(parts):
        try:
            found.append(make(part))
        except Unusable as problem:
            found.append(placed(index, problem))
    return settled(found)


def settled(found: Sequence[Record | Unusable]) -> Sequence[Record | Unusable]:
    """Return what was found; raise what is wrong where that is all there is."""
    if len(found) == 1 and isinstance(found[0], Unusable):
        raise found[0]
    return found


def records_of(
    groups: Iterable[G], make: Callable[[G], Record], problems: Sequence[Unusable]
) -> Sequence[Record | Unusable]:
    """Make a record of each group of fields, beside the problems that there are."""
    found: list[Record | Unusable] = [*problems]
    for group in groups:
        try:
            found.append(make(group))
        except Unusable as problem:
            found.append(problem)
    return settled(found)


def as_object(value: Any) -> dict[str, Any]:
    """Take an object of a list; `Unusable` where it is something else."""
    return as_kind(value, dict[str, Any])


def as_kind(value: Any, kind: "type[T]") -> T:
    """Convert a part of a payload, with what is wrong as the reason."""
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, OverflowError) as error:
        raise Unusable("unreadable", VERBATIM, explained(error)) from error


def usable(parts: Any, kind: "type[T]") -> list[T]:
    """Take what is usable of a list that readings do not need."""
    found = []
    for part in parts if isinstance(parts, list) else ():
        with contextlib.suppress(msgspec.ValidationError, OverflowError):
            found.append(msgspec.convert(part, kind))
    return found


def read_json(decoder: "msgspec.json.Decoder[T]", payload: bytes) -> T:
    """Decode, with what is wrong as the reason."""
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
        if known and len(path) <= LONGEST:
            yield path, value
        return
    if depth < DEEPEST and len(path) < LONGEST:
        for key, each in inner:
            yield from _leaves(each, f"{path}.{key}" if path else str(key), depth + 1)


def number_of(text: str) -> float | None:
    """Read a number that is written as text; None where it is none.

    No hexadecimal, no thousands, no decimal comma, nothing infinite.
    """
    if not _NUMBER.fullmatch(text.strip()):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def as_quoted(text: str) -> str:
    """Return the detail of a text that is no number: why, where that is known."""
    return _("{}, with a decimal comma") if "," in text else "{}"


def stamp(field: str, said: object, *, zone: tzinfo | None = None) -> tuple[Stamp, ...]:
    """Read a field that should hold an ISO 8601 time; none where it is empty.

    `zone`: of a time without offset, where the format says which one that is in.
    """
    if said is None or (isinstance(said, str) and not said.strip()):
        return ()
    time = None
    text = said if isinstance(said, str) else ""
    try:
        time = msgspec.convert(text, datetime)  # to the nearest microsecond
    except msgspec.ValidationError:
        with contextlib.suppress(ValueError):
            time = datetime.fromisoformat(text)
    if time is not None and time.tzinfo is None:
        time = time.replace(tzinfo=zone) if zone else None
    return (Stamp(field, said, time),)


def no_time(found: Stamp) -> Unusable:
    """Describe why a time cannot be used, and what to do."""
    text = f"{found.field} = {found.said!r}"[:120]
    said = str(found.said)
    if number_of(said) is not None and not isinstance(found.said, bool):
        return Unusable(
            "not-a-time", _("{} is a number: name it in `times`, with its unit"), text
        )
    try:
        datetime.fromisoformat(said)
    except ValueError:
        return Unusable("not-a-time", text)
    return Unusable(
        "not-a-time", _("{} has no offset: name it in `times`, with its zone"), text
    )


Place = TypeVar("Place", bound=Hashable)


def gather(
    found: Iterable[tuple[Place, dict[str, Value]]],
) -> Iterator[tuple[Place, dict[str, Value], bool]]:
    """Put fields together that belong to one place, as a rule a time.

    What comes a second time at its place is not put over the first, but into a next
    group there: True then, see `Record.again`.
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
    """Read an ISO 8601 time with offset; None where it is none, or has none."""
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time if time.tzinfo is not None else None
