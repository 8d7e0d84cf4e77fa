"""Rows in the binary form of COPY: a reading is packed once, where it is read.

A row is made of its key (channel, time), of whence it came (sensor, time of receipt,
whose clock), and of its content (interval and values). Equal keys and equal contents
are equal bytes, and rows sorted as bytes are in the order of their keys.
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

#: How long the key is, and where the content begins.
KEY: Final = 22
CONTENT: Final = 48
#: The key, whence it came, and the interval: what all rows begin with.
HEAD: Final = 56
#: What COPY wants before the first row and after the last.
BEGIN: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
END: Final = b"\xff\xff"

#: The beginnings of rows as numbers: see `heads`.
Heads = npt.NDArray[Any]

_key_of: Final = itemgetter(slice(KEY))
_head_of: Final = itemgetter(slice(HEAD))
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_HOUR_US: Final = 3_600_000_000
#: each column is its length and its value
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
    """Tell a time as PostgreSQL keeps it."""
    return (time - _EPOCH) // _MICROSECOND


def time_of_key(time: datetime) -> bytes:
    """Pack a time as it stands at the end of a row's key."""
    return _TIME.pack(microseconds(time))


class Layout(NamedTuple):
    """Where the columns of some classes are; all other classes are NULL."""

    #: gives the counts in the order of the columns
    pick: Callable[[Mapping[str, int | None]], Iterable[int | None]]
    #: a constant and a count in turn
    parts: list[Any]
    #: the row and its end where nothing is behind the classes
    form: Struct
    end: bytes
    #: and where there is a speed: that stands between `to_speed` and `_NO_MORE`
    with_speed: Struct
    to_speed: bytes


def count_row(
    reading: CountReading, layout: Layout, before: bytes, after: bytes
) -> bytes:
    """Pack counts by the layout of their classes; a class that is null is NULL.

    `before` and `after` are what `before_time` and `after_time` give.
    """
    values = layout.pick(reading.classes)
    if None in values:
        known = {name: n for name, n in reading.classes.items() if n is not None}
        layout = layout_of(tuple(known))
        values = layout.pick(known)
    _, parts, form, end, with_speed, to_speed = layout
    parts = parts.copy()
    parts[1::2] = values
    # as `microseconds`, which would be a call for each reading
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
    """Pack a series as `count_row` would each of its readings, but in no step for each.

    None where one of its counts is null, or it counts nothing.
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
    """Pack what stands before the time in all rows of a channel."""
    return _BEFORE.pack(
        _COUNT_COLUMNS if counts else _ENVIRONMENT_COLUMNS, 4, channel_id, 8
    )


def after_time(
    sensor_id: int, received: int, time_origin: int, interval_s: int
) -> bytes:
    """Pack what stands between the time and the values.

    Nearly always the same for all readings of a message.
    """
    return _AFTER.pack(4, sensor_id, 8, received, 2, time_origin, 4, interval_s)


@lru_cache(maxsize=1000)
def layout_of(names: tuple[str, ...]) -> Layout:
    """Lay out the columns of classes that are named in this order."""
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
    # of one name alone, `itemgetter` would give no tuple
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
    """Rows that are copied at once; none of their keys comes twice."""

    rows: int
    #: as COPY wants them
    packed: bytes
    heads: Heads
    #: hours of channels, as `hours` gives them
    hours: set[tuple[int, int]]
    #: whether what is known already gives way
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

    A key stands once per round, and a later round corrects the earlier ones. What
    comes again as it stood is left out. Sorting is good for the index, and two workers
    never deadlock.
    """
    if len(set(map(_key_of, rows))) == len(rows):  # nearly always
        return [sorted(rows)] if rows else []
    found: list[dict[bytes, bytes]] = []
    for row in rows:
        key = row[:KEY]
        # a key that stands in a round stands in all before it
        standing = [each for each in found if key in each]
        if standing and standing[-1][key][CONTENT:] == row[CONTENT:]:
            continue
        if len(standing) == len(found):
            found.append({})
        found[len(standing)][key] = row
    return [sorted(each.values()) for each in found]


def copied(rows: Iterable[bytes]) -> bytes:
    """Join rows for COPY."""
    return b"".join([BEGIN, *rows, END])


def heads(rows: Sequence[bytes], packed: bytes) -> Heads:
    """Read the beginnings of rows, which were joined to `packed`.

    An array with the fields channel, time (microseconds since 2000), sensor, received
    (likewise) and interval_s.
    """
    if len(set(map(len, rows))) == 1:  # nearly always, and then they are not copied
        return np.frombuffer(packed, _head(len(rows[0])), len(rows), len(BEGIN))
    return np.frombuffer(b"".join(map(_head_of, rows)), _head(HEAD))


@lru_cache(maxsize=100)
def _head(size: int) -> "np.dtype[Any]":
    """Describe what stands at the beginning of every row of a size, and where."""
    return np.dtype(
        {
            "names": ["channel", "time", "sensor", "received", "interval_s"],
            "formats": [">i4", ">i8", ">i4", ">i8", ">i4"],
            "offsets": [6, 14, 26, 34, 52],
            "itemsize": size,
        }
    )


def hours(found: Heads) -> set[tuple[int, int]]:
    """Tell the hours of channels that sorted rows are of, counted from 2000."""
    channel = found["channel"].astype(np.int64)
    hour = found["time"].astype(np.int64) // _HOUR_US
    other = (channel[1:] != channel[:-1]) | (hour[1:] != hour[:-1])
    first = np.append(True, other) if found.size else other
    return set(zip(channel[first].tolist(), hour[first].tolist(), strict=True))


def hour_of(number: int) -> datetime:
    """Tell the start of an hour that is counted from the year 2000."""
    return _EPOCH + timedelta(hours=number)


def _rest(reading: CountReading) -> bytes:
    """Pack speed, occupancy, histogram, and the seconds that were observed."""
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
    """Pack an array: one dimension from 1, without nulls, each element of 4 bytes."""
    if values is None:
        return _NULL
    sized = [4] * (2 * len(values))
    sized[1::2] = values
    size = 20 + 8 * len(values)
    return Struct(f">iiiIii{len(sized)}i").pack(
        size, 1, 0, _INT4, len(values), 1, *sized
    )
