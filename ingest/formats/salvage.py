"""What is usable of a native payload that cannot be decoded as a whole.

The slow path: nothing here runs for a payload that is as it should be. Of an array each
object is looked at by itself, of an object each entry of `counts` or of `values`, and
of an entry each field:

- a field that a count can do without (`speed_kmh`, a class beside a total, …) is
  dropped, and counted by what was wrong with it;
- whatever else is wrong makes its entry unusable, and only that.
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

#: An array of more objects is looked through only where its bytes could hold so many
#: that are readings.
MOST_PARTS: Final = 5_000
#: Bytes that an object of an array has at least, with one value in it.
SHORTEST: Final = 60
#: Characters of a value that are quoted.
_SHOWN: Final = 80


class Salvaged(NamedTuple):
    """What is usable, what is not, and what was dropped of what is usable."""

    messages: list[Any]
    unusable: tuple[Unusable, ...]
    dropped: tuple[Dropped, ...]


class _Head(msgspec.Struct):
    """What each object must have."""

    time: Moment
    interval_s: Seconds


_ONE: Final[dict[str, Any]] = {
    "counts": msgspec.json.Decoder(CountMessage),
    "environment": msgspec.json.Decoder(EnvironmentMessage),
    "status": msgspec.json.Decoder(StatusMessage),
}
_document: Final = msgspec.json.Decoder()
_parts: Final = msgspec.json.Decoder(list[msgspec.Raw])
#: What fields may hold.
_hints: Final = {
    **get_type_hints(CountMessage, include_extras=True),
    **get_type_hints(ChannelCounts, include_extras=True),
}
_COUNT: Final[Any] = Count | None
_VALUE: Final[Any] = float | None
#: Fields that an object can do without, and that its counts can.
_OPTIONAL_HEAD: Final = ("seq", "observed_s", "ambiguous")
_OPTIONAL: Final = ("speed_kmh", "speed_histogram", "occupancy")
_STATUS_OPTIONAL: Final = ("battery_pct",)
_of_status: Final = get_type_hints(StatusMessage, include_extras=True)
_MOST_ENTRIES: Final = 256
#: Text, or one of the words for numbers that JSON does not have.
_NO_JSON: Final = re.compile(
    rb'"(?:[^"\\]|\\.)*+"|(?<![\w.])-?(?:NaN|nan|Infinity|inf)(?!\w)', re.DOTALL
)
_NAMED: Final = re.compile(rb"NaN|nan|Infinity|inf")
_FAULTS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def salvage(kind: str, payload: bytes, error: Exception) -> Salvaged:
    """Take what is usable; `Unusable` by the `error` of the whole where nothing is."""
    unusable: list[Unusable] = []
    dropped: list[Dropped] = []
    if kind == "status" or not is_array(payload):
        made = _one(kind, payload, unusable, dropped, error)
        return Salvaged([made], tuple(unusable), tuple(dropped))
    messages = []
    for index, part in enumerate(parts_of(payload, error)):
        found: list[Unusable] = []
        try:
            messages.append(_one(kind, part, found, dropped))
        except Unusable as problem:
            found = [problem]
        unusable += [placed(index, problem) for problem in found]
    return Salvaged(messages, tuple(unusable), tuple(dropped))


def salvage_part(kind: str, part: bytes) -> Salvaged:
    """Take what is usable of one object of an array."""
    unusable: list[Unusable] = []
    dropped: list[Dropped] = []
    made = _one(kind, part, unusable, dropped)
    return Salvaged([made], tuple(unusable), tuple(dropped))


def is_array(payload: bytes) -> bool:
    """Return whether a payload is an array, if it is JSON."""
    return payload.lstrip()[:1] == b"["


def parts_of(payload: bytes, error: Exception | None = None) -> list[bytes]:
    """Take an array apart; `Unusable` where it is none, or has too many parts."""
    try:
        parts = _parts.decode(as_json(payload))
    except _FAULTS as fault:
        raise unreadable(error or fault) from fault
    most = max(MOST_PARTS, len(payload) // SHORTEST)
    if len(parts) > most:
        raise Unusable(
            "unreadable",
            _("it has {} entries; one of so many bytes has {} at most"),
            *(len(parts), most),
        )
    return [bytes(part) for part in parts]


def placed(index: int, problem: Unusable) -> Unusable:
    """Name the place in an array."""
    return Unusable(problem.reason, "[{}]: {}", index, problem.detail)


def unreadable(error: Exception) -> Unusable:
    """Return why a payload cannot be decoded."""
    if isinstance(error, UnicodeDecodeError):
        return Unusable("not-utf8", NOT_UTF8, error.start)
    if isinstance(error, RecursionError):
        return Unusable("too-deep", TOO_DEEP)
    return Unusable("unreadable", VERBATIM, explained(error))


def as_json(payload: bytes) -> bytes:
    """Make texts of NaN and infinity, which JSON does not have and programs write."""
    return _NO_JSON.sub(_as_text, payload) if _NAMED.search(payload) else payload


def _as_text(found: "re.Match[bytes]") -> bytes:
    return found[0] if found[0].startswith(b'"') else b'"%s"' % found[0]


def _one(
    kind: str,
    part: bytes,
    unusable: list[Unusable],
    dropped: list[Dropped],
    error: Exception | None = None,
) -> Any:
    """Make a message of an object, or of what of it is usable."""
    try:
        return _ONE[kind].decode(part)
    except _FAULTS as fault:
        whole = unreadable(error or fault)
    try:
        document = _document.decode(as_json(part))
    except _FAULTS:
        raise whole from None
    if not isinstance(document, dict):
        raise whole
    return _MEND[kind](document, unusable, dropped, whole)


def _counts(
    document: dict[str, Any],
    unusable: list[Unusable],
    dropped: list[Dropped],
    whole: Unusable,
) -> CountMessage:
    head = _head(document, dropped)
    entries = document.get("counts")
    if not isinstance(entries, list) or not 1 <= len(entries) <= _MOST_ENTRIES:
        raise whole
    good = []
    for index, entry in enumerate(entries):
        try:
            good.append(_entry(entry, f"counts[{index}]", dropped))
        except Unusable as problem:
            unusable.append(problem)
    return CountMessage(**head, counts=good)


def _entry(entry: Any, where: str, dropped: list[Dropped]) -> ChannelCounts:
    if not isinstance(entry, dict):
        raise _wrong(where, entry, ChannelCounts)
    left = []
    for name in _OPTIONAL:
        if name in entry and (problem := _problem(entry[name], _hints[name])):
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
    """Leave classes out that cannot be used, where the total is known all the same."""
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
            raise _wrong(f"{where}.classes.{name[:_SHOWN]}", count, _COUNT)
    return good


def _values(
    document: dict[str, Any],
    unusable: list[Unusable],
    dropped: list[Dropped],
    whole: Unusable,
) -> EnvironmentMessage:
    head = _head(document, dropped)
    values = document.get("values")
    if not isinstance(values, dict):
        raise whole
    good: dict[str, float | None] = {}
    for name, value in values.items():
        if _problem(value, _VALUE):
            unusable.append(_wrong(f"values.{name[:_SHOWN]}", value, _VALUE))
        else:
            good[name] = None if value is None else float(value)
    return EnvironmentMessage(**head, values=good)


def _status(
    document: dict[str, Any],
    _unusable: list[Unusable],
    dropped: list[Dropped],
    whole: Unusable,
) -> StatusMessage:
    left = [
        Dropped(name, problem, _shown(document.pop(name)))
        for name in _STATUS_OPTIONAL
        if (problem := _problem(document.get(name), _of_status[name]))
    ]
    try:
        made = msgspec.convert(document, StatusMessage)
    except msgspec.ValidationError:
        raise whole from None
    dropped += left
    return made


_MEND: Final = {"counts": _counts, "environment": _values, "status": _status}


def _head(document: dict[str, Any], dropped: list[Dropped]) -> dict[str, Any]:
    """Read what each object must have, and what it may have where that is good."""
    for name, kind in (("time", Moment), ("interval_s", Seconds)):
        if name in document and _problem(document[name], kind):
            raise _wrong(name, document[name], kind)
    try:
        head = msgspec.structs.asdict(msgspec.convert(document, _Head))
    except msgspec.ValidationError as error:
        raise Unusable("unreadable", VERBATIM, explained(error)) from error
    for name in _OPTIONAL_HEAD:
        value = document.get(name)
        if problem := _problem(value, _hints[name]):
            dropped.append(Dropped(name, problem, _shown(value)))
        else:
            head[name] = value
    return head


def _problem(value: Any, kind: Any) -> str | None:
    """Return the problem of a field's value as a key of `DROPPED`, else None."""
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, OverflowError) as error:
        said = str(error)
        if " - at " in said:  # in a part of it
            return "wrong"
        return "below" if ">= " in said else "above" if "<= " in said else "wrong"
    return None


def _wrong(where: str, value: Any, kind: Any) -> Unusable:
    """Return what is wrong with the value of a field, and what would be right."""
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, OverflowError) as error:
        return Unusable("unreadable", VERBATIM, of_field(where, _shown(value), error))
    raise AssertionError(where)


def _shown(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()[:_SHOWN]
    except (msgspec.MsgspecError, RecursionError, ValueError, OverflowError):
        return "…"
