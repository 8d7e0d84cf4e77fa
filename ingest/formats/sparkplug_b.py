"""Sparkplug B: metrics in protobuf, named once at birth and then by alias.

Topic `spBv1.0/{group}/{type}/{edge}[/{device}]`; register with `+` in place of the
type, e.g. `spBv1.0/stadt/+/schrank-7/zaehler-1`. `DBIRTH`, `DDATA`, `NBIRTH` and
`NDATA` hold readings; deaths, commands and states are counted and left.

- Fields: the metric's name, e.g. `Counts/Car`. A metric that `is_null` is a gap.
- A metric with an alias and no name has the name that the last birth of that edge or
  device gave it. Births are kept in the database, so that they hold when the worker is
  started anew, and for all workers. What comes before any birth is kept as `no-birth`,
  and can be replayed after it.
- A birth of the edge ends what its devices were called before: each is born anew.
- Compressed payloads are refused.
- Metrics of one timestamp belong together, historical ones too: a reading's place is
  its time. Of a metric that comes again at its time, the later value corrects the
  earlier. One that `is_transient` is not to be stored, and is rejected.
- Time: the metric's timestamp, else the payload's, in milliseconds.
- By its specification data come at quality of service 0: what is lost on the way to the
  worker is not repeated.
- `seq` is not read: it counts the messages of an edge with all its devices, so that
  there are gaps in those of one.
"""

import struct
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from ingest.formats.record import (
    Entry,
    Format,
    Record,
    Stateful,
    Value,
    gather,
    records_of,
)
from ingest.formats.salvage import placed
from ingest.reasons import Detail, Unusable
from verkehrspuls.text import mark as _

EXAMPLES: Final = (
    (
        "spBv1.0/stadt/DBIRTH/schrank-7/zaehler-1",
        bytes.fromhex(
            "08 80 f4 c6 fd 9f 34"  # timestamp
            " 12 12 0a 0a 436f756e74732f436172 10 01 20 07 50 0c"  # Counts/Car
            " 18 01"  # seq
        ),
    ),
    (
        "spBv1.0/stadt/DDATA/schrank-7/zaehler-1",
        bytes.fromhex("08 e0 9b d9 fd 9f 34 12 06 10 01 20 07 50 0e 18 02"),
    ),
)

#: How many edges and devices, and how many metrics of each, are remembered.
DEVICES: Final = 1_000
METRICS: Final = 1_000
#: What stands for a name where the metrics are in a compressed body.
_COMPRESSED: Final = b"SPBV1.0_COMPRESSED"
_TYPES: Final = ("DBIRTH", "DDATA", "NBIRTH", "NDATA")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: Signed integers by data type, with their width in bits.
_SIGNED: Final = {1: 8, 2: 16, 3: 32, 4: 64}
#: What else a metric may hold, by its field's number.
_NO_NUMBERS: Final = {16: "bytes_value", 17: "dataset_value", 18: "template_value"}


class Metric(NamedTuple):
    """A metric as it stands in the payload."""

    name: str | None = None
    alias: int | None = None
    timestamp: int | None = None
    datatype: int = 0
    value: Value = None
    #: not to be stored, says the device
    is_transient: bool = False


class Birth(NamedTuple):
    """What an edge or device said when it was born."""

    #: when that was received
    at: datetime
    #: names and data types by alias
    names: dict[int, tuple[str, int]]


class Births:
    """The last birth of each edge and device, which says what aliases mean."""

    def __init__(self) -> None:
        self._born: OrderedDict[str, Birth] = OrderedDict()
        self._unsaved: OrderedDict[str, Birth] = OrderedDict()

    def unsaved(self) -> list[Entry]:
        """Return the births that are to be stored, by edge or device."""
        births = sorted(dict(self._unsaved).items())
        return [
            Entry(device, birth.at, msgspec.json.encode(birth.names))
            for device, birth in births
        ]

    def saved(self, entries: Sequence[Entry]) -> None:
        """Take note that births are stored."""
        stored = set(entries)
        for entry in self.unsaved():
            if entry in stored:
                self._unsaved.pop(entry.key, None)

    def learn(self, entries: Iterable[Entry]) -> None:
        """Take over births from where they are stored, where they are newer."""
        for device, at, names in entries:
            known = self._born.get(device)
            if known is None or known.at < at:
                _put(self._born, device, Birth(at, _stored.decode(names)))

    def remember(self, device: str, birth: Birth) -> None:
        """Remember a birth that was received just now."""
        for births in (self._born, self._unsaved):
            _put(births, device, birth)

    def names(self, device: str) -> dict[int, tuple[str, int]]:
        """Return what aliases mean; nothing where the edge was born again since."""
        birth = self._born.get(device)
        edge = self._born.get("/".join(device.split("/")[:2]))
        if birth is None or (edge is not None and edge.at > birth.at):
            return {}
        return birth.names

    def decode(
        self, topic: str, payload: bytes, received_at: datetime
    ) -> Sequence[Record | Unusable]:
        """Decode a birth or data message; keep the metrics of a birth."""
        return _decode(self, topic, payload, received_at)


_stored: Final = msgspec.json.Decoder(dict[int, tuple[str, int]])


def _decode(
    births: Births, topic: str, payload: bytes, received_at: datetime
) -> Sequence[Record | Unusable]:
    parts = topic.split("/")
    if len(parts) not in (4, 5) or parts[2] not in _TYPES:
        return []
    device = "/".join((parts[1], *parts[3:]))
    problems: list[Unusable] = []
    try:
        timestamp, metrics = _payload(payload, problems)
    except _FAULTS as error:
        raise _no_protobuf(error) from error
    if parts[2].endswith("BIRTH"):
        births.remember(device, Birth(received_at, _names_in(metrics)))
    names = births.names(device)
    found: list[tuple[int | None, dict[str, Value]]] = []
    passing = {}
    for index, metric in enumerate(metrics):
        try:
            name, value = _named(metric, names)
        except Unusable as problem:
            problems.append(placed(index, problem))
            continue
        at = timestamp if metric.timestamp is None else metric.timestamp
        found.append((at, {name: value}))
        if metric.is_transient:
            passing[name] = Unusable("not-to-be-stored", repr(name))

    def record(group: tuple[int | None, dict[str, Value], bool]) -> Record:
        at, fields, again = group
        return Record(_time(at), fields, again=again, unusable=passing)

    return records_of(gather(found), record, problems)


def _names_in(metrics: list[Metric]) -> dict[int, tuple[str, int]]:
    return {
        metric.alias: (metric.name[:256], metric.datatype)
        for metric in metrics[:METRICS]
        if metric.alias is not None and metric.name is not None
    }


def _put(births: OrderedDict[str, Birth], device: str, birth: Birth) -> None:
    births[device] = birth
    births.move_to_end(device)
    if len(births) > DEVICES:
        births.popitem(last=False)


def _named(metric: Metric, names: dict[int, tuple[str, int]]) -> tuple[str, Value]:
    name, datatype = metric.name, metric.datatype
    if metric.alias is not None and metric.alias in names:
        born_name, born_type = names[metric.alias]
        name, datatype = name or born_name, datatype or born_type
    if not name:
        raise Unusable("no-birth", f"alias = {metric.alias}")
    value = metric.value
    bits = _SIGNED.get(datatype)
    if bits and type(value) is int and value >= 1 << (bits - 1):
        # 8 and 16 bits may come as they are, or extended to 32
        width = bits if value < 1 << bits else max(bits, 32)
        value -= 1 << width
    return name, value


def _time(milliseconds: int | None) -> datetime | None:
    if milliseconds is None:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError as error:
        raise Unusable("not-a-time", f"timestamp = {milliseconds}") from error


# Of protobuf only what these two messages need; the schema is that of Eclipse Tahu,
# sparkplug_b.proto. Field numbers stand where they are used.


#: What we say ourselves; all else means that the payload is shorter than it says.
_OURS: Final = (_("cut off"), _("a number of more than 64 bits"))
_FAULTS: Final = (IndexError, OverflowError, UnicodeDecodeError)


def _no_protobuf(error: Exception) -> Unusable:
    known = str(error) if isinstance(error, IndexError) else ""
    said = Detail.of(known if known in _OURS else _("cut off"))
    return Unusable("unreadable", _("not protobuf: {}"), said)


def _payload(
    payload: bytes, problems: list[Unusable]
) -> tuple[int | None, list[Metric]]:
    timestamp = None
    metrics = []
    for number, value in _fields(payload):
        if number == 1 and isinstance(value, int):
            timestamp = value
        elif number == 2 and isinstance(value, bytes):
            try:
                metrics.append(_metric(value))
            except _FAULTS as error:
                problems.append(placed(len(metrics), _no_protobuf(error)))
        elif number == 4 and value == _COMPRESSED:
            raise Unusable("unreadable", _("the payload is compressed"))
    return timestamp, metrics


def _metric(message: bytes) -> Metric:
    found: dict[str, object] = {}
    is_null = False
    for number, value in _fields(message):
        if isinstance(value, int):
            if number in (2, 3, 4):
                found[("alias", "timestamp", "datatype")[number - 2]] = value
            elif number == 6:
                found["is_transient"] = value != 0
            elif number == 7:
                is_null = value != 0
            elif number in (10, 11):
                found["value"] = value
            elif number == 12:
                found["value"] = struct.unpack("<f", value.to_bytes(4, "little"))[0]
            elif number == 13:
                found["value"] = struct.unpack("<d", value.to_bytes(8, "little"))[0]
            elif number == 14:
                found["value"] = value != 0
        elif number == 1:
            found["name"] = value.decode()
        elif number == 15:
            found["value"] = value.decode()
        elif number in _NO_NUMBERS:
            found["value"] = _NO_NUMBERS[number]
    if is_null:
        found["value"] = None
    return Metric(**found)  # type: ignore[arg-type]


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Take a message apart: number and content of each field; IndexError if cut off."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(message, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise IndexError(f"wire type {wire}")
        if at + size > len(message):
            raise IndexError(_("cut off"))
        content = message[at : at + size]
        at += size
        yield number, content if wire == 2 else int.from_bytes(content, "little")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise IndexError(_("a number of more than 64 bits"))


FORMATS: Final = (
    Format(
        name="sparkplug-b",
        decode=Stateful(memory=Births, read="births", write="put_birth", most=DEVICES),
        device_levels=(3, 4),
    ),
)
