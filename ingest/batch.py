"""A batch: messages turned into rows, rejects and the ledger's counts.

Every message is counted exactly once: accepted, partly accepted, rejected, or of an
unknown sensor. Every reading in it is either among the rows, where the database tells
stored, duplicate and corrected apart, or rejected.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from ingest.check import (
    Limits,
    check_counts,
    check_readings,
    check_time,
    check_value,
)
from ingest.formats import CountReading, Decode, Decoded, Reading
from ingest.mapping import read_foreign
from ingest.reasons import Unusable
from ingest.resolve import RegisteredSensor, Registry
from ingest.sequence import Numbered
from verkehrspuls.classes import COUNTS
from verkehrspuls.wire import StatusMessage, Topic


class Message(NamedTuple):
    """A message as it arrived."""

    topic: str
    payload: bytes
    received_at: datetime
    #: packet identifier; 0 where nothing has to be acknowledged (QoS 0, import)
    mid: int = 0
    #: number of the connection it came over: an acknowledgement is good on that only
    connection: int = 0
    #: of a message that is replayed: when it came
    first_received_at: datetime | None = None


class Reject(NamedTuple):
    """A message that could not be used, wholly or in part."""

    message: Message
    sensor_id: int | None
    reason: str
    detail: str
    readings: int


@dataclass(slots=True)
class Tally:
    """What the ledger counts of one sensor in one hour."""

    last_received_at: datetime
    accepted: int = 0
    partly_accepted: int = 0
    rejected: int = 0
    unknown_sensor: int = 0
    readings_rejected: int = 0
    #: of those that went into the rows: older than the setting ingest.late_h
    readings_late: int = 0
    #: readings that went into the rows
    readings_written: int = 0

    @property
    def messages(self) -> int:
        """All messages: each is one of these."""
        return (
            self.accepted + self.partly_accepted + self.rejected + self.unknown_sensor
        )


@dataclass(slots=True)
class Batch:
    """What one transaction writes."""

    messages: list[Message] = field(default_factory=list)
    #: rows for COPY in the order of `count_reading`; a key stands once per round, and
    #: a later round corrects the earlier one
    counts: list["Rows"] = field(default_factory=list)
    environment: list["Rows"] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    #: by (sensor_id, hour); sensor_id None for messages of no known sensor
    ledger: dict[tuple[int | None, datetime], Tally] = field(default_factory=dict)
    status: dict[int, tuple[datetime, StatusMessage]] = field(default_factory=dict)
    #: sequence numbers by sensor and kind of message
    numbered: dict[tuple[int, str], list[Numbered]] = field(default_factory=dict)
    readings: int = 0


#: Rows by (channel_id, time).
Rows = dict[tuple[int, datetime], tuple[Any, ...]]
#: Where a row's content starts: before it stand key, sensor, time of receipt, and
#: whose clock the reading's time is from.
CONTENT = 5


class Collector:
    """Turns messages into a batch; what is unknown or bad becomes a reject."""

    def __init__(
        self, registry: Registry, formats: dict[str, Decode], limits: Limits
    ) -> None:
        self._registry = registry
        self._formats = formats
        self._limits = limits
        #: `id` of messages beyond their sensor's rate; nearly always none
        self._beyond: frozenset[int] = frozenset()

    def with_registry(self, registry: Registry) -> "Collector":
        """Make the same collector with another registry."""
        return Collector(registry, self._formats, self._limits)

    def limited(
        self, messages: Sequence[Message], beyond: Mapping[int, int]
    ) -> "Collector":
        """Make the same collector, that refuses the last so many of some sensors."""
        left = dict(beyond)
        refused = set()
        for message in reversed(messages):
            _, sensor = self._registry.sender(message.topic)
            if sensor is not None and left.get(sensor.sensor_id, 0) > 0:
                left[sensor.sensor_id] -= 1
                refused.add(id(message))
        collector = self.with_registry(self._registry)
        collector._beyond = frozenset(refused)
        return collector

    def collect(self, messages: Iterable[Message]) -> Batch:
        """Make a batch of all these messages."""
        batch = Batch()
        for message in messages:
            self.add(batch, message)
        return batch

    def add(self, batch: Batch, message: Message) -> None:
        """Add a message to a batch."""
        batch.messages.append(message)
        topic, sensor = self._registry.sender(message.topic)
        sensor_id = sensor.sensor_id if sensor else None
        tally = _tally(batch, sensor_id, message)
        if sensor is None:
            reason = "unknown-topic" if topic is None else "unknown-sensor"
            if topic is None:
                tally.rejected += 1
            else:
                tally.unknown_sensor += 1
            detail = message.topic
            batch.rejects.append(Reject(message, None, reason, detail, 0))
            return
        try:
            decoded = self._decode(sensor, message, topic)
            check_readings(decoded.readings)
        except Unusable as problem:
            if problem.numbered:
                _note(batch, sensor.sensor_id, topic, problem.numbered)
            tally.rejected += 1
            batch.rejects.append(
                Reject(message, sensor_id, problem.reason, problem.detail, 0)
            )
            return
        if decoded.numbered:
            _note(batch, sensor.sensor_id, topic, decoded.numbered)
        problems = list(decoded.unusable)
        for reading in decoded.readings:
            try:
                if self._add_reading(batch, message, sensor, reading):
                    tally.readings_late += 1
            except Unusable as problem:
                problems.append(problem)
        written = len(decoded.readings) + len(decoded.unusable) - len(problems)
        batch.readings += written
        tally.readings_written += written
        tally.readings_rejected += len(problems)
        if decoded.status is not None:
            since = message.first_received_at or message.received_at
            batch.status[sensor.sensor_id] = (since, decoded.status)
        if not problems:
            tally.accepted += 1
            return
        if written:
            tally.partly_accepted += 1
        else:
            tally.rejected += 1
        first = problems[0]
        batch.rejects.append(
            Reject(message, sensor_id, first.reason, first.detail, len(problems))
        )

    def _decode(
        self, sensor: RegisteredSensor, message: Message, topic: Topic | None
    ) -> Decoded:
        if self._beyond and id(message) in self._beyond:
            raise Unusable("rate-limited", "")
        size = len(message.payload)
        if size > self._limits.message_bytes:
            raise Unusable("too-large", f"{size} bytes")
        if topic is not None and sensor.topic is None:
            return self._formats["native"](topic.kind, message.payload)
        return read_foreign(
            sensor,
            message.topic,
            message.payload,
            received_at=message.first_received_at or message.received_at,
        )

    def _add_reading(
        self,
        batch: Batch,
        message: Message,
        sensor: RegisteredSensor,
        reading: Reading,
    ) -> bool:
        """Put a reading into the rows; tells whether it is late."""
        late = check_time(reading.time, self._limits)
        feed = sensor.feed(reading.output, reading.time)
        head = (
            feed.channel_id,
            reading.time,
            sensor.sensor_id,
            message.received_at,
            reading.time_origin,
        )
        if isinstance(reading, CountReading):
            check_counts(reading, sensor, feed)
            classes = map(reading.classes.get, COUNTS)
            row = (*head, reading.interval_s, *classes, *reading[4:9])
            _put(batch.counts, row)
        else:
            check_value(reading, feed)
            _put(batch.environment, (*head, reading.interval_s, reading.value))
        return late


def _note(
    batch: Batch, sensor_id: int, topic: Topic | None, numbered: Sequence[Numbered]
) -> None:
    # a sensor may number each kind of message by itself
    key = (sensor_id, topic.kind if topic else "")
    batch.numbered.setdefault(key, []).extend(numbered)


@lru_cache(maxsize=1)  # all messages of a read were received at one time
def _hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)


def _tally(batch: Batch, sensor_id: int | None, message: Message) -> Tally:
    received_at = message.received_at
    hour = _hour(received_at)
    tally = batch.ledger.get((sensor_id, hour))
    if tally is None:
        tally = batch.ledger[sensor_id, hour] = Tally(received_at)
    tally.last_received_at = received_at
    return tally


def _put(rounds: list[Rows], row: tuple[Any, ...]) -> None:
    """Put a row into the first round that may take it; leave out a duplicate."""
    key = row[:2]
    if rounds and key not in rounds[0]:
        rounds[0][key] = row
        return
    # a key that stands in a round stands in all before it
    at = bisect_left(rounds, True, key=lambda rows: key not in rows)
    if at and rounds[at - 1][key][CONTENT:] == row[CONTENT:]:
        return
    if at == len(rounds):
        rounds.append({})
    rounds[at][key] = row
