"""A batch: messages turned into rows, rejects and the ledger's counts.

Every message is counted exactly once: accepted, partly accepted, rejected, or of an
unknown sensor; one that several sensors of a topic take, once for each of them. Every
reading in it is either among the rows, where the database tells stored, duplicate and
corrected apart, or rejected.

What the broker had kept (a retained message) comes again at each subscription. With a
time of its own it fills what is missing, and never corrects. Without one it is taken
once, where its channel has no reading at all; else it is a duplicate of the newest, or
rejected.
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
    MOST_VALUES,
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
    Decode,
    Decoded,
    Frame,
    Reading,
)
from ingest.formats.native import decode_part
from ingest.formats.salvage import is_array, parts_of, placed
from ingest.mapping import read_foreign, takers
from ingest.reasons import Detail, Unusable, dated, several
from ingest.resolve import RegisteredSensor, Registry
from ingest.rows import (
    KEY,
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

#: Frames of radio networks are known for so long.
FRAMES_KEPT: Final = timedelta(days=1)


class Message(Struct, frozen=True, gc=False):
    """A message as it arrived."""

    topic: str
    payload: bytes
    received_at: datetime
    #: packet identifier; 0 where nothing has to be acknowledged (QoS 0, import)
    mid: int = 0
    #: number of the connection it came over: an acknowledgement is good on that only
    connection: int = 0
    #: kept by the broker, and delivered because we subscribed: it may be of long ago
    retained: bool = False
    #: of a message that is replayed: when it came
    first_received_at: datetime | None = None


class Reject(NamedTuple):
    """A message that could not be used, wholly or in part."""

    message: Message
    sensor_id: int | None
    reason: str
    detail: Detail
    readings: int
    #: those readings by their own reasons, where they differ
    reasons: Mapping[str, int] = MappingProxyType({})
    #: of an array its unusable parts alone, as an array
    parts: bytes = b""


#: What a reading holds, by column.
Content = dict[str, float]

#: What became of a message: when it came, its readings that went into the rows, and of
#: those that did not how many, the reason and the detail.
Came = tuple[datetime, int, tuple[int, str, Detail] | None]


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
    came: list[Came] = field(default_factory=list, repr=False)
    #: fields that were left out of readings, by name and what was wrong
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter, repr=False)
    #: the last value of each
    dropped_values: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)

    @property
    def messages(self) -> int:
        """All messages: each is one of these."""
        return (
            self.accepted + self.partly_accepted + self.rejected + self.unknown_sensor
        )


class PassedOver(NamedTuple):
    """Times of a field that cannot be right."""

    messages: int
    #: the last of them, and the field that was taken in its place
    said: str
    taken: str
    received_at: datetime


@dataclass(slots=True)
class Framed:
    """The rows of a message that holds a frame of a radio network."""

    sensor_id: int
    kind: str
    frame: Frame
    #: of its readings
    time: datetime
    number: Numbered
    #: a frame of the same number within that time is the same
    within: timedelta
    counts: slice
    environment: slice


@dataclass(slots=True)
class Batch:
    """What one transaction writes."""

    messages: list[Message] = field(default_factory=list)
    #: rows for COPY, as they came; a later one of the same key corrects the earlier one
    counts: list[bytes] = field(default_factory=list)
    environment: list[bytes] = field(default_factory=list)
    #: rows of retained messages, which correct nothing
    retained: dict[str, list[bytes]] = field(default_factory=dict)
    #: channels of retained readings without a time of their own, with the earliest
    #: receipt; they are rejected as long as nobody tells what is known of the channels
    undated: dict[int, datetime] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    #: by (sensor_id, hour); sensor_id None for messages of no known sensor
    ledger: dict[tuple[int | None, datetime], Tally] = field(default_factory=dict)
    #: what sensors say of themselves, and whether it was retained
    status: dict[int, tuple[datetime, StatusMessage, bool]] = field(
        default_factory=dict
    )
    #: sequence numbers by sensor and kind of message
    numbered: dict[tuple[int, str], list[Numbered]] = field(default_factory=dict)
    #: by sensor the latest end of its readings that are accepted, and of the future
    ahead: dict[int, datetime] = field(default_factory=dict)
    framed: list[Framed] = field(default_factory=list)
    #: by sensor and field the times that cannot be right, and were passed over
    passed_over: dict[tuple[int, str], PassedOver] = field(default_factory=dict)
    #: by channel and time, why that is ambiguous and when the reading was received
    ambiguous: dict[tuple[int, datetime], tuple[Ambiguous, datetime]] = field(
        default_factory=dict
    )
    readings: int = 0
    _packed: dict[str, list[Round]] = field(default_factory=dict, repr=False)

    def moved(self, framed: Framed, time: datetime) -> None:
        """Give the rows of a frame the time at which it came before."""
        moved = time_of_key(time)
        for rows, places in (
            (self.counts, framed.counts),
            (self.environment, framed.environment),
        ):
            rows[places] = [row[: KEY - 8] + moved + row[KEY:] for row in rows[places]]
        numbers = self.numbered.get((framed.sensor_id, framed.kind), [])
        if framed.number in numbers:
            seq, noted = framed.number
            moved_number = seq, noted - (framed.time - time)
            numbers[numbers.index(framed.number)] = moved_number
            framed.number = moved_number
        framed.time = time
        self._packed = {}

    def note_pass(self, channel_id: int, reading: Reading, received: datetime) -> None:
        """Note whether it is known which pass of a doubled hour a reading is of."""
        if reading.ambiguous is None:
            self.ambiguous.pop((channel_id, reading.time), None)
        else:
            why = reading.ambiguous, received
            self.ambiguous[channel_id, reading.time] = why

    def packed(self) -> dict[str, list[Round]]:
        """Pack the rows of a complete batch, once: by kind, in rounds for COPY."""
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
        """Let the rows beyond these numbers be those of a retained message."""
        for kind, begin in (("counts", counts), ("environment", environment)):
            rows = self._rows()[kind]
            self.retained.setdefault(kind, []).extend(rows[begin:])
            del rows[begin:]

    @property
    def outcomes(self) -> dict[str, int]:
        """How many messages became what; the worst first."""
        tallies = self.ledger.values()
        return {
            "unknown sensor": sum(each.unknown_sensor for each in tallies),
            "rejected": sum(each.rejected for each in tallies),
            "partly accepted": sum(each.partly_accepted for each in tallies),
            "accepted": sum(each.accepted for each in tallies),
        }


class Collector:
    """Turns messages into a batch; what is unknown or bad becomes a reject."""

    def __init__(
        self, registry: Registry, formats: dict[str, Decode], limits: Limits
    ) -> None:
        #: what senders are looked up in
        self.registry = registry
        self._formats = formats
        self._limits = limits
        #: `id` of messages with the sensor whose rate they are beyond; nearly always
        #: none
        self._beyond: frozenset[tuple[int, int]] = frozenset()
        #: what the newest readings of channels hold; None: not asked for
        self._known: dict[int, Content | None] | None = None

    def with_registry(self, registry: Registry) -> "Collector":
        """Make the same collector with another registry."""
        return Collector(registry, self._formats, self._limits)

    def knowing(self, known: Mapping[int, Content | None]) -> "Collector":
        """Make the same collector, that knows what channels held last.

        Good for one batch; of a channel without any reading that is None.
        """
        collector = self.with_registry(self.registry)
        collector._beyond = self._beyond
        collector._known = dict(known)
        return collector

    def limited(
        self, messages: Sequence[Message], beyond: Mapping[int, int]
    ) -> "Collector":
        """Make the same collector, that refuses the last so many of some sensors."""
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
        """Make a batch of all these messages."""
        batch = Batch()
        for message in messages:
            self.add(batch, message)
        return batch

    def add(self, batch: Batch, message: Message) -> None:
        """Add a message to a batch."""
        batch.messages.append(message)
        topic, sensors = self.registry.senders(message.topic)
        if len(sensors) == 1 and not message.retained:  # nearly always
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
        """Find whose message it is, by its topic and, where that is shared, content."""
        topic, sensors = self.registry.senders(message.topic)
        if len(sensors) < 2 or len(message.payload) > self._limits.message_bytes:
            return topic, sensors[:1]
        return topic, takers(
            sensors,
            message.topic,
            message.payload,
            received_at=message.first_received_at or message.received_at,
        )

    def is_undated(self, message: Message) -> bool:
        """Whether a reading or status of a message is dated by its receipt alone."""
        topic, sensors = self.senders(message)
        for sensor in sensors:
            try:
                decoded = self._decode(sensor, message, topic, self._limits)
            except Unusable:  # it is told when the message is added
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
        """Reject a message that is of nobody; `known`: sensors have its topic."""
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
            )
        )

    def _tally(
        self, batch: Batch, sensor_id: int | None, message: Message
    ) -> tuple[Tally, int]:
        """Find where a message is counted, and its receipt as PostgreSQL keeps it."""
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
            if len(decoded.readings) > MOST_VALUES:
                check_readings(decoded.readings)
            if decoded.status is not None and decoded.status.time is not None:
                # else no later one would replace it
                check_time(decoded.status.time, limits)
        except Unusable as problem:
            if problem.numbered and not message.retained:
                self._note(batch, sensor_id, topic, problem.numbered)
            tally.rejected += 1
            batch.rejects.append(
                Reject(message, sensor_id, problem.reason, problem.detail, 0)
            )
            why = (0, problem.reason, problem.detail)
            tally.came.append((message.received_at, 0, why))
            return
        # one that comes again begins no new count
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
                tally.came.append((message.received_at, len(series.times), None))
                return
            readings = series.readings()
        unusable: Sequence[Unusable] = decoded.unusable
        known = 0
        if message.retained or self._known is not None:
            readings, known, undated = self._sift(batch, message, sensor, readings)
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
            tally.came.append((message.received_at, written, None))
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
        tally.came.append((message.received_at, written, why))

    def _placed(
        self, sensor: RegisteredSensor, topic: Topic, message: Message, limits: Limits
    ) -> tuple[list[Unusable], bytes]:
        """Find the unusable readings of an array again, with their places in it.

        Gives also the parts that they are of, as an array of their own.
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

    def _sift(
        self,
        batch: Batch,
        message: Message,
        sensor: RegisteredSensor,
        readings: Sequence[Reading],
    ) -> tuple[list[Reading], int, list[Unusable]]:
        """Tell what to take of a message, what of it is known, and what is refused."""
        taken, known, refused = [], 0, []
        for reading in readings:
            try:
                channel_id = sensor.feed(reading.output, reading.time).channel_id
            except Unusable:  # it is told when the reading is looked at
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
        """Note sequence numbers; a sensor may number each kind of message by itself.

        A time too far ahead is taken for the latest that is accepted: else whatever
        comes from then on would be from before it.
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
            return self._formats["native"](topic.kind, message.payload)
        received_at = message.first_received_at or message.received_at
        return read_foreign(
            sensor,
            message.topic,
            message.payload,
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
        """Put a whole series into the rows; False where it is to be looked at by one.

        Most messages with many readings are one of these, and all in order.
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
        """Put readings into the rows; gives what is unusable."""
        problems = []
        late_before, ahead = limits.late, limits.ahead
        counts, environment = batch.counts, batch.environment
        late = 0
        # of the reading before: nearly always those of this one too
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
    """Note what a message tells beside readings: nearly always nothing."""
    for name, fault, value in decoded.dropped:
        tally.dropped[name, fault] += 1
        tally.dropped_values[name, fault] = value
    for name, said, taken in decoded.passed_over:
        before = batch.passed_over.get((sensor_id, name))
        batch.passed_over[sensor_id, name] = PassedOver(
            before.messages + 1 if before else 1, said, taken, message.received_at
        )
    if decoded.status is not None:
        since = message.first_received_at or message.received_at
        if not message.retained or sensor_id not in batch.status:
            batch.status[sensor_id] = since, decoded.status, message.retained


def _repeated_within(frame: Frame, sensor: RegisteredSensor) -> timedelta:
    """Tell for how long a frame may come again.

    A device that counts anew without a new session sends its first frame an interval
    later, and needs as many more as the number to come to that again; half an interval
    is left for uneven clocks.
    """
    needed = (frame.counter + 0.5) * timedelta(seconds=sensor.interval_s)
    return min(needed, FRAMES_KEPT)


def content_of(reading: Reading) -> Content:
    """Tell what a reading holds, as far as it says something, by column."""
    if not isinstance(reading, CountReading):
        return {"value": reading.value}
    told = {
        **reading.classes,
        "speed_kmh": reading.speed_kmh,
        "occupancy": reading.occupancy,
    }
    return {name: value for name, value in told.items() if value is not None}


def is_same(content: Content, known: Content | None) -> bool:
    """Whether all of a reading is in what is known; columns may hold less digits."""
    return known is not None and all(
        name in known and isclose(value, known[name], rel_tol=1e-6)
        for name, value in content.items()
    )


@lru_cache(maxsize=1)  # all messages of a read were received at one time
def _receipt(time: datetime) -> tuple[datetime, int]:
    """Tell the hour of a receipt, and the receipt itself as PostgreSQL keeps it."""
    return time.replace(minute=0, second=0, microsecond=0), microseconds(time)
