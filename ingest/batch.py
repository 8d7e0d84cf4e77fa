"""Turn messages into a batch: rows, rejects and the ledger's counts.

Every message is counted exactly once: accepted, partly accepted, rejected, or of an
unknown sensor. A message that several sensors of one topic take is counted once for
each sensor. Every reading is either among the rows, where the database distinguishes
stored, duplicate and corrected, or it is rejected.

The broker delivers a retained message again at each subscription. If the message has
its own time, it fills gaps and never corrects. Without its own time it is stored once,
only if its channel has no reading yet; otherwise it is a duplicate of the newest
reading, or rejected.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from math import isclose
from types import MappingProxyType
from typing import Final, NamedTuple

from msgspec import Struct

from ingest.check import (
    MAX_VALUES_PER_INTERVAL,
    Limits,
    check_readings,
    check_time,
    check_value,
    layout_for,
)
from ingest.formats import (
    DEVICE,
    RECEIPT,
    CountReading,
    CountSeries,
    Decoded,
    Formats,
    Frame,
    Reading,
)
from ingest.formats.native import decode_part
from ingest.formats.salvage import is_array, parts_of, placed
from ingest.mapping import read_foreign, takers
from ingest.reasons import Detail, Unusable, dated, several
from ingest.resolve import Feed, RegisteredSensor, Registry
from ingest.rows import (
    KEY_BYTES,
    Round,
    after_time,
    count_row,
    environment_row,
    microseconds,
    pack,
    series_rows,
    time_of_key,
)
from ingest.sequence import Numbered
from verkehrspuls.text import mark as _
from verkehrspuls.wire import Ambiguous, StatusMessage, Topic

#: Age up to which frames of radio networks are remembered.
FRAME_RETENTION: Final = timedelta(days=1)


class Message(Struct, frozen=True, gc=False):
    """A message as received."""

    topic: str
    payload: bytes
    received_at: datetime
    #: packet identifier; 0 where nothing has to be acknowledged (QoS 0, import)
    mid: int = 0
    #: number of the connection that delivered it; only this connection can acknowledge
    #: it
    connection: int = 0
    #: retained by the broker and delivered because of our subscription: it may be old
    retained: bool = False
    #: for a replayed message: the time of its first receipt
    first_received_at: datetime | None = None


class Reject(NamedTuple):
    """A message that could not be used, wholly or in part."""

    message: Message
    sensor_id: int | None
    reason: str
    detail: Detail
    readings: int
    #: counts of those readings by reason, if the reasons differ
    reasons: Mapping[str, int] = MappingProxyType({})
    #: for an array: only its unusable parts, as an array
    parts: bytes = b""
    #: of an unknown sensor: under whose topics it came, if it is known
    municipality: str | None = None


#: What a reading holds, by column.
Content = dict[str, float]

#: The outcome of a message: its time of receipt, the number of readings written, and,
#: if some were not written, their number with the first reason and the detail.
MessageOutcome = tuple[datetime, int, tuple[int, str, Detail] | None]


@dataclass(slots=True)
class Tally:
    """What the ledger counts of one sensor in one hour."""

    last_received_at: datetime
    accepted: int = 0
    partly_accepted: int = 0
    rejected: int = 0
    unknown_sensor: int = 0
    readings_rejected: int = 0
    #: readings among those written that are older than the setting ingest.late_h
    readings_late: int = 0
    #: number of readings written
    readings_written: int = 0
    #: outcomes of the messages, in order of receipt
    outcomes: list[MessageOutcome] = field(default_factory=list, repr=False)
    #: fields left out of readings, by name and problem
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter, repr=False)
    #: the last value of each such field
    dropped_values: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)

    @property
    def messages(self) -> int:
        """Return the total number of messages; each has exactly one outcome."""
        return (
            self.accepted + self.partly_accepted + self.rejected + self.unknown_sensor
        )


class PassedOver(NamedTuple):
    """Implausible times of a field, which were skipped."""

    messages: int
    #: the last implausible time, and the field that was used instead
    said: str
    taken: str
    received_at: datetime


@dataclass(slots=True)
class Framed:
    """The rows of a message that holds a frame of a radio network."""

    sensor_id: int
    kind: str
    frame: Frame
    #: time of its readings
    time: datetime
    number: Numbered
    #: a frame with the same number within this duration is the same frame
    within: timedelta
    counts: slice
    environment: slice


@dataclass(slots=True)
class Batch:
    """The content of one transaction."""

    messages: list[Message] = field(default_factory=list)
    #: rows for COPY in order of receipt; a later row corrects an earlier one with the
    #: same key
    counts: list[bytes] = field(default_factory=list)
    environment: list[bytes] = field(default_factory=list)
    #: rows of retained messages, which correct nothing
    retained: dict[str, list[bytes]] = field(default_factory=dict)
    #: channels of retained readings without their own time, with the earliest receipt;
    #: these readings are rejected until the channels' newest readings are known
    undated: dict[int, datetime] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    #: by (sensor_id, hour); sensor_id is None for messages of unknown sensors
    ledger: dict[tuple[int | None, datetime], Tally] = field(default_factory=dict)
    #: status that sensors report, and whether the message was retained
    status: dict[int, tuple[datetime, StatusMessage, bool]] = field(
        default_factory=dict
    )
    #: sequence numbers by sensor and kind of message
    numbered: dict[tuple[int, str], list[Numbered]] = field(default_factory=dict)
    #: by sensor: the latest end of its accepted readings that lies in the future
    ahead: dict[int, datetime] = field(default_factory=dict)
    framed: list[Framed] = field(default_factory=list)
    #: by sensor and field: implausible times that were skipped
    passed_over: dict[tuple[int, str], PassedOver] = field(default_factory=dict)
    #: by channel and time: why the time is ambiguous, and when the reading was received
    ambiguous: dict[tuple[int, datetime], tuple[Ambiguous, datetime]] = field(
        default_factory=dict
    )
    readings: int = 0
    _packed: dict[str, list[Round]] = field(default_factory=dict, repr=False)

    def move(self, framed: Framed, time: datetime) -> None:
        """Move the rows of a frame to the time of its first copy."""
        moved = time_of_key(time)
        for rows, places in (
            (self.counts, framed.counts),
            (self.environment, framed.environment),
        ):
            rows[places] = [
                row[: KEY_BYTES - 8] + moved + row[KEY_BYTES:] for row in rows[places]
            ]
        numbers = self.numbered.get((framed.sensor_id, framed.kind), [])
        if framed.number in numbers:
            seq, noted = framed.number
            moved_number = seq, noted - (framed.time - time)
            numbers[numbers.index(framed.number)] = moved_number
            framed.number = moved_number
        framed.time = time
        self._packed = {}

    def note_pass(self, channel_id: int, reading: Reading, received: datetime) -> None:
        """Record whether the pass (first or second) of a repeated hour is known."""
        if reading.ambiguous is None:
            self.ambiguous.pop((channel_id, reading.time), None)
        else:
            why = reading.ambiguous, received
            self.ambiguous[channel_id, reading.time] = why

    def packed(self) -> dict[str, list[Round]]:
        """Pack the rows of a complete batch once: by kind, in rounds for COPY."""
        if not self._packed:
            self._packed = {
                kind: [
                    *pack(rows),
                    *(
                        each._replace(corrects=False)
                        for each in pack(self.retained.get(kind, ()))
                    ),
                ]
                for kind, rows in self._rows().items()
            }
        return self._packed

    def _rows(self) -> dict[str, list[bytes]]:
        return {"counts": self.counts, "environment": self.environment}

    def set_apart(self, counts: int, environment: int) -> None:
        """Mark the rows after these positions as rows of a retained message."""
        for kind, begin in (("counts", counts), ("environment", environment)):
            rows = self._rows()[kind]
            self.retained.setdefault(kind, []).extend(rows[begin:])
            del rows[begin:]

    @property
    def outcomes(self) -> dict[str, int]:
        """Return the number of messages by outcome, the worst outcome first."""
        tallies = self.ledger.values()
        return {
            "unknown sensor": sum(each.unknown_sensor for each in tallies),
            "rejected": sum(each.rejected for each in tallies),
            "partly accepted": sum(each.partly_accepted for each in tallies),
            "accepted": sum(each.accepted for each in tallies),
        }


class Collector:
    """Collects messages into a batch; unknown or bad messages become rejects."""

    def __init__(self, registry: Registry, formats: Formats, limits: Limits) -> None:
        #: registry in which senders are looked up
        self.registry = registry
        self._formats = formats
        self._limits = limits
        #: `id` of messages beyond the rate of a sensor, with that sensor; usually empty
        self._beyond: frozenset[tuple[int, int]] = frozenset()
        #: content of the newest readings of channels; None: not queried
        self._known: dict[int, Content | None] | None = None

    def with_registry(self, registry: Registry) -> "Collector":
        """Return a copy of this collector with another registry."""
        return Collector(registry, self._formats, self._limits)

    def knowing(self, known: Mapping[int, Content | None]) -> "Collector":
        """Return a copy of this collector that knows the newest content of channels.

        Valid for one batch. The content is None for a channel without readings.
        """
        collector = self.with_registry(self.registry)
        collector._beyond = self._beyond
        collector._known = dict(known)
        return collector

    def limited(
        self, messages: Sequence[Message], beyond: Mapping[int, int]
    ) -> "Collector":
        """Return a copy that refuses the newest messages of sensors beyond their rate.

        `beyond` is the number of messages to refuse by sensor.
        """
        left = dict(beyond)
        refused = set()
        for message in reversed(messages):
            for sensor in self.senders(message)[1]:
                if left.get(sensor.sensor_id, 0) > 0:
                    left[sensor.sensor_id] -= 1
                    refused.add((id(message), sensor.sensor_id))
        collector = self.with_registry(self.registry)
        collector._beyond = frozenset(refused)
        return collector

    def collect(self, messages: Iterable[Message]) -> Batch:
        """Collect all these messages into a new batch."""
        batch = Batch()
        for message in messages:
            self.add(batch, message)
        return batch

    def add(self, batch: Batch, message: Message) -> None:
        """Add a message to a batch."""
        batch.messages.append(message)
        topic, sensors = self.registry.senders(message.topic)
        if len(sensors) == 1 and not message.retained:  # the usual case
            self._add(batch, message, topic, sensors[0])
            return
        found = self.senders(message)[1]
        if not found:
            self._refuse(batch, message, topic, known=bool(sensors))
        for sensor in found:
            counts, environment = len(batch.counts), len(batch.environment)
            self._add(batch, message, topic, sensor)
            if message.retained:
                batch.set_apart(counts, environment)

    def senders(
        self, message: Message
    ) -> tuple[Topic | None, Sequence[RegisteredSensor]]:
        """Find a message's sensors by topic and, if the topic is shared, by content."""
        topic, sensors = self.registry.senders(message.topic)
        if len(sensors) < 2 or len(message.payload) > self._limits.message_bytes:
            return topic, sensors[:1]
        return topic, takers(
            sensors,
            message.topic,
            message.payload,
            decoders=self._formats.foreign,
            received_at=message.first_received_at or message.received_at,
        )

    def readings(self, message: Message) -> list[tuple[Feed, Reading]]:
        """Return the readings of a message that are used, and where, without rows."""
        topic, sensors = self.senders(message)
        aside = Batch(), Tally(message.received_at)
        found: list[tuple[Feed, Reading]] = []
        for sensor in sensors:
            try:
                decoded = self._decode(sensor, message, topic, self._limits)
            except Unusable:  # the error is recorded when the message is added
                continue
            series = decoded.series
            found += [
                (sensor.feed(reading.output, reading.time), reading)
                for reading in (series.readings() if series else decoded.readings)
                if not self._add_readings(*aside, sensor, [reading], 0, self._limits)
            ]
        return found

    def is_undated(self, message: Message) -> bool:
        """Return whether only the receipt dates a reading or status of a message."""
        topic, sensors = self.senders(message)
        for sensor in sensors:
            try:
                decoded = self._decode(sensor, message, topic, self._limits)
            except Unusable:  # the error is recorded when the message is added
                continue
            status = decoded.status
            if status is not None and status.time is None:
                return True
            if any(reading.time_origin == RECEIPT for reading in decoded.readings):
                return True
        return False

    def _refuse(
        self, batch: Batch, message: Message, topic: Topic | None, *, known: bool
    ) -> None:
        """Reject a message without a sensor; `known`: the topic belongs to sensors."""
        tally, _ = self._tally(batch, None, message)
        reason = "unknown-topic" if topic is None else "unknown-sensor"
        if topic is None:
            tally.rejected += 1
        else:
            tally.unknown_sensor += 1
        batch.rejects.append(
            Reject(
                message,
                None,
                "not-meant" if known else reason,
                Detail.of(message.topic),
                0,
                municipality=topic[0] if topic else self.registry.owner(message.topic),
            )
        )

    def _tally(
        self, batch: Batch, sensor_id: int | None, message: Message
    ) -> tuple[Tally, int]:
        """Return the tally of a message, and its receipt as PostgreSQL stores it."""
        hour, received = _receipt(message.received_at)
        tally = batch.ledger.get((sensor_id, hour))
        if tally is None:
            tally = batch.ledger[sensor_id, hour] = Tally(message.received_at)
        tally.last_received_at = message.received_at
        return tally, received

    def _add(
        self,
        batch: Batch,
        message: Message,
        topic: Topic | None,
        sensor: RegisteredSensor,
    ) -> None:
        """Add a message of a sensor."""
        sensor_id = sensor.sensor_id
        tally, received = self._tally(batch, sensor_id, message)
        limits = self._limits
        if message.first_received_at is not None:
            limits = limits.received(message.first_received_at)
        try:
            decoded = self._decode(sensor, message, topic, limits)
            if len(decoded.readings) > MAX_VALUES_PER_INTERVAL:
                check_readings(decoded.readings)
            if decoded.status is not None and decoded.status.time is not None:
                # otherwise no later status would replace it
                check_time(decoded.status.time, limits)
        except Unusable as problem:
            if problem.numbered and not message.retained:
                self._note(batch, sensor_id, topic, problem.numbered)
            tally.rejected += 1
            batch.rejects.append(
                Reject(message, sensor_id, problem.reason, problem.detail, 0)
            )
            why = (0, problem.reason, problem.detail)
            tally.outcomes.append((message.received_at, 0, why))
            return
        # a repeated message does not start a new run
        if decoded.numbered and not message.retained:
            self._note(batch, sensor_id, topic, decoded.numbered)
        if decoded.dropped or decoded.passed_over or decoded.status is not None:
            _note_aside(batch, tally, sensor_id, message, decoded)
        readings = decoded.readings
        series = decoded.series
        if series is not None:
            if self._known is None and self._add_series(
                batch, tally, sensor, series, received, limits
            ):
                tally.outcomes.append((message.received_at, len(series.times), None))
                return
            readings = series.readings()
        unusable: Sequence[Unusable] = decoded.unusable
        known = 0
        if message.retained or self._known is not None:
            readings, known, undated = self._sort_out(batch, message, sensor, readings)
            unusable = (*unusable, *undated)
        rows = (len(batch.counts), len(batch.environment)) if decoded.frame else None
        problems = self._add_readings(batch, tally, sensor, readings, received, limits)
        if unusable:
            problems = [*unusable, *problems]
        if decoded.frame is not None and rows is not None:
            added = slice(rows[0], len(batch.counts))
            measured = slice(rows[1], len(batch.environment))
            if batch.counts[added] or batch.environment[measured]:
                batch.framed.append(
                    Framed(
                        sensor.sensor_id,
                        topic.kind if topic else "",
                        decoded.frame,
                        readings[0].time,
                        decoded.numbered[0],
                        _repeated_within(decoded.frame, sensor),
                        added,
                        measured,
                    )
                )
        written = len(readings) + known + len(unusable) - len(problems)
        if not problems:
            batch.readings += written
            tally.readings_written += written
            tally.accepted += 1
            tally.outcomes.append((message.received_at, written, None))
            return
        batch.readings += written
        tally.readings_written += written
        tally.readings_rejected += len(problems)
        if written:
            tally.partly_accepted += 1
        else:
            tally.rejected += 1
        parts = b""
        if topic is not None and sensor.topic is None and is_array(message.payload):
            found, parts = self._placed(sensor, topic, message, limits)
            problems = found if len(found) == len(problems) else problems
        reasons = Counter(problem.reason for problem in problems)
        first, detail = problems[0], several([each.detail for each in problems])
        batch.rejects.append(
            Reject(
                *(message, sensor_id, first.reason, detail, reasons.total()),
                reasons=reasons,
                parts=parts,
            )
        )
        why = (len(problems), first.reason, detail)
        tally.outcomes.append((message.received_at, written, why))

    def _placed(
        self, sensor: RegisteredSensor, topic: Topic, message: Message, limits: Limits
    ) -> tuple[list[Unusable], bytes]:
        """Find the unusable readings of an array again, with their positions in it.

        Also return the parts of the array that contain them, as an array.
        """
        problems: list[Unusable] = []
        bad = []
        received = microseconds(message.received_at)
        for index, part in enumerate(parts_of(message.payload)):
            try:
                decoded = decode_part(topic.kind, part)
                readings = decoded.readings
                aside = Batch(), Tally(message.received_at)
                found = [
                    *decoded.unusable,
                    *self._add_readings(*aside, sensor, readings, received, limits),
                ]
            except Unusable as problem:
                found = [problem]
            if found:
                bad.append(part)
                problems += [placed(index, problem) for problem in found]
        return problems, b"[%s]" % b",".join(bad)

    def _sort_out(
        self,
        batch: Batch,
        message: Message,
        sensor: RegisteredSensor,
        readings: Sequence[Reading],
    ) -> tuple[list[Reading], int, list[Unusable]]:
        """Split readings: return those to take, the number known, and those refused."""
        taken, known, refused = [], 0, []
        for reading in readings:
            try:
                channel_id = sensor.feed(reading.output, reading.time).channel_id
            except Unusable:  # the error is recorded when the reading is checked
                taken.append(reading)
                continue
            content = content_of(reading)
            undated = message.retained and reading.time_origin == RECEIPT
            if self._known is None and undated:
                received = message.first_received_at or message.received_at
                before = batch.undated.get(channel_id, received)
                batch.undated[channel_id] = min(before, received)
            elif self._known is None or not undated:
                taken.append(reading)
                if self._known is not None and channel_id in self._known:
                    self._known[channel_id] = content
                continue
            elif self._known[channel_id] is None:
                taken.append(reading)
                self._known[channel_id] = content
                continue
            elif is_same(content, self._known[channel_id]):
                known += 1
                continue
            refused.append(Unusable("retained", repr(reading.output)))
        return taken, known, refused

    def _note(
        self,
        batch: Batch,
        sensor_id: int,
        topic: Topic | None,
        numbered: Sequence[Numbered],
    ) -> None:
        """Record sequence numbers; a sensor may number each kind of message separately.

        A time too far ahead is replaced by the latest accepted time; otherwise all
        later messages would seem to come from before it.
        """
        key = sensor_id, topic.kind if topic else ""
        found = batch.numbered.get(key)
        if found is None:
            found = batch.numbered[key] = []
        latest = self._limits.latest
        for one in numbered:
            found.append(one if one[1] <= latest else (one[0], latest))

    def _decode(
        self,
        sensor: RegisteredSensor,
        message: Message,
        topic: Topic | None,
        limits: Limits,
    ) -> Decoded:
        if self._beyond and (id(message), sensor.sensor_id) in self._beyond:
            raise Unusable("rate-limited", "")
        size = len(message.payload)
        if size > limits.message_bytes:
            raise Unusable("too-large", _("{} bytes"), size)
        if topic is not None and sensor.topic is None:
            return self._formats.native(topic.kind, message.payload)
        received_at = message.first_received_at or message.received_at
        return read_foreign(
            sensor,
            message.topic,
            message.payload,
            decoders=self._formats.foreign,
            received_at=received_at,
            possible=(limits.earliest, received_at + limits.future),
        )

    def _add_series(
        self,
        batch: Batch,
        tally: Tally,
        sensor: RegisteredSensor,
        series: CountSeries,
        received: int,
        limits: Limits,
    ) -> bool:
        """Add a whole series to the rows; return False if readings need single checks.

        Most messages with many readings are such a series, with all readings valid.
        """
        first, last = series.times[0], series.times[-1]
        is_late = last < limits.late
        try:
            if is_late:
                check_time(first, limits)
            elif first < limits.late or last > limits.ahead:
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
        limits: Limits,
    ) -> list[Unusable]:
        """Add readings to the rows; return the problems of the unusable ones."""
        problems = []
        late_before, ahead = limits.late, limits.ahead
        counts, environment = batch.counts, batch.environment
        late = 0
        # values of the previous reading; usually the same for the next one
        feed = output = origin = interval_s = None
        after = b""
        for reading in readings:
            time = reading.time
            try:
                is_late = time < late_before
                if is_late or time > ahead:
                    check_time(time, limits)
                    if time > ahead and reading.time_origin == DEVICE:
                        ended = time + timedelta(seconds=reading.interval_s)
                        before = batch.ahead.get(sensor.sensor_id, ended)
                        batch.ahead[sensor.sensor_id] = max(ended, before)
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
                if reading.ambiguous is not None or batch.ambiguous:
                    batch.note_pass(feed.channel_id, reading, tally.last_received_at)
            except Unusable as problem:
                alone = readings[0].time == readings[-1].time
                problems.append(problem if alone else dated(problem, time))
                continue
            late += is_late
        tally.readings_late += late
        return problems


def _note_aside(
    batch: Batch, tally: Tally, sensor_id: int, message: Message, decoded: Decoded
) -> None:
    """Record what a message contains besides readings: usually nothing."""
    for name, fault, value in decoded.dropped:
        tally.dropped[name, fault] += 1
        tally.dropped_values[name, fault] = value
    for name, content, taken in decoded.passed_over:
        before = batch.passed_over.get((sensor_id, name))
        batch.passed_over[sensor_id, name] = PassedOver(
            before.messages + 1 if before else 1, content, taken, message.received_at
        )
    if decoded.status is not None:
        since = message.first_received_at or message.received_at
        if not message.retained or sensor_id not in batch.status:
            batch.status[sensor_id] = since, decoded.status, message.retained


def _repeated_within(frame: Frame, sensor: RegisteredSensor) -> timedelta:
    """Return the duration within which a frame may be repeated.

    A device that restarts its counter without a new session sends its first frame one
    interval later, and needs that many intervals to reach the same number again; half
    an interval is subtracted for inexact clocks.
    """
    needed = (frame.counter + 0.5) * timedelta(seconds=sensor.interval_s)
    return min(needed, FRAME_RETENTION)


def content_of(reading: Reading) -> Content:
    """Return the known values of a reading by column."""
    if not isinstance(reading, CountReading):
        return {"value": reading.value}
    values = {
        **reading.classes,
        "speed_kmh": reading.speed_kmh,
        "occupancy": reading.occupancy,
    }
    return {name: value for name, value in values.items() if value is not None}


def is_same(content: Content, known: Content | None) -> bool:
    """Return whether a reading equals the known content; columns may round it."""
    return known is not None and all(
        name in known and isclose(value, known[name], rel_tol=1e-6)
        for name, value in content.items()
    )


@lru_cache(maxsize=1)  # all messages of one read have the same time of receipt
def _receipt(time: datetime) -> tuple[datetime, int]:
    """Return the hour of a receipt, and the receipt as PostgreSQL stores it."""
    return time.replace(minute=0, second=0, microsecond=0), microseconds(time)
