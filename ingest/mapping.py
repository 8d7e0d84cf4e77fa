"""Map records of a foreign payload to readings, as the registry specifies.

The time of a reading is taken from the first field of the sensor's profile that is
present (device time), else from the format (time of the device, gateway or network
server), else, if the profile allows it, from the receipt. Its origin is stored with the
reading. An implausible time, too old or too far ahead of the receipt, is skipped if the
payload has another, and the skip is recorded. If the payload has times but none is
usable, the receipt never replaces them.

A field that is absent, null, or holds a sentinel of the profile yields no reading,
never zero.
"""

import logging
import math
from collections.abc import Callable, Container, Iterator, Sequence
from collections.abc import Mapping as Map
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from ingest.formats import (
    DEVICE,
    NETWORK,
    RECEIPT,
    CountReading,
    Decoded,
    EnvironmentReading,
    Frame,
    Reading,
)
from ingest.formats.record import (
    DecodeForeign,
    Record,
    Value,
    as_quoted,
    no_time,
    number_of,
)
from ingest.reasons import OUT_OF_RANGE, Detail, Dropped, Unusable, dated
from ingest.resolve import Feed, RegisteredSensor
from ingest.sequence import MAX_NUMBER
from ingest.units import convert
from verkehrspuls import wording
from verkehrspuls.model import Mapping, Profile, Source, StatusFields, TimeField
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.text import mark as _
from verkehrspuls.wire import MAX_SPEED_KMH, Ambiguous, StatusMessage

log = logging.getLogger(__name__)

T = TypeVar("T")
#: paths of fields
Mapped = Container[str]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: name of the time in messages if its field is unknown
_ORIGINS: Final = {DEVICE: "time", NETWORK: "network"}
_PER_MICROSECOND: Final = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0.001}
#: limits of counts and speeds, as in the native format
_MAX_COUNT: Final = 1_000_000
_MAX_VALUES: Final = {"speed_kmh": MAX_SPEED_KMH, "occupancy": 1}
#: what a status contains: its unit, and the least and the greatest value
_STATUS: Final = {
    "battery_pct": ("%", 0, 100),
    "signal_dbm": ("dBm", -200, 50),
    "temperature_c": ("°C", -100, 200),
}
_MAX_FIRMWARE_LENGTH: Final = 64
#: a local day of 25 hours; longer intervals cannot be assigned to days
_MAX_INTERVAL_S: Final = 90_000
#: Tolerance for inexact clocks of devices.
_MAX_OBSERVED: Final = 1.05
#: The hour that occurs twice on an autumn night, and the tolerated clock error.
_REPEATED_HOUR: Final = timedelta(hours=1)
_CLOCK_TOLERANCE: Final = timedelta(minutes=2)
_MAX_FIELDS_LISTED: Final = 8
#: maximum characters of a device and its session
_MAX_SESSION_LENGTH: Final = 200


class _Sentinel(Unusable):
    """A value that the profile defines as "no value"."""


#: the earliest and the latest plausible time
Span = tuple[datetime, datetime]
#: see `Decoded.passed_over`
PassedOver = Sequence[tuple[str, str, str]]
_ALWAYS: Final = (
    datetime.min.replace(tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
)


#: Foreign formats by name.
Decoders = Map[str, DecodeForeign]


def read_foreign(
    sensor: RegisteredSensor,
    topic: str,
    payload: bytes,
    *,
    decoders: Decoders,
    received_at: datetime,
    possible: Span = _ALWAYS,
) -> Decoded:
    """Decode a message of a foreign format into readings."""
    return _carefully(
        topic,
        lambda: readings_of(
            _records(decoders, sensor.payload_format, topic, payload, received_at),
            sensor,
            received_at=received_at,
            possible=possible,
        ),
    )


def takers(
    sensors: Sequence[RegisteredSensor],
    topic: str,
    payload: bytes,
    *,
    decoders: Decoders,
    received_at: datetime,
) -> Sequence[RegisteredSensor]:
    """Find the sensors of a topic that a message is for; empty: none.

    `sensors` are grouped by topic in order of priority; the first topic with a match
    wins.
    """
    decoded: dict[str, Sequence[Record | Unusable] | Unusable] = {}
    empty: list[RegisteredSensor] = []
    bad: list[RegisteredSensor] = []
    for _topic, group in groupby(sensors, key=lambda sensor: sensor.topic):
        found = []
        for sensor in group:
            if not sensor.profile.only:
                found.append(sensor)
                continue
            name = sensor.payload_format
            if name not in decoded:
                try:
                    decoded[name] = _carefully(
                        topic,
                        partial(_records, decoders, name, topic, payload, received_at),
                    )
                except Unusable as problem:
                    decoded[name] = problem
            records = decoded[name]
            if isinstance(records, Unusable):
                bad.append(sensor)
            elif not records:
                empty.append(sensor)
            elif any(
                isinstance(record, Record) and _is_meant(record, sensor.profile)
                for record in records
            ):
                found.append(sensor)
            elif not any(isinstance(record, Record) for record in records):
                bad.append(sensor)
        if found:
            return found
    # the sensor that takes it reports why there is no reading
    return (empty or bad)[:1]


def _records(
    decoders: Decoders,
    payload_format: str,
    topic: str,
    payload: bytes,
    received_at: datetime,
) -> Sequence[Record | Unusable]:
    decode = decoders.get(payload_format)
    if decode is None:
        text, values = wording.suggestion(payload_format, decoders)
        raise Unusable(
            "unknown-format", "{}; {}", repr(payload_format), Detail.of(text, *values)
        )
    if not payload:  # a retained message was deleted
        return []
    return decode(topic, payload, received_at)


def _carefully(topic: str, work: Callable[[], T]) -> T:
    try:
        return work()
    except Unusable:
        raise
    except Exception as error:  # a fault of ours must not stop all other sensors
        log.exception("decoder_failed", extra={"topic": topic})
        raise Unusable(
            "unreadable",
            _("the decoder failed: {}"),
            f"{type(error).__name__}: {error}",
        ) from error


def readings_of(
    found: Sequence[Record | Unusable],
    sensor: RegisteredSensor,
    *,
    received_at: datetime,
    possible: Span = _ALWAYS,
) -> Decoded:
    """Turn records into readings; an unusable record does not affect the others."""
    profile = sensor.profile
    stamped = [
        _stamped(each, possible) if each.stamps else (each, ())
        for each in found
        if isinstance(each, Record)
    ]
    records = [record for record, _ in stamped]
    passed_over = [one for _, passed in stamped for one in passed]
    numbered = [
        (record.seq, record.time or received_at)
        for record in records
        if record.seq is not None
    ]
    readings: list[Reading] = []
    unusable = [each for each in found if isinstance(each, Unusable)]
    dropped: list[Dropped] = []
    meant = mapped = False
    for mapped_fields, record in _completed(records):
        if not _is_meant(record, profile):
            continue
        meant = True
        fields = [
            (output, feed)
            for output, feeds in sensor.feeds.items()
            for feed in feeds
            if feed.mapping is None or _has_field(mapped_fields, feed.mapping)
        ]
        if not fields:
            continue
        mapped = True
        try:
            time, interval_s, origin, ambiguous, passed = _interval(
                record, sensor, received_at, possible
            )
            passed_over += passed
            observed = _observed(record, profile, interval_s, dropped)
        except Unusable as problem:
            unusable.append(problem)
            continue
        outputs = {output for output, _ in fields}
        for output in sorted(outputs):
            try:
                reading = _reading(
                    record,
                    _feed(sensor.feeds[output], time),
                    profile,
                    (output, time, interval_s, origin, ambiguous),
                    observed,
                    dropped,
                )
            except Unusable as problem:
                alone = records[0].time == records[-1].time
                unusable.append(problem if alone else dated(problem, time))
                continue
            if reading is not None:
                readings.append(reading)
    status = _status(records, profile, readings, possible, dropped)
    if meant and not mapped and status is None:
        names = sorted({name for record in records for name in record.fields})
        unmapped = Unusable("no-mapped-field", _("there are {}"), _some(names) or "…")
        unmapped.numbered = numbered
        raise unmapped
    return Decoded(
        readings,
        status,
        unusable=tuple(unusable),
        numbered=numbered,
        frame=_frame(records, readings),
        dropped=dropped,
        passed_over=passed_over,
    )


def _status(
    records: list[Record],
    profile: Profile,
    readings: list[Reading],
    possible: Span,
    dropped: list[Dropped],
) -> StatusMessage | None:
    """Read what a device says of itself: in its last record that says something."""
    if profile.status is None:
        return None
    first, last = possible
    for record in reversed(records):
        if not _is_meant(record, profile):
            continue
        found = _status_of(record, profile.status, profile, dropped)
        if found:
            times = [each.time for each in readings if each.time_origin != RECEIPT]
            time = max(times, default=record.time)
            known = time is not None and first <= time <= last
            return StatusMessage(state="online", time=time if known else None, **found)
    return None


def _status_of(
    record: Record, fields: StatusFields, profile: Profile, dropped: list[Dropped]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, (unit, least, most) in _STATUS.items():
        given = getattr(fields, name)
        if given is None:
            continue
        source = _source(given)
        try:
            value = _number(record, source, profile, into=unit)
            if value is not None and name == "battery_pct":
                value = round(min(max(value, least), most), 1)
            _check(value, most, source.field, least=least)
        except Unusable as problem:
            dropped.append(_dropped(name, record, source, problem))
            continue
        if value is not None:
            found[name] = value
    firmware = record.fields.get(fields.firmware) if fields.firmware else None
    if firmware is not None:
        found["firmware"] = str(firmware).replace("\0", "")[:_MAX_FIRMWARE_LENGTH]
    return found


def _frame(records: list[Record], readings: list[Reading]) -> Frame | None:
    """Return the frame of readings whose time is not the device's."""
    if len(records) != 1 or not readings or readings[0].time_origin == DEVICE:
        return None
    session, counter = records[0].session, records[0].seq
    if session is None or counter is None or not 0 <= counter <= MAX_NUMBER:
        return None
    return Frame(session.replace("\0", "")[:_MAX_SESSION_LENGTH], counter)


def _completed(records: list[Record]) -> Iterator[tuple[Mapped, Record]]:
    """Yield each record completed by the fields that it leaves unchanged.

    The first item of a pair is the record's own fields. Each pair is valid until the
    next one is requested.
    """
    fields_so_far: dict[tuple[datetime | None, int], dict[str, Value]] = {}
    again = any(record.again for record in records)
    for record in records:
        if not again:
            yield record.fields, record
            continue
        at = record.time, record.time_origin
        if record.again and at in fields_so_far:
            fields_so_far[at].update(record.fields)
        else:
            fields_so_far[at] = dict(record.fields)
        yield record.fields, record._replace(fields=fields_so_far[at])


def _stamped(record: Record, possible: Span) -> tuple[Record, PassedOver]:
    """Set the time of a record to its first plausible stamp, else to its first one.

    Also return the stamps that were skipped.
    """
    first, last = possible
    right = wrong = None
    passed = []
    for each in record.stamps:
        if each.time is None or not first <= each.time <= last:
            passed.append(each)
            wrong = wrong or each.time
        elif right is None:
            right = each
        elif each.doubtful:
            passed.append(each)
    if right is None:
        return record._replace(time=wrong), ()
    passed_over = [(each.field, str(each.said)[:80], right.field) for each in passed]
    return record._replace(time=right.time), passed_over


def _feed(feeds: list[Feed], time: datetime) -> Feed:
    """Find the feed at a time, else any; a missing feed is reported after the time."""
    return next((f for f in feeds if f.since <= time < f.until), feeds[-1])


def _some(names: list[str]) -> str:
    more = ["…"] if len(names) > _MAX_FIELDS_LISTED else []
    return ", ".join([*(repr(name[:80]) for name in names[:_MAX_FIELDS_LISTED]), *more])


def _is_meant(record: Record, profile: Profile) -> bool:
    return all(
        name in record.fields and record.fields[name] == value
        for name, value in profile.only.items()
    )


def _sources(mapping: Mapping) -> Iterator[Source]:
    yield from map(_source, mapping.classes.values())
    for found in (mapping.speed_kmh, mapping.occupancy):
        if found is not None:
            yield _source(found)
    if mapping.field is not None:
        yield Source(field=mapping.field)


def _source(given: str | Source) -> Source:
    return Source(field=given) if isinstance(given, str) else given


def _has_field(fields: Mapped, mapping: Mapping) -> bool:
    return any(source.field in fields for source in _sources(mapping))


def _interval(
    record: Record,
    sensor: RegisteredSensor,
    received_at: datetime,
    possible: Span,
) -> tuple[datetime, int, int, Ambiguous | None, PassedOver]:
    """Return start (UTC), seconds and origin of a record's interval.

    Also return why the pass of a repeated hour is unknown, if it is, and which times
    were skipped.
    """
    time, origin, ambiguous, passed_over = _time(record, sensor, received_at, possible)
    interval_s = sensor.interval_s
    if record.interval_s is not None:
        interval_s = record.interval_s
        if not 1 <= interval_s <= _MAX_INTERVAL_S:
            raise Unusable("out-of-range", _("an interval of {} s"), interval_s)
    try:
        time = time.astimezone(UTC)
        if record.interval_s is None and sensor.profile.time_is == "end":
            time -= timedelta(seconds=interval_s)
    except OverflowError as error:
        raise Unusable("not-a-time", time.isoformat()) from error
    return time, interval_s, origin, ambiguous, passed_over


def _time(
    record: Record,
    sensor: RegisteredSensor,
    received_at: datetime,
    possible: Span,
) -> tuple[datetime, int, Ambiguous | None, PassedOver]:
    profile = sensor.profile
    # A time that marks the start of an interval is sent at its end; short intervals are
    # sent several at once, and either way the pass can be determined.
    lag = timedelta(seconds=sensor.interval_s)
    lags = profile.time_is == "start" and lag > _REPEATED_HOUR / 2
    sent = received_at - lag if lags else received_at
    first, last = possible
    found = None
    if record.time is not None and record.time_origin != RECEIPT:
        found = record.time
    wrong: list[tuple[TimeField, datetime]] = []
    for field in profile.times:
        value = _time_field(record, field.field)
        if value is None:
            continue
        time, ambiguous = _device_time(value, field, sent)
        if first <= time <= last:
            return time, DEVICE, ambiguous, _passed_over(wrong, field.field)
        wrong.append((field, time))
    if found is not None and (not wrong or first <= found <= last):
        origin = record.time_origin
        return found, origin, None, _passed_over(wrong, _ORIGINS[origin])
    if wrong:  # reported when the time is checked
        return wrong[0][1], DEVICE, None, ()
    if record.stamps:
        raise no_time(record.stamps[0])
    if profile.receipt_time:
        return record.time or received_at, RECEIPT, None, ()
    raise Unusable(
        "no-time", _("see {} and {} of the sensor's profile"), "receipt_time", "times"
    )


def _time_field(record: Record, field: str) -> Value:
    """Read a field that should hold a time, or one that the format itself names."""
    if field in record.fields:
        return record.fields[field]
    values = (each.said for each in record.stamps if each.field == field)
    found = next(values, None)
    return found if isinstance(found, str | int | float) else None


def _passed_over(wrong: list[tuple[TimeField, datetime]], taken: str) -> PassedOver:
    return [(field.field, time.isoformat(), taken) for field, time in wrong]


def _device_time(
    value: Value, field: TimeField, sent: datetime
) -> tuple[datetime, Ambiguous | None]:
    text = f"{field.field} = {str(value)[:80]!r}"
    if field.unit != "iso":
        if isinstance(value, str):
            value = number_of(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Unusable("not-a-time", text)
        try:
            microseconds = int(value * _PER_MICROSECOND[field.unit])
            return _EPOCH + timedelta(microseconds=microseconds), None
        except (OverflowError, ValueError) as error:
            raise Unusable("not-a-time", text) from error
    try:
        time = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError as error:
        raise Unusable("not-a-time", text) from error
    ambiguous: Ambiguous | None = None
    if time.tzinfo is None:
        if field.zone is None:
            raise Unusable(
                "not-a-time",
                _("{} has no offset: name it in `times`, with its zone"),
                text,
            )
        time, ambiguous = _on_clock(time, ZoneInfo(field.zone), sent)
    try:
        utc = time.astimezone(UTC)
        there = utc.astimezone(time.tzinfo)
    except (OverflowError, ValueError) as error:
        raise Unusable("not-a-time", text) from error
    if there.replace(tzinfo=None) != time.replace(tzinfo=None):
        raise Unusable("not-a-time", _("{}: the clock skipped that"), text)
    return utc, ambiguous


def _on_clock(
    time: datetime, zone: ZoneInfo, sent: datetime
) -> tuple[datetime, Ambiguous | None]:
    """Convert a wall-clock time, which is ambiguous for an hour of an autumn night.

    It is of the second pass if the message was received within that hour or soon after,
    and of the first if the second would lie in the future. A later message may be of
    either pass: it is taken for the first, as in files, and is ambiguous.
    """
    first, second = (time.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    try:
        began = second.astimezone(UTC)
    except (OverflowError, ValueError):
        return first, None
    late = sent - began
    if first.utcoffset() == second.utcoffset() or late < -_CLOCK_TOLERANCE:
        return first, None
    return (second, None) if late < _REPEATED_HOUR else (first, "late")


def _reading(
    record: Record,
    feed: Feed,
    profile: Profile,
    head: tuple[str, datetime, int, int, Ambiguous | None],
    observed: float | None,
    dropped: list[Dropped],
) -> Reading | None:
    output, time, interval_s, origin, ambiguous = head
    observed_s = None if observed is None else round(observed * interval_s)
    mapping = feed.mapping
    if mapping is None:
        raise Unusable("no-mapping", repr(output))
    if not feed.counts:
        source = Source(
            field=mapping.field or "",
            unit=mapping.unit,
            factor=mapping.factor,
            offset=mapping.offset,
        )
        quantity = ENVIRONMENT.get(feed.quantity)
        into = quantity.unit if quantity else None
        try:
            value = _number(record, source, profile, into=into, words=mapping.words)
        except _Sentinel as problem:
            dropped.append(_dropped(output, record, source, problem))
            return None
        if value is None:
            return None
        _check_plausible(value, mapping, source.field)
        return EnvironmentReading(
            output, time, interval_s, value, origin, observed_s, ambiguous
        )
    left: list[Dropped] = []
    scale = observed if record.scaled and observed is not None else 1.0
    classes = _classes(record, mapping, profile, left, scale=scale)
    if all(count is None for count in classes.values()):
        dropped += left
        return None
    speed = occupancy = None
    if mapping.speed_kmh is not None:
        source = _source(mapping.speed_kmh)
        speed = _optional(record, source, profile, left, ("speed_kmh", "km/h"))
    if mapping.occupancy is not None:
        source = _source(mapping.occupancy)
        occupancy = _optional(record, source, profile, left, ("occupancy", "1"))
    dropped += left
    return CountReading(
        output,
        time,
        interval_s,
        classes,
        speed,
        occupancy,
        time_origin=origin,
        observed_s=observed_s,
        ambiguous=ambiguous,
    )


def _observed(
    record: Record, profile: Profile, interval_s: int, dropped: list[Dropped]
) -> float | None:
    """Read the share of its interval that the device reports as observed."""
    given = profile.observed or record.observed
    if given is None:
        return None
    source = _source(given)
    seconds = source.unit == "s"
    if seconds:
        source = replace(source, unit=None)
    try:
        share = _number(record, source, profile, into=None if seconds else "1")
        if seconds and share is not None:
            share /= interval_s
        _check(share, _MAX_OBSERVED, source.field)
    except Unusable as problem:
        dropped.append(_dropped("observed", record, source, problem))
        return None
    return None if share is None else min(share, 1.0)


def _classes(
    record: Record,
    mapping: Mapping,
    profile: Profile,
    dropped: list[Dropped],
    *,
    scale: float,
) -> dict[str, int | None]:
    """Read the counts; drop an unusable one if the total is known."""
    found: dict[str, int | None] = {}
    wrong: dict[str, tuple[Source, Unusable]] = {}
    for name, given in mapping.classes.items():
        source = _source(given)
        try:
            found[name] = count = _count(
                record, source, profile, rounded=mapping.round, scale=scale
            )
            _check_plausible(count, mapping, source.field)
        except Unusable as problem:
            wrong[name] = source, problem
    for name, (source, fault) in wrong.items():
        if isinstance(fault, _Sentinel):
            found[name] = None
        elif found.get("total") is None:
            raise fault
        dropped.append(_dropped(f"classes.{name}", record, source, fault))
    return found


def _optional(
    record: Record,
    source: Source,
    profile: Profile,
    dropped: list[Dropped],
    field: tuple[str, str],
) -> float | None:
    """Read an optional field of counts, of this name and unit."""
    name, unit = field
    try:
        value = _number(record, source, profile, into=unit)
        _check(value, _MAX_VALUES[name], source.field)
    except Unusable as problem:
        dropped.append(_dropped(name, record, source, problem))
        return None
    return value


def _dropped(name: str, record: Record, source: Source, problem: Unusable) -> Dropped:
    value = record.fields.get(source.field)
    kind = "sentinel" if isinstance(problem, _Sentinel) else "wrong"
    if problem.reason == "out-of-range" and isinstance(value, int | float):
        kind = "below" if value * source.factor + source.offset < 0 else "above"
    return Dropped(name, kind, str(value)[:80])


def _count(
    record: Record, source: Source, profile: Profile, *, rounded: bool, scale: float
) -> int | None:
    """Read a count; `scale` multiplies a count that the device scaled up."""
    value = _number(record, source, profile, into=None)
    if value is None:
        return None
    _check(value, _MAX_COUNT, source.field)
    if not rounded and value != int(value):
        raise Unusable(
            "not-a-number", _("{} is not whole"), f"{source.field} = {value}"
        )
    return math.floor(value * scale + 0.5)


def _check(value: float | None, most: float, what: str, *, least: float = 0) -> None:
    if value is not None and not least <= value <= most:
        raise Unusable("out-of-range", OUT_OF_RANGE, f"{what} = {value}", least, most)


def _check_plausible(value: float | None, mapping: Mapping, what: str) -> None:
    if mapping.plausible is not None:
        least, most = mapping.plausible
        _check(value, most, what, least=least)


def _number(
    record: Record,
    source: Source,
    profile: Profile,
    *,
    into: str | None,
    words: Map[str, float] = {},
) -> float | None:
    """Read a field as a number in a unit; None if it has no value.

    Raise `Unusable` if it is not a number, and `_Sentinel` if it means "no value".
    """
    value = record.fields.get(source.field)
    if record.unusable and source.field in record.unusable:
        raise record.unusable[source.field]
    if value is None:
        return None
    number: Value = value
    word = str(value).lower() if isinstance(value, bool) else value
    if isinstance(word, str) and word in words:
        number = words[word]
    elif isinstance(value, str) and profile.text_numbers:
        number = number_of(value)
    if isinstance(number, bool) or not isinstance(number, int | float):
        text = str(value)[:80]
        raise Unusable("not-a-number", as_quoted(text), f"{source.field} = {text!r}")
    try:
        number = float(number)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Unusable("not-a-number", _("{} is not finite"), source.field)
    for name in (source.field, "*"):
        if number in profile.sentinels.get(name, ()):
            raise _Sentinel("sentinel", "{}", source.field)
    unit = record.units.get(source.field) or source.unit
    if unit is not None and into is not None:
        number = convert(number, unit, into)
    return number * source.factor + source.offset
