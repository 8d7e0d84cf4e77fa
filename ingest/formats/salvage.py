"""Extract the usable parts of a native payload that cannot be decoded as a whole.

This is the slow path: valid payloads never get here. Each object of an array is checked
separately, then each entry of its `counts` or `values`, then each field of an entry:

- an invalid field that counts do not need (`speed_kmh`, a class beside a total, …) is
  dropped, and counted by its problem;
- any other problem makes its entry unusable, but not the other entries.
"""

import re
from typing import Any, Final, NamedTuple, get_type_hints

import msgspec

from ingest.reasons import (
    NOT_UTF8,
    TOO_DEEP,
    VERBATIM,
    Dropped,
    Unusable,
    explained,
    of_field,
)
from verkehrspuls.classes import CLASSES
from verkehrspuls.text import mark as _
from verkehrspuls.wire import (
    ChannelCounts,
    Count,
    CountMessage,
    EnvironmentMessage,
    Moment,
    Seconds,
    StatusMessage,
)

#: Number of objects that an array may always have; more are accepted only if the
#: payload is large enough for that number of readings.
MIN_PARTS_LIMIT: Final = 5_000
#: Minimum size of an object with one value, in bytes.
MIN_PART_BYTES: Final = 60
#: Maximum characters of a quoted value.
_MAX_VALUE_LENGTH: Final = 80


class Salvaged(NamedTuple):
    """Usable messages, problems of unusable parts, and fields dropped from messages."""

    messages: list[Any]
    unusable: tuple[Unusable, ...]
    dropped: tuple[Dropped, ...]


class _Faults(NamedTuple):
    """Problems and dropped fields found so far."""

    unusable: list[Unusable]
    dropped: list[Dropped]


class _Head(msgspec.Struct):
    """Required fields of an object."""

    time: Moment
    interval_s: Seconds


_DECODERS: Final[dict[str, Any]] = {
    "counts": msgspec.json.Decoder(CountMessage),
    "environment": msgspec.json.Decoder(EnvironmentMessage),
    "status": msgspec.json.Decoder(StatusMessage),
}
_document: Final = msgspec.json.Decoder()
_parts: Final = msgspec.json.Decoder(list[msgspec.Raw])
#: Types of fields.
_field_types: Final = {
    **get_type_hints(CountMessage, include_extras=True),
    **get_type_hints(ChannelCounts, include_extras=True),
}
_COUNT: Final[Any] = Count | None
_VALUE: Final[Any] = float | None
#: Optional fields of an object, and of its counts.
_OPTIONAL_HEAD: Final = ("seq", "observed_s", "ambiguous")
_OPTIONAL: Final = ("speed_kmh", "speed_histogram", "occupancy")
_STATUS_OPTIONAL: Final = ("battery_pct", "signal_dbm", "temperature_c")
_status_types: Final = get_type_hints(StatusMessage, include_extras=True)
_MAX_ENTRIES: Final = 256
#: A string, or a non-finite number, which JSON does not allow.
_TEXT_OR_NON_FINITE: Final = re.compile(
    rb'"(?:[^"\\]|\\.)*+"|(?<![\w.])-?(?:NaN|nan|Infinity|inf)(?!\w)', re.DOTALL
)
_NON_FINITE: Final = re.compile(rb"NaN|nan|Infinity|inf")
_FAULTS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def salvage(kind: str, payload: bytes, error: Exception) -> Salvaged:
    """Extract the usable parts; raise `Unusable` for `error` if there are none."""
    if kind == "status" or not is_array(payload):
        return _salvaged(kind, payload, error)
    messages = []
    unusable: list[Unusable] = []
    dropped: list[Dropped] = []
    for index, part in enumerate(parts_of(payload, error)):
        faults = _Faults([], dropped)
        try:
            messages.append(_message_of(kind, part, faults))
        except Unusable as problem:
            faults = _Faults([problem], dropped)
        unusable += [placed(index, problem) for problem in faults.unusable]
    return Salvaged(messages, tuple(unusable), tuple(dropped))


def salvage_part(kind: str, part: bytes) -> Salvaged:
    """Extract the usable parts of one object of an array."""
    return _salvaged(kind, part)


def _salvaged(kind: str, part: bytes, error: Exception | None = None) -> Salvaged:
    faults = _Faults([], [])
    made = _message_of(kind, part, faults, error)
    return Salvaged([made], tuple(faults.unusable), tuple(faults.dropped))


def is_array(payload: bytes) -> bool:
    """Return whether a payload would be an array; it may be invalid JSON."""
    return payload.lstrip()[:1] == b"["


def parts_of(payload: bytes, error: Exception | None = None) -> list[bytes]:
    """Split an array; raise `Unusable` if it is invalid or has too many elements."""
    try:
        parts = _parts.decode(as_json(payload))
    except _FAULTS as fault:
        raise unreadable(error or fault) from fault
    most = max(MIN_PARTS_LIMIT, len(payload) // MIN_PART_BYTES)
    if len(parts) > most:
        raise Unusable(
            "unreadable",
            _("it has {} entries; a payload of this size may have {}"),
            *(len(parts), most),
        )
    return [bytes(part) for part in parts]


def placed(index: int, problem: Unusable) -> Unusable:
    """Prefix a problem with the index of its element in an array."""
    return Unusable(problem.reason, "[{}]: {}", index, problem.detail)


def unreadable(error: Exception) -> Unusable:
    """Return the problem of a payload that cannot be decoded."""
    if isinstance(error, UnicodeDecodeError):
        return Unusable("not-utf8", NOT_UTF8, error.start)
    if isinstance(error, RecursionError):
        return Unusable("too-deep", TOO_DEEP)
    return Unusable("unreadable", VERBATIM, explained(error))


def as_json(payload: bytes) -> bytes:
    """Quote NaN and infinity, which some programs write though JSON forbids them."""
    return (
        _TEXT_OR_NON_FINITE.sub(_as_text, payload)
        if _NON_FINITE.search(payload)
        else payload
    )


def _as_text(found: "re.Match[bytes]") -> bytes:
    return found[0] if found[0].startswith(b'"') else b'"%s"' % found[0]


def _message_of(
    kind: str, part: bytes, faults: _Faults, error: Exception | None = None
) -> Any:
    """Decode an object, or its usable parts; append its problems to `faults`."""
    try:
        return _DECODERS[kind].decode(part)
    except _FAULTS as fault:
        whole = unreadable(error or fault)
    try:
        document = _document.decode(as_json(part))
    except _FAULTS:
        raise whole from None
    if not isinstance(document, dict):
        raise whole
    return _SALVAGERS[kind](document, faults, whole)


def _counts(document: dict[str, Any], faults: _Faults, whole: Unusable) -> CountMessage:
    head = _head(document, faults.dropped)
    entries = document.get("counts")
    if not isinstance(entries, list) or not 1 <= len(entries) <= _MAX_ENTRIES:
        raise whole
    good = []
    for index, entry in enumerate(entries):
        try:
            good.append(_entry(entry, f"counts[{index}]", faults.dropped))
        except Unusable as problem:
            faults.unusable.append(problem)
    return CountMessage(**head, counts=good)


def _entry(entry: Any, where: str, dropped: list[Dropped]) -> ChannelCounts:
    if not isinstance(entry, dict):
        raise _wrong(where, entry, ChannelCounts)
    left = []
    for name in _OPTIONAL:
        if name in entry and (problem := _problem(entry[name], _field_types[name])):
            left.append(Dropped(name, problem, _shown(entry[name])))
            entry = {key: value for key, value in entry.items() if key != name}
    classes = entry.get("classes")
    if isinstance(classes, dict):
        entry = entry | {"classes": _classes(classes, where, left)}
    try:
        made = msgspec.convert(entry, ChannelCounts)
    except msgspec.ValidationError as error:
        raise Unusable("unreadable", "{}: {}", where, explained(error)) from error
    dropped += left
    return made


def _classes(
    classes: dict[str, Any], where: str, dropped: list[Dropped]
) -> dict[str, int | None]:
    """Drop unusable classes if the total is known; else raise `Unusable`."""
    total = classes.get("total")
    known = total is not None and not _problem(total, _COUNT)
    good = {}
    for name, count in classes.items():
        problem = _problem(count, _COUNT)
        if not problem:
            good[name] = count
        elif known and name in CLASSES:
            dropped.append(Dropped(f"classes.{name}", problem, _shown(count)))
        else:
            raise _wrong(f"{where}.classes.{name[:_MAX_VALUE_LENGTH]}", count, _COUNT)
    return good


def _values(
    document: dict[str, Any], faults: _Faults, whole: Unusable
) -> EnvironmentMessage:
    head = _head(document, faults.dropped)
    values = document.get("values")
    if not isinstance(values, dict):
        raise whole
    good: dict[str, float | None] = {}
    for name, value in values.items():
        if _problem(value, _VALUE):
            faults.unusable.append(
                _wrong(f"values.{name[:_MAX_VALUE_LENGTH]}", value, _VALUE)
            )
        else:
            good[name] = None if value is None else float(value)
    return EnvironmentMessage(**head, values=good)


def _status(
    document: dict[str, Any], faults: _Faults, whole: Unusable
) -> StatusMessage:
    left = [
        Dropped(name, problem, _shown(document.pop(name)))
        for name in _STATUS_OPTIONAL
        if (problem := _problem(document.get(name), _status_types[name]))
    ]
    try:
        made = msgspec.convert(document, StatusMessage)
    except msgspec.ValidationError:
        raise whole from None
    faults.dropped.extend(left)
    return made


_SALVAGERS: Final = {"counts": _counts, "environment": _values, "status": _status}


def _head(document: dict[str, Any], dropped: list[Dropped]) -> dict[str, Any]:
    """Read the required fields of an object, and its valid optional ones."""
    for name, kind in (("time", Moment), ("interval_s", Seconds)):
        if name in document and _problem(document[name], kind):
            raise _wrong(name, document[name], kind)
    try:
        head = msgspec.structs.asdict(msgspec.convert(document, _Head))
    except msgspec.ValidationError as error:
        raise Unusable("unreadable", VERBATIM, explained(error)) from error
    for name in _OPTIONAL_HEAD:
        value = document.get(name)
        if problem := _problem(value, _field_types[name]):
            dropped.append(Dropped(name, problem, _shown(value)))
        else:
            head[name] = value
    return head


def _problem(value: Any, kind: Any) -> str | None:
    """Return the problem of a field's value as a key of `DROPPED`, else None."""
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, OverflowError) as error:
        message = str(error)
        if " - at " in message:  # in a part of the value
            return "wrong"
        return "below" if ">= " in message else "above" if "<= " in message else "wrong"
    return None


def _wrong(where: str, value: Any, kind: Any) -> Unusable:
    """Return the problem of a field's value, with the expected form."""
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, OverflowError) as error:
        return Unusable("unreadable", VERBATIM, of_field(where, _shown(value), error))
    raise AssertionError(where)


def _shown(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()[:_MAX_VALUE_LENGTH]
    except (msgspec.MsgspecError, RecursionError, ValueError, OverflowError):
        return "…"
