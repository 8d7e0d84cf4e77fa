"""The native format, version 1: see `verkehrspuls.wire` for topics and payloads.

A class or value that is null is a gap: it is not a reading, and never zero.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from operator import attrgetter, sub
from typing import Any, Final

import msgspec

from ingest.formats import (
    DEVICE,
    ONLY_NULL,
    CountReading,
    CountSeries,
    Decoded,
    EnvironmentReading,
    Reading,
)
from ingest.formats.salvage import salvage, salvage_part
from ingest.reasons import Dropped, Unusable
from ingest.sequence import Numbered
from verkehrspuls.wire import CountMessage, EnvironmentMessage, StatusMessage

_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
_LATEST: Final = datetime.max.replace(tzinfo=UTC)
_DECODERS: Final[dict[str, Any]] = {
    "counts": msgspec.json.Decoder(CountMessage | list[CountMessage]),
    "environment": msgspec.json.Decoder(EnvironmentMessage | list[EnvironmentMessage]),
    "status": msgspec.json.Decoder(StatusMessage),
}
_INTERVAL, _ZONE = attrgetter("interval_s"), attrgetter("tzinfo")
_UNSUPPORTED_MESSAGE_FIELDS: Final = attrgetter("observed_s"), attrgetter("ambiguous")
_OUTPUT, _CLASSES = attrgetter("channel"), attrgetter("classes")
_SPEED = attrgetter("speed_kmh")
_UNSUPPORTED_COUNT_FIELDS: Final = (
    attrgetter("occupancy"),
    attrgetter("speed_histogram"),
)


def decode(kind: str, payload: bytes) -> Decoded:
    """Decode a payload published under a topic of this kind.

    If it is partly invalid, use the valid part (see `ingest.formats.salvage`); each
    unusable part counts as one reading.
    """
    if not payload:  # a retained message was deleted
        return Decoded([])
    unusable: tuple[Unusable, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    try:
        decoded = _DECODERS[kind].decode(payload)
        messages = decoded if type(decoded) is list else [decoded]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        messages, unusable, dropped = salvage(kind, payload, error)
    if kind == "status":
        return Decoded([], status=messages[0], dropped=dropped)
    if kind == "counts" and len(messages) > 1 and not unusable:
        series = _series(messages)
        if series is not None:
            numbered = [(m.seq, m.time) for m in messages if m.seq is not None]
            return Decoded([], numbered=numbered, series=series, dropped=dropped)
    return _decoded(kind, messages, unusable, dropped)


def decode_part(kind: str, part: bytes) -> Decoded:
    """Decode one object of an array."""
    return _decoded(kind, *salvage_part(kind, part))


def _decoded(
    kind: str,
    messages: list[Any],
    unusable: tuple[Unusable, ...],
    dropped: tuple[Dropped, ...],
) -> Decoded:
    readings: list[Reading] = []
    numbered: list[Numbered] = []
    add = _add_counts if kind == "counts" else _add_values
    for message in messages:
        time = message.time
        if time.tzinfo is not UTC:
            time = _utc(time)
        if message.seq is not None:
            numbered.append((message.seq, time))
        first = len(readings)
        add(readings, message, time)
        if message.ambiguous is not None:
            for reading in readings[first:]:
                reading.ambiguous = message.ambiguous
    if not dropped:  # nearly always; a keyword argument costs time
        return Decoded(readings, None, unusable, numbered)
    return Decoded(readings, None, unusable, numbered, dropped=dropped)


def _series(messages: Sequence[CountMessage]) -> CountSeries | None:
    """Combine messages, as sent after an outage, into a series; None if impossible."""
    times = [message.time for message in messages]
    counts = [each for message in messages for each in message.counts]
    steps = list(map(sub, times[1:], times))
    if (
        len(counts) != len(times)
        or steps.count(steps[0]) != len(steps)
        or times[0] >= times[-1]
    ):
        return None
    # each check covers all messages at once, without a Python step per message
    number = len(counts)
    intervals, outputs = set(map(_INTERVAL, messages)), set(map(_OUTPUT, counts))
    classes, speeds = list(map(_CLASSES, counts)), list(map(_SPEED, counts))
    speedless = speeds.count(None)
    if (
        {*map(_ZONE, times)} != {UTC}
        or len(intervals) + len(outputs) + len(set(map(tuple, classes))) != 3
        or speedless not in (0, number)
        or any(
            [*map(get, counts)].count(None) != number
            for get in _UNSUPPORTED_COUNT_FIELDS
        )
        or any(
            [*map(get, messages)].count(None) != number
            for get in _UNSUPPORTED_MESSAGE_FIELDS
        )
    ):
        return None
    return CountSeries(
        outputs.pop(), times, intervals.pop(), classes, None if speedless else speeds
    )


def _add_counts(readings: list[Reading], message: CountMessage, time: datetime) -> None:
    interval_s, observed_s = message.interval_s, message.observed_s
    if observed_s is not None:
        observed_s = _observed(observed_s, interval_s)
    for counts in message.counts:
        classes = counts.classes
        if ONLY_NULL.issuperset(classes.values()):
            continue
        reading = CountReading(
            counts.channel,
            time,
            interval_s,
            classes,
            counts.speed_kmh,
            counts.occupancy,
        )
        if observed_s is not None:
            reading.observed_s = observed_s
        histogram = counts.speed_histogram
        if histogram is not None:
            reading.histogram_from_kmh = histogram.from_kmh
            reading.histogram_width_kmh = histogram.width_kmh
            reading.histogram = histogram.counts
        readings.append(reading)


def _add_values(
    readings: list[Reading], message: EnvironmentMessage, time: datetime
) -> None:
    interval_s, observed_s = message.interval_s, message.observed_s
    if observed_s is not None:
        observed_s = _observed(observed_s, interval_s)
    readings += [
        # turns minus zero into zero
        EnvironmentReading(output, time, interval_s, value or 0.0, DEVICE, observed_s)
        for output, value in message.values.items()
        if value is not None
    ]


def _observed(observed_s: float, interval_s: int) -> int:
    """Round the seconds that the sensor observed, at most those of the interval."""
    return round(min(observed_s, interval_s))


def _utc(time: datetime) -> datetime:
    """Convert a time to UTC, clipped to the years that Python supports."""
    try:
        return time.astimezone(UTC)
    except OverflowError:  # before the year 1, or after 9999
        return _EARLIEST if time.year == 1 else _LATEST
