"""The native format, version 1: see `verkehrspuls.wire` for topics and payloads.

A class or value that is null is a gap: it is not a reading, and never zero.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from operator import attrgetter, sub
from typing import Any, Final

import msgspec

from ingest.formats import (
    NOTHING,
    CountReading,
    CountSeries,
    Decoded,
    EnvironmentReading,
    Reading,
)
from ingest.reasons import SAYS, Unusable
from verkehrspuls.text import mark as _
from verkehrspuls.wire import CountMessage, EnvironmentMessage, StatusMessage

#: An array of more is none of messages, and not looked through one by one.
MOST_PARTS: Final = 5_000
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_DECODERS: Final[dict[str, Any]] = {
    "counts": msgspec.json.Decoder(CountMessage | list[CountMessage]),
    "environment": msgspec.json.Decoder(EnvironmentMessage | list[EnvironmentMessage]),
}
_INTERVAL, _ZONE = attrgetter("interval_s"), attrgetter("tzinfo")
_OUTPUT, _CLASSES = attrgetter("channel"), attrgetter("classes")
_SPEED = attrgetter("speed_kmh")
_IN_NO_SERIES: Final = attrgetter("occupancy"), attrgetter("speed_histogram")
_status: Final = msgspec.json.Decoder(StatusMessage)
_parts: Final = msgspec.json.Decoder(list[msgspec.Raw])


def decode(kind: str, payload: bytes) -> Decoded:
    """Decode a payload published under a topic of this kind.

    An array is used in part where some of its objects are unusable: each of those
    counts as one reading.
    """
    if not payload:  # a retained message was deleted
        return Decoded([])
    if kind == "status":
        return Decoded([], status=_decode(_status, payload))
    decoder = _DECODERS[kind]
    unusable: tuple[Unusable, ...] = ()
    try:
        decoded = _decode(decoder, payload)
        messages = decoded if type(decoded) is list else [decoded]
    except Unusable as problem:
        messages, unusable = _usable(decoder, payload, problem)
    if kind == "counts" and len(messages) > 1 and not unusable:
        series = _series(messages)
        if series is not None:
            numbered = [(m.seq, m.time) for m in messages if m.seq is not None]
            return Decoded([], numbered=numbered, series=series)
    readings: list[Reading] = []
    numbered = []
    add = _add_counts if kind == "counts" else _add_values
    for message in messages:
        time = message.time
        if time.tzinfo is not UTC:
            time = _utc(time)
        if message.seq is not None:
            numbered.append((message.seq, time))
        add(readings, message, time)
    return Decoded(readings, None, unusable, numbered)


def _usable(
    decoder: Any, payload: bytes, problem: Unusable
) -> tuple[list[Any], tuple[Unusable, ...]]:
    """Take what is usable out of an array; else there is the one problem."""
    try:
        parts = _parts.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        parts = []
    if not parts or len(parts) > MOST_PARTS:
        raise problem
    usable: list[Any] = []
    unusable = []
    for index, part in enumerate(parts):
        try:
            decoded = _decode(decoder, bytes(part))
        except Unusable as problem:
            unusable.append(Unusable(problem.reason, "[{}]: {}", index, problem.detail))
            continue
        if isinstance(decoded, list):
            unusable.append(
                Unusable("unreadable", _("[{}]: an array in an array"), index)
            )
        else:
            usable.append(decoded)
    return usable, tuple(unusable)


def _decode(decoder: Any, payload: bytes) -> Any:
    try:
        return decoder.decode(payload)
    except UnicodeDecodeError as error:
        raise Unusable("not-utf8", SAYS, str(error)) from error
    except RecursionError as error:
        raise Unusable("too-deep", SAYS, str(error)) from error
    except msgspec.MsgspecError as error:
        raise Unusable("unreadable", SAYS, str(error)) from error


def _series(messages: Sequence[CountMessage]) -> CountSeries | None:
    """Take as a series what a sensor sends after an outage; None where it is none."""
    times = [message.time for message in messages]
    counts = [each for message in messages for each in message.counts]
    steps = list(map(sub, times[1:], times))
    if (
        len(counts) != len(times)
        or steps.count(steps[0]) != len(steps)
        or times[0] >= times[-1]
    ):
        return None
    # each of these looks at one thing in all of them, in no step of Python for each
    number = len(counts)
    intervals, outputs = set(map(_INTERVAL, messages)), set(map(_OUTPUT, counts))
    classes, speeds = list(map(_CLASSES, counts)), list(map(_SPEED, counts))
    speedless = speeds.count(None)
    if (
        {*map(_ZONE, times)} != {UTC}
        or len(intervals) + len(outputs) + len(set(map(tuple, classes))) != 3
        or speedless not in (0, number)
        or any([*map(get, counts)].count(None) != number for get in _IN_NO_SERIES)
    ):
        return None
    return CountSeries(
        outputs.pop(), times, intervals.pop(), classes, None if speedless else speeds
    )


def _add_counts(readings: list[Reading], message: CountMessage, time: datetime) -> None:
    interval_s = message.interval_s
    for counts in message.counts:
        classes = counts.classes
        if NOTHING.issuperset(classes.values()):
            continue
        reading = CountReading(
            counts.channel,
            time,
            interval_s,
            classes,
            counts.speed_kmh,
            counts.occupancy,
        )
        histogram = counts.speed_histogram
        if histogram is not None:
            reading.histogram_from_kmh = histogram.from_kmh
            reading.histogram_width_kmh = histogram.width_kmh
            reading.histogram = histogram.counts
        readings.append(reading)


def _add_values(
    readings: list[Reading], message: EnvironmentMessage, time: datetime
) -> None:
    readings += [
        # never minus zero
        EnvironmentReading(output, time, message.interval_s, value or 0.0)
        for output, value in message.values.items()
        if value is not None
    ]


def _utc(time: datetime) -> datetime:
    """Bring a time to UTC, which hours and months of partitions are counted in."""
    try:
        return time.astimezone(UTC)
    except OverflowError:  # before the year 1, or after 9999
        return _FIRST if time.year == 1 else _LAST
