"""Sparkplug B: metrics in protobuf, named once at birth and then by alias.

Topic `spBv1.0/{group}/{type}/{edge}[/{device}]`; register with `+` in place of the
type, e.g. `spBv1.0/stadt/+/schrank-7/zaehler-1`. `DBIRTH`, `DDATA`, `NBIRTH` and
`NDATA` have readings; deaths, commands and states are counted and ignored.

- Fields: the metric's name, e.g. `Counts/Car`. A metric that `is_null` is a gap.
- A metric with an alias and no name has the name that the last birth of its edge or
  device defined. Births are stored in the database, for all workers and for the time
  after a restart. Data without a birth are kept as `no-birth`, and can be replayed
  after it.
- A birth of the edge invalidates the births of its devices: each device must send
  another one.
- Compressed payloads are refused.
- Metrics of one timestamp belong together, historical ones too. If a metric occurs
  again at the same time, the later value corrects the earlier one. A metric that
  `is_transient` must not be stored, and is rejected.
- Time: the metric's timestamp, else the payload's, in milliseconds.
- The specification demands quality of service 0 for data: messages lost on the way to
  the worker are not repeated.
- `seq` is ignored: it counts the messages of an edge with all its devices, so the
  numbers of one device have gaps.
"""

import struct
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

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

#: Remembered edges and devices, and remembered metrics of each.
MAX_DEVICES: Final = 1_000
MAX_METRICS: Final = 1_000
#: Identifier of a payload whose metrics are in a compressed body.
_COMPRESSED: Final = b"SPBV1.0_COMPRESSED"
_TYPES: Final = ("DBIRTH", "DDATA", "NBIRTH", "NDATA")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: Signed integers by data type, with their width in bits.
_SIGNED: Final = {1: 8, 2: 16, 3: 32, 4: 64}
#: Unsupported kinds of values of a metric, by field number.
_UNSUPPORTED_VALUES: Final = {
    16: "bytes_value",
    17: "dataset_value",
    18: "template_value",
}


class Metric(NamedTuple):
    """A metric of a payload."""

    name: str | None = None
    alias: int | None = None
    timestamp: int | None = None
    datatype: int = 0
    value: Value = None
    #: whether the device forbids to store it
    is_transient: bool = False


class Birth(NamedTuple):
    """The birth of an edge or device, which defines aliases."""

    #: time of receipt
    at: datetime
    #: names and data types by alias
    names: dict[int, tuple[str, int]]


class Births:
    """Memory of the last birth of each edge and device."""

    def __init__(self) -> None:
        self._born: OrderedDict[str, Birth] = OrderedDict()
        self._unsaved: OrderedDict[str, Birth] = OrderedDict()

    def unsaved(self) -> list[Entry]:
        """Return the births that are not stored yet, by edge or device."""
        births = sorted(dict(self._unsaved).items())
        return [
            Entry(device, birth.at, msgspec.json.encode(birth.names))
            for device, birth in births
        ]

    def saved(self, entries: Sequence[Entry]) -> None:
        """Mark births as stored."""
        stored = set(entries)
        for entry in self.unsaved():
            if entry in stored:
                self._unsaved.pop(entry.key, None)

    def learn(self, entries: Iterable[Entry]) -> None:
        """Add stored births that are newer than the remembered ones."""
        for device, at, names in entries:
            known = self._born.get(device)
            if known is None or known.at < at:
                _put(self._born, device, Birth(at, _stored.decode(names)))

    def remember(self, device: str, birth: Birth) -> None:
        """Remember a birth that has just been received."""
        for births in (self._born, self._unsaved):
            _put(births, device, birth)

    def names(self, device: str) -> dict[int, tuple[str, int]]:
        """Return name and data type by alias; empty if the edge has a newer birth."""
        birth = self._born.get(device)
        edge = self._born.get("/".join(device.split("/")[:2]))
        if birth is None or (edge is not None and edge.at > birth.at):
            return {}
        return birth.names

    def decode(
        self, topic: str, payload: bytes, received_at: datetime
    ) -> Sequence[Record | Unusable]:
        """Decode a birth or data message; remember a birth."""
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
        for metric in metrics[:MAX_METRICS]
        if metric.alias is not None and metric.name is not None
    }


def _put(births: OrderedDict[str, Birth], device: str, birth: Birth) -> None:
    births[device] = birth
    births.move_to_end(device)
    if len(births) > MAX_DEVICES:
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
        # 8 and 16 bits may be extended to 32
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


# The part of protobuf that these two messages need. Field numbers are those of
# sparkplug_b.proto of Eclipse Tahu.


#: Our own error messages; any other error means that the payload is cut off.
_OWN_MESSAGES: Final = (_("cut off"), _("a number of more than 64 bits"))
_FAULTS: Final = (IndexError, OverflowError, UnicodeDecodeError)


def _no_protobuf(error: Exception) -> Unusable:
    message = str(error) if isinstance(error, IndexError) else ""
    detail = Detail.of(message if message in _OWN_MESSAGES else _("cut off"))
    return Unusable("unreadable", _("not protobuf: {}"), detail)


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
    found: dict[str, Any] = {}
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
        elif number in _UNSUPPORTED_VALUES:
            found["value"] = _UNSUPPORTED_VALUES[number]
    if is_null:
        found["value"] = None
    return Metric(**found)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and content of each field; raise `IndexError` if cut off."""
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
        decode=Stateful(
            memory=Births, read="births", write="put_birth", most=MAX_DEVICES
        ),
        device_levels=(3, 4),
    ),
)
