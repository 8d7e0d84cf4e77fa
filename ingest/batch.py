"""A batch: messages turned into rows, rejects and the ledger's counts.

Every message is counted exactly once: accepted, partly accepted, rejected, or of an
unknown sensor. Every reading in it is either among the rows, where the database tells
stored, duplicate and corrected apart, or rejected.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from msgspec import Struct

from ingest.check import (
    MOST_VALUES,
    Limits,
    check_readings,
    check_time,
    check_value,
    layout_for,
)
from ingest.formats import (
    DEVICE,
    CountReading,
    CountSeries,
    Decode,
    Decoded,
    Reading,
)
from ingest.mapping import read_foreign
from ingest.reasons import Detail, Unusable
from ingest.resolve import RegisteredSensor, Registry
from ingest.rows import (
    Round,
    after_time,
    count_row,
    environment_row,
    microseconds,
    pack,
    series_rows,
)
from ingest.sequence import Numbered
from verkehrspuls.text import mark as _
from verkehrspuls.wire import StatusMessage, Topic


class Message(Struct, frozen=True, gc=False):
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
    detail: Detail
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
    #: rows for COPY, as they came; a later one of the same key corrects the earlier one
    counts: list[bytes] = field(default_factory=list)
    environment: list[bytes] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    #: by (sensor_id, hour); sensor_id None for messages of no known sensor
    ledger: dict[tuple[int | None, datetime], Tally] = field(default_factory=dict)
    status: dict[int, tuple[datetime, StatusMessage]] = field(default_factory=dict)
    #: sequence numbers by sensor and kind of message
    numbered: dict[tuple[int, str], list[Numbered]] = field(default_factory=dict)
    readings: int = 0
    _packed: dict[str, list[Round]] = field(default_factory=dict, repr=False)

    def packed(self) -> dict[str, list[Round]]:
        """Pack the rows of a complete batch, once: by kind, in rounds for COPY."""
        if not self._packed:
            self._packed = {
                "counts": pack(self.counts),
                "environment": pack(self.environment),
            }
        return self._packed


class Collector:
    """Turns messages into a batch; what is unknown or bad becomes a reject."""

    def __init__(
        self, registry: Registry, formats: dict[str, Decode], limits: Limits
    ) -> None:
        #: what senders are looked up in
        self.registry = registry
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
            _, sensor = self.registry.sender(message.topic)
            if sensor is not None and left.get(sensor.sensor_id, 0) > 0:
                left[sensor.sensor_id] -= 1
                refused.add(id(message))
        collector = self.with_registry(self.registry)
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
        topic, sensor = self.registry.sender(message.topic)
        sensor_id = sensor.sensor_id if sensor else None
        hour, received = _receipt(message.received_at)
        tally = batch.ledger.get((sensor_id, hour))
        if tally is None:
            tally = batch.ledger[sensor_id, hour] = Tally(message.received_at)
        tally.last_received_at = message.received_at
        if sensor is None:
            reason = "unknown-topic" if topic is None else "unknown-sensor"
            if topic is None:
                tally.rejected += 1
            else:
                tally.unknown_sensor += 1
            batch.rejects.append(
                Reject(message, None, reason, Detail.of(message.topic), 0)
            )
            return
        try:
            decoded = self._decode(sensor, message, topic)
            if len(decoded.readings) > MOST_VALUES:
                check_readings(decoded.readings)
            if decoded.status is not None and decoded.status.time is not None:
                # else no later one would replace it
                check_time(decoded.status.time, self._limits)
        except Unusable as problem:
            if problem.numbered:
                self._note(batch, sensor.sensor_id, topic, problem.numbered)
            tally.rejected += 1
            batch.rejects.append(
                Reject(message, sensor_id, problem.reason, problem.detail, 0)
            )
            return
        if decoded.numbered:
            self._note(batch, sensor.sensor_id, topic, decoded.numbered)
        if decoded.status is not None:
            since = message.first_received_at or message.received_at
            batch.status[sensor.sensor_id] = (since, decoded.status)
        readings = decoded.readings
        series = decoded.series
        if series is not None:
            if self._add_series(batch, tally, sensor, series, received):
                return
            readings = series.readings()
        problems = [
            *decoded.unusable,
            *self._add_readings(batch, tally, sensor, readings, received),
        ]
        if not problems:
            batch.readings += len(readings)
            tally.readings_written += len(readings)
            tally.accepted += 1
            return
        written = len(readings) + len(decoded.unusable) - len(problems)
        batch.readings += written
        tally.readings_written += written
        tally.readings_rejected += len(problems)
        if written:
            tally.partly_accepted += 1
        else:
            tally.rejected += 1
        first = problems[0]
        batch.rejects.append(
            Reject(message, sensor_id, first.reason, first.detail, len(problems))
        )

    def _note(
        self,
        batch: Batch,
        sensor_id: int,
        topic: Topic | None,
        numbered: Sequence[Numbered],
    ) -> None:
        """Note sequence numbers; a sensor may number each kind of message by itself.

        A time too far ahead is taken for the latest that is accepted: else whatever
        comes from then on would be from before it.
        """
        latest = self._limits.latest
        found = batch.numbered.setdefault((sensor_id, topic.kind if topic else ""), [])
        if max(map(_time_of, numbered)) <= latest:
            found += numbered
        else:
            found += [(seq, min(time, latest)) for seq, time in numbered]

    def _decode(
        self, sensor: RegisteredSensor, message: Message, topic: Topic | None
    ) -> Decoded:
        if self._beyond and id(message) in self._beyond:
            raise Unusable("rate-limited", "")
        size = len(message.payload)
        if size > self._limits.message_bytes:
            raise Unusable("too-large", _("{} bytes"), size)
        if topic is not None and sensor.topic is None:
            return self._formats["native"](topic.kind, message.payload)
        return read_foreign(
            sensor,
            message.topic,
            message.payload,
            received_at=message.first_received_at or message.received_at,
        )

    def _add_series(
        self,
        batch: Batch,
        tally: Tally,
        sensor: RegisteredSensor,
        series: CountSeries,
        received: int,
    ) -> bool:
        """Put a whole series into the rows; False where it is to be looked at by one.

        Most messages with many readings are one of these, and all in order.
        """
        limits = self._limits
        first, last = series.times[0], series.times[-1]
        is_late = last < limits.late
        try:
            if is_late:
                check_time(first, limits)
            elif first < limits.late or last > limits.latest:
                return False
            feed = sensor.feed(series.output, first)
            if last >= feed.until:
                return False
            layout = layout_for(series.classes[0], series.output, sensor, feed)
        except Unusable:
            return False
        after = after_time(sensor.sensor_id, received, DEVICE, series.interval_s)
        rows = series_rows(series, layout, feed.before, after)
        batch.counts += rows
        batch.readings += len(rows)
        tally.readings_written += len(rows)
        tally.readings_late += len(rows) if is_late else 0
        tally.accepted += bool(rows)
        return bool(rows)

    def _add_readings(
        self,
        batch: Batch,
        tally: Tally,
        sensor: RegisteredSensor,
        readings: Sequence[Reading],
        received: int,
    ) -> list[Unusable]:
        """Put readings into the rows; gives what is unusable."""
        problems = []
        limits = self._limits
        late_before, latest = limits.late, limits.latest
        counts, environment = batch.counts, batch.environment
        late = 0
        # of the reading before: nearly always those of this one too
        feed = output = origin = interval_s = None
        after = b""
        for reading in readings:
            time = reading.time
            try:
                is_late = time < late_before
                if is_late or time > latest:
                    check_time(time, limits)
                if (
                    feed is None
                    or reading.output != output
                    or not feed.since <= time < feed.until
                ):
                    feed = sensor.feed(reading.output, time)
                    output = reading.output
                if reading.interval_s != interval_s or reading.time_origin != origin:
                    origin, interval_s = reading.time_origin, reading.interval_s
                    after = after_time(sensor.sensor_id, received, origin, interval_s)
                if isinstance(reading, CountReading):
                    layout = layout_for(reading.classes, output, sensor, feed)
                    counts.append(count_row(reading, layout, feed.before, after))
                else:
                    check_value(reading, feed)
                    environment.append(environment_row(reading, feed.before, after))
            except Unusable as problem:
                problems.append(problem)
                continue
            late += is_late
        tally.readings_late += late
        return problems


#: of a sequence number
_time_of = itemgetter(1)


@lru_cache(maxsize=1)  # all messages of a read were received at one time
def _receipt(time: datetime) -> tuple[datetime, int]:
    """Tell the hour of a receipt, and the receipt itself as PostgreSQL keeps it."""
    return time.replace(minute=0, second=0, microsecond=0), microseconds(time)
