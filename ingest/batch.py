"""A batch: messages turned into rows, rejects and the ledger's counts.

Every message is counted exactly once: accepted, partly accepted, rejected, or of an
unknown sensor. Every reading in it is either among the rows, where the database tells
stored, duplicate and corrected apart, or rejected.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from ingest.check import Limits, check_counts, check_time, check_value
from ingest.formats import CountReading, Decode, Reading
from ingest.reasons import Unusable
from ingest.resolve import RegisteredSensor, Registry
from verkehrspuls.classes import COUNTS
from verkehrspuls.wire import StatusMessage, parse_topic


class Message(NamedTuple):
    """A message as it arrived."""

    topic: str
    payload: bytes
    received_at: datetime
    #: packet identifier; 0 where nothing has to be acknowledged (QoS 0, import)
    mid: int = 0
    #: number of the connection it came over: an acknowledgement is good on that only
    connection: int = 0


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
    #: readings that went into the rows
    readings_written: int = 0


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
    readings: int = 0


#: Rows by (channel_id, time).
Rows = dict[tuple[int, datetime], tuple[Any, ...]]
#: Where a row's content starts: before it stand key, sensor and time of receipt.
CONTENT = 4


class Collector:
    """Turns messages into a batch; what is unknown or bad becomes a reject."""

    def __init__(
        self, registry: Registry, formats: dict[str, Decode], limits: Limits
    ) -> None:
        self._registry = registry
        self._formats = formats
        self._limits = limits

    def with_registry(self, registry: Registry) -> "Collector":
        """Make the same collector with another registry."""
        return Collector(registry, self._formats, self._limits)

    def collect(self, messages: Iterable[Message]) -> Batch:
        """Make a batch of all these messages."""
        batch = Batch()
        for message in messages:
            self.add(batch, message)
        return batch

    def add(self, batch: Batch, message: Message) -> None:
        """Add a message to a batch."""
        batch.messages.append(message)
        topic = parse_topic(message.topic)
        sensor = self._registry.get(topic[:2]) if topic else None
        sensor_id = sensor.sensor_id if sensor else None
        tally = _tally(batch, sensor_id, message)
        if topic is None or sensor is None:
            reason = "unknown-topic" if topic is None else "unknown-sensor"
            if topic is None:
                tally.rejected += 1
            else:
                tally.unknown_sensor += 1
            detail = message.topic
            batch.rejects.append(Reject(message, None, reason, detail, 0))
            return
        try:
            decoded = self._formats[sensor.payload_format](topic.kind, message.payload)
        except Unusable as problem:
            tally.rejected += 1
            batch.rejects.append(
                Reject(message, sensor_id, problem.reason, problem.detail, 0)
            )
            return
        problems = list(decoded.unusable)
        for reading in decoded.readings:
            try:
                self._add_reading(batch, message, sensor, reading)
            except Unusable as problem:
                problems.append(problem)
        written = len(decoded.readings) + len(decoded.unusable) - len(problems)
        batch.readings += written
        tally.readings_written += written
        tally.readings_rejected += len(problems)
        if decoded.status is not None:
            batch.status[sensor.sensor_id] = (message.received_at, decoded.status)
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

    def _add_reading(
        self,
        batch: Batch,
        message: Message,
        sensor: RegisteredSensor,
        reading: Reading,
    ) -> None:
        check_time(reading.time, self._limits)
        feed = sensor.feed(reading.output, reading.time)
        head = (feed.channel_id, reading.time, sensor.sensor_id, message.received_at)
        if isinstance(reading, CountReading):
            check_counts(reading, sensor, feed)
            classes = map(reading.classes.get, COUNTS)
            row = (*head, reading.interval_s, *classes, *reading[4:])
            _put(batch.counts, row)
        else:
            check_value(reading, feed)
            _put(batch.environment, (*head, reading.interval_s, reading.value))


def _tally(batch: Batch, sensor_id: int | None, message: Message) -> Tally:
    hour = message.received_at.replace(minute=0, second=0, microsecond=0)
    tally = batch.ledger.get((sensor_id, hour))
    if tally is None:
        tally = batch.ledger[sensor_id, hour] = Tally(message.received_at)
    tally.last_received_at = message.received_at
    return tally


def _put(rounds: list[Rows], row: tuple[Any, ...]) -> None:
    """Put a row into the first round that may take it; leave out a duplicate."""
    key = row[:2]
    last = None
    for rows in rounds:
        if key not in rows:
            break
        last = rows[key]
    else:
        rows = {}
        if last is None or last[CONTENT:] != row[CONTENT:]:
            rounds.append(rows)
    if last is None or last[CONTENT:] != row[CONTENT:]:
        rows[key] = row
