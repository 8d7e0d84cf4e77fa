"""Rows in the binary form of COPY: a reading is packed once, when it is read.

A row consists of its key (channel, time), its origin (sensor, time of receipt, source
of the time), and its content (interval and values). Equal keys and equal contents are
equal bytes, and sorting rows as bytes sorts them by key.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import repeat
from operator import itemgetter
from struct import Struct
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ingest.formats import CountReading, CountSeries, EnvironmentReading
from verkehrspuls.classes import COUNTS

#: Length of the key, and offset of the content.
KEY_BYTES: Final = 22
CONTENT_OFFSET: Final = 48
#: Length of the common start of all rows: key, origin, and interval.
HEAD_BYTES: Final = 56
#: Header and trailer of COPY.
BEGIN: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
END: Final = b"\xff\xff"

#: The heads of rows as numbers: see `heads`.
Heads = npt.NDArray[Any]

_key_of: Final = itemgetter(slice(KEY_BYTES))
_head_of: Final = itemgetter(slice(HEAD_BYTES))
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_HOUR_US: Final = 3_600_000_000
#: each column is its length followed by its value
_BEFORE: Final = Struct(">hiii")
_AFTER: Final = Struct(">iiiqihii")
#: before, time, after
_HEAD: Final = ">14sq34s"
_VALUE: Final = Struct(f"{_HEAD}idi")
_OBSERVED_VALUE: Final = Struct(f"{_HEAD}idii")
_TIME: Final = Struct(">q")
_FLOAT: Final = Struct(">if")
_INTEGER: Final = Struct(">ii")
_NULL: Final = b"\xff\xff\xff\xff"
_FOUR: Final = b"\0\0\0\4"
_NO_REST: Final = 6 * _NULL
_NO_MORE: Final = 5 * _NULL
_COUNT_COLUMNS: Final = 6 + len(COUNTS) + 6
_ENVIRONMENT_COLUMNS: Final = 8
_INT4: Final = 23


def microseconds(time: datetime) -> int:
    """Return a time in microseconds since 2000 (UTC), as PostgreSQL stores it."""
    return (time - _EPOCH) // _MICROSECOND


def time_of_key(time: datetime) -> bytes:
    """Pack a time as it appears at the end of a row's key."""
    return _TIME.pack(microseconds(time))


class Layout(NamedTuple):
    """Positions of the columns of given classes; all other classes are NULL."""

    #: returns the counts in the order of the columns
    pick: Callable[[Mapping[str, int | None]], Iterable[int | None]]
    #: a constant and a count, alternating
    parts: list[Any]
    #: the complete row, if nothing follows the classes
    form: Struct
    end: bytes
    #: the row with a speed, which is between `to_speed` and `_NO_MORE`
    with_speed: Struct
    to_speed: bytes


def count_row(
    reading: CountReading, layout: Layout, before: bytes, after: bytes
) -> bytes:
    """Pack counts by the layout of their classes; a null class is NULL.

    `before` and `after` are the results of `before_time` and `after_time`.
    """
    values = layout.pick(reading.classes)
    if None in values:
        known = {name: n for name, n in reading.classes.items() if n is not None}
        layout = layout_of(tuple(known))
        values = layout.pick(known)
    _, parts, form, end, with_speed, to_speed = layout
    parts = parts.copy()
    parts[1::2] = values
    # as `microseconds`, but without a call per reading
    time = (reading.time - _EPOCH) // _MICROSECOND
    speed = reading.speed_kmh
    if (
        reading.occupancy is not None
        or reading.histogram is not None
        or reading.observed_s is not None
    ):
        row = form.pack(before, time, after, *parts, end)
        return row[: -len(_NO_REST)] + _rest(reading)
    if speed is None:
        return form.pack(before, time, after, *parts, end)
    return with_speed.pack(before, time, after, *parts, to_speed, speed, _NO_MORE)


def series_rows(
    series: CountSeries, layout: Layout, before: bytes, after: bytes
) -> list[bytes]:
    """Pack a series as `count_row` packs each reading, but vectorised.

    Return an empty list if one of its counts is null, or if there are none.
    """
    times = series.times
    first, last = microseconds(times[0]), microseconds(times[-1])
    counts = map(layout.pick, series.classes)
    columns: list[Sequence[int | None]] = [*zip(*counts, strict=True)]
    if not columns or any(None in column for column in columns):
        return []
    fields: list[Iterable[Any]] = [repeat(before)]
    fields += range(first, last + 1, (last - first) // (len(times) - 1)), repeat(after)
    for constant, column in zip(layout.parts[::2], columns, strict=True):
        fields += repeat(constant), column
    if series.speeds is None:
        return list(map(layout.form.pack, *fields, repeat(layout.end)))
    fields += repeat(layout.to_speed), series.speeds, repeat(_NO_MORE)
    return list(map(layout.with_speed.pack, *fields))


def environment_row(reading: EnvironmentReading, before: bytes, after: bytes) -> bytes:
    """Pack an environment value."""
    time = (reading.time - _EPOCH) // _MICROSECOND
    observed_s = reading.observed_s
    if observed_s is None:
        return _VALUE.pack(before, time, after, 8, reading.value, -1)
    return _OBSERVED_VALUE.pack(before, time, after, 8, reading.value, 4, observed_s)


def before_time(channel_id: int, *, counts: bool) -> bytes:
    """Pack the bytes before the time, equal in all rows of a channel."""
    return _BEFORE.pack(
        _COUNT_COLUMNS if counts else _ENVIRONMENT_COLUMNS, 4, channel_id, 8
    )


def after_time(
    sensor_id: int, received: int, time_origin: int, interval_s: int
) -> bytes:
    """Pack the bytes between the time and the values.

    Usually the same for all readings of a message.
    """
    return _AFTER.pack(4, sensor_id, 8, received, 2, time_origin, 4, interval_s)


@lru_cache(maxsize=1000)
def layout_of(names: tuple[str, ...]) -> Layout:
    """Lay out the columns of classes named in this order."""
    columns = [name for name in COUNTS if name in names]
    constant, form, parts = b"", _HEAD, list[Any]()
    for name in COUNTS:
        if name not in names:
            constant += _NULL
            continue
        constant += _FOUR
        form += f"{len(constant)}si"
        parts += [constant, 0]
        constant = b""
    # with a single name `itemgetter` would not return a tuple
    pick: Any = itemgetter(*columns) if len(columns) > 1 else dict.values
    end, to_speed = constant + _NO_REST, constant + _FOUR
    return Layout(
        pick,
        parts,
        Struct(f"{form}{len(end)}s"),
        end,
        Struct(f"{form}{len(to_speed)}sf{len(_NO_MORE)}s"),
        to_speed,
    )


class Round(NamedTuple):
    """Rows that are copied at once; their keys are distinct."""

    rows: int
    #: in the form of COPY
    packed: bytes
    heads: Heads
    #: hours of channels, as returned by `hours`
    hours: set[tuple[int, int]]
    #: whether these rows replace known readings
    corrects: bool = True


def pack(rows: Sequence[bytes]) -> list[Round]:
    """Pack rows in rounds for COPY."""
    found = []
    for each in rounds(rows):
        packed = copied(each)
        begun = heads(each, packed)
        found.append(Round(len(each), packed, begun, hours(begun)))
    return found


def rounds(rows: Sequence[bytes]) -> list[list[bytes]]:
    """Sort rows into rounds, each in the order of its keys.

    A key occurs once per round, and a later round corrects the earlier ones.
    Repetitions with equal content are left out. Sorted rows suit the index, and avoid
    deadlocks between workers.
    """
    if len(set(map(_key_of, rows))) == len(rows):  # the usual case
        return [sorted(rows)] if rows else []
    found: list[dict[bytes, bytes]] = []
    for row in rows:
        key = row[:KEY_BYTES]
        # a key in one round is also in all rounds before it
        standing = [each for each in found if key in each]
        if standing and standing[-1][key][CONTENT_OFFSET:] == row[CONTENT_OFFSET:]:
            continue
        if len(standing) == len(found):
            found.append({})
        found[len(standing)][key] = row
    return [sorted(each.values()) for each in found]


def copied(rows: Iterable[bytes]) -> bytes:
    """Join rows for COPY."""
    return b"".join([BEGIN, *rows, END])


def heads(rows: Sequence[bytes], packed: bytes) -> Heads:
    """Read the heads of rows, which were joined to `packed`.

    Return an array with the fields channel, time (microseconds since 2000), sensor,
    received (likewise) and interval_s.
    """
    if len(set(map(len, rows))) == 1:  # the usual case; then the rows are not copied
        return np.frombuffer(packed, _head(len(rows[0])), len(rows), len(BEGIN))
    return np.frombuffer(b"".join(map(_head_of, rows)), _head(HEAD_BYTES))


@lru_cache(maxsize=100)
def _head(size: int) -> "np.dtype[Any]":
    """Return the data type of the head of rows with this size."""
    return np.dtype(
        {
            "names": ["channel", "time", "sensor", "received", "interval_s"],
            "formats": [">i4", ">i8", ">i4", ">i8", ">i4"],
            "offsets": [6, 14, 26, 34, 52],
            "itemsize": size,
        }
    )


def hours(found: Heads) -> set[tuple[int, int]]:
    """Return the (channel, hour) pairs of sorted rows; hours are counted from 2000."""
    channel = found["channel"].astype(np.int64)
    hour = found["time"].astype(np.int64) // _HOUR_US
    other = (channel[1:] != channel[:-1]) | (hour[1:] != hour[:-1])
    first = np.append(True, other) if found.size else other
    return set(zip(channel[first].tolist(), hour[first].tolist(), strict=True))


def hour_of(number: int) -> datetime:
    """Return the start of an hour that is counted from the year 2000."""
    return _EPOCH + timedelta(hours=number)


def _rest(reading: CountReading) -> bytes:
    """Pack speed, occupancy, histogram, and the observed seconds."""
    return b"".join(
        [
            _float(reading.speed_kmh),
            _float(reading.occupancy),
            _float(reading.histogram_from_kmh),
            _float(reading.histogram_width_kmh),
            _integers(reading.histogram),
            _NULL
            if reading.observed_s is None
            else _INTEGER.pack(4, reading.observed_s),
        ]
    )


def _float(value: float | None) -> bytes:
    return _NULL if value is None else _FLOAT.pack(4, value)


def _integers(values: list[int] | None) -> bytes:
    """Pack an array: one dimension from 1, no nulls, elements of 4 bytes."""
    if values is None:
        return _NULL
    sized = [4] * (2 * len(values))
    sized[1::2] = values
    size = 20 + 8 * len(values)
    return Struct(f">iiiIii{len(sized)}i").pack(
        size, 1, 0, _INT4, len(values), 1, *sized
    )
