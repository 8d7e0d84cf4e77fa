"""What a foreign payload holds, before the registry says what it means."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from ingest.formats import DEVICE
from ingest.reasons import SAYS, Unusable
from verkehrspuls.text import mark as _

T = TypeVar("T")

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


class Record(NamedTuple):
    """The fields of a payload that belong to one time, by path."""

    #: aware; None where the payload has none that the format knows
    time: datetime | None
    fields: dict[str, Value]
    time_origin: int = DEVICE
    #: a number that grows by one with each message
    seq: int | None = None
    #: where the payload tells the interval; `time` then is its start
    interval_s: int | None = None
    #: units that the payload tells, by path
    units: Mapping[str, str] = MappingProxyType({})


#: A foreign format: topic, payload and time of receipt in, records out. None at all
#: where the message is of a kind that holds no readings. Raises `Unusable`.
DecodeForeign = Callable[[str, bytes, datetime], list[Record]]


def read_json(decoder: "msgspec.json.Decoder[T]", payload: bytes) -> T:
    """Decode, with what is wrong as the reason."""
    try:
        return decoder.decode(payload)
    except UnicodeDecodeError as error:
        raise Unusable("not-utf8", SAYS, str(error)) from error
    except RecursionError as error:
        raise Unusable("too-deep", SAYS, str(error)) from error
    except msgspec.MsgspecError as error:
        raise Unusable("unreadable", SAYS, str(error)) from error


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
    """Give the detail of a text that is no number: why not, where that can be told."""
    return _("{}, with a decimal comma") if "," in text else "{}"


def aware(text: str | None) -> datetime | None:
    """Read an ISO 8601 time with offset; None where it is none, or has none."""
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time if time.tzinfo is not None else None
