"""The native format, version 1: see `verkehrspuls.wire` for topics and payloads.

A class or value that is null is a gap: it is not a reading, and never zero.
"""

from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec

from ingest.formats import CountReading, Decoded, EnvironmentReading, Reading
from ingest.reasons import Unusable
from ingest.sequence import Numbered
from verkehrspuls.wire import CountMessage, EnvironmentMessage, StatusMessage

M = TypeVar("M", CountMessage, EnvironmentMessage)

_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_counts: Final = msgspec.json.Decoder(CountMessage | list[CountMessage])
_environment: Final = msgspec.json.Decoder(
    EnvironmentMessage | list[EnvironmentMessage]
)
_status: Final = msgspec.json.Decoder(StatusMessage)
_NOTHING: Final = frozenset({None})
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
    if kind == "counts":
        counts, unusable = _messages(_counts, payload)
        return Decoded(_count_readings(counts), None, unusable, _numbered(counts))
    values, unusable = _messages(_environment, payload)
    return Decoded(_environment_readings(values), None, unusable, _numbered(values))


def _messages(
    decoder: "msgspec.json.Decoder[M | list[M]]", payload: bytes
) -> tuple[list[M], tuple[Unusable, ...]]:
    try:
        decoded = _decode(decoder, payload)
    except Unusable:
        try:
            parts = _parts.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            parts = []
        if not parts:
            raise
        return _each(decoder, parts)
    return (decoded if isinstance(decoded, list) else [decoded]), ()


def _each(
    decoder: "msgspec.json.Decoder[M | list[M]]", parts: list[msgspec.Raw]
) -> tuple[list[M], tuple[Unusable, ...]]:
    usable: list[M] = []
    unusable = []
    for index, part in enumerate(parts):
        try:
            decoded = _decode(decoder, bytes(part))
        except Unusable as problem:
            unusable.append(Unusable(problem.reason, f"[{index}]: {problem.detail}"))
            continue
        if isinstance(decoded, list):
            unusable.append(Unusable("unreadable", f"[{index}]: an array in an array"))
        else:
            usable.append(decoded)
    return usable, tuple(unusable)


def _decode(decoder: Any, payload: bytes) -> Any:
    try:
        return decoder.decode(payload)
    except UnicodeDecodeError as error:
        raise Unusable("not-utf8", str(error)) from error
    except RecursionError as error:
        raise Unusable("too-deep", str(error)) from error
    except msgspec.MsgspecError as error:
        raise Unusable("unreadable", str(error)) from error


def _numbered(messages: list[M]) -> list[Numbered]:
    return [(each.seq, each.time) for each in messages if each.seq is not None]


def _count_readings(messages: list[CountMessage]) -> list[Reading]:
    readings: list[Reading] = []
    for message in messages:
        time = message.time if message.time.tzinfo is UTC else _utc(message.time)
        for counts in message.counts:
            if set(counts.classes.values()) <= _NOTHING:
                continue
            histogram = counts.speed_histogram
            readings.append(
                CountReading(
                    counts.channel,
                    time,
                    message.interval_s,
                    counts.classes,
                    counts.speed_kmh,
                    counts.occupancy,
                    histogram.from_kmh if histogram else None,
                    histogram.width_kmh if histogram else None,
                    histogram.counts if histogram else None,
                )
            )
    return readings


def _utc(time: datetime) -> datetime:
    """Bring a time to UTC, which hours and months of partitions are counted in."""
    try:
        return time.astimezone(UTC)
    except OverflowError:  # before the year 1, or after 9999
        return _FIRST if time.year == 1 else _LAST


def _environment_readings(messages: list[EnvironmentMessage]) -> list[Reading]:
    return [
        # never minus zero
        EnvironmentReading(output, time, message.interval_s, value or 0.0)
        for message in messages
        for time in (_utc(message.time),)
        for output, value in message.values.items()
        if value is not None
    ]
