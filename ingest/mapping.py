"""From records of a foreign payload to readings, as the registry says.

The time of a reading is that of the first field of the sensor's profile that is there
(the device's), else what the format finds (the device's, or that of a gateway or
network server), else, where the profile allows it, that of receipt. Its origin is
stored with the reading.

A field that is absent, null, or holds a sentinel of the profile gives no reading, and
never zero.
"""

import logging
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from ingest.formats import (
    DEVICE,
    RECEIPT,
    CountReading,
    Decoded,
    EnvironmentReading,
    Reading,
    foreign_formats,
)
from ingest.formats.record import Record, Value, as_quoted, number_of
from ingest.reasons import POSSIBLE, Unusable
from ingest.resolve import Feed, RegisteredSensor
from ingest.units import convert
from verkehrspuls.model import Mapping, Profile, Source, TimeField
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.text import mark as _

log = logging.getLogger(__name__)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PER_MICROSECOND: Final = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0.001}
#: what a count and a speed may be, as in the native format
_MOST: Final = 1_000_000
_FASTEST_KMH: Final = 300
_LONGEST_S: Final = 86_400
_DETAIL_FIELDS: Final = 8


def read_foreign(
    sensor: RegisteredSensor, topic: str, payload: bytes, *, received_at: datetime
) -> Decoded:
    """Decode a message of a foreign format into readings."""
    decode = _formats().get(sensor.payload_format)
    if decode is None:
        raise Unusable("unknown-format", repr(sensor.payload_format))
    if not payload:  # a retained message was deleted
        return Decoded([])
    try:
        records = decode(topic, payload, received_at)
        return readings_of(records, sensor, received_at=received_at)
    except Unusable:
        raise
    except Exception as error:  # a fault of ours, which must not stop all other sensors
        log.exception("decoder_failed", extra={"topic": topic})
        raise Unusable(
            "unreadable",
            _("the decoder failed: {}"),
            f"{type(error).__name__}: {error}",
        ) from error


_formats = cache(foreign_formats)


def readings_of(
    records: list[Record], sensor: RegisteredSensor, *, received_at: datetime
) -> Decoded:
    """Turn records into readings; what is unusable in one does not harm the others."""
    profile = sensor.profile
    numbered = [
        (record.seq, record.time or received_at)
        for record in records
        if record.seq is not None
    ]
    records = [record for record in records if _is_meant(record, profile)]
    readings: list[Reading] = []
    unusable: list[Unusable] = []
    mapped = not records
    for record in records:
        fields = [
            (output, feed)
            for output, feeds in sensor.feeds.items()
            for feed in feeds
            if feed.mapping is None or _has_field(record, feed.mapping)
        ]
        if not fields:
            continue
        mapped = True
        try:
            time, interval_s, origin = _interval(record, sensor, received_at)
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
                    (output, time, interval_s, origin),
                )
            except Unusable as problem:
                unusable.append(problem)
                continue
            if reading is not None:
                readings.append(reading)
    if not mapped:
        names = sorted({name for record in records for name in record.fields})
        unmapped = Unusable("no-mapped-field", _("there are {}"), _some(names) or "…")
        unmapped.numbered = numbered
        raise unmapped
    return Decoded(readings, unusable=tuple(unusable), numbered=numbered)


def _feed(feeds: list[Feed], time: datetime) -> Feed:
    """Find the feed of a time, else any: that there is none is told after the time."""
    return next((f for f in feeds if f.since <= time < f.until), feeds[-1])


def _some(names: list[str]) -> str:
    more = ["…"] if len(names) > _DETAIL_FIELDS else []
    return ", ".join([*(repr(name[:80]) for name in names[:_DETAIL_FIELDS]), *more])


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


def _has_field(record: Record, mapping: Mapping) -> bool:
    return any(source.field in record.fields for source in _sources(mapping))


def _interval(
    record: Record, sensor: RegisteredSensor, received_at: datetime
) -> tuple[datetime, int, int]:
    """Tell start (UTC), seconds and origin of a record's interval."""
    time, origin = _time(record, sensor.profile, received_at)
    interval_s = sensor.interval_s
    if record.interval_s is not None:
        interval_s = record.interval_s
        if not 1 <= interval_s <= _LONGEST_S:
            raise Unusable("out-of-range", _("an interval of {} s"), interval_s)
    try:
        time = time.astimezone(UTC)
        if record.interval_s is None and sensor.profile.time_is == "end":
            time -= timedelta(seconds=interval_s)
    except OverflowError as error:
        raise Unusable("not-a-time", time.isoformat()) from error
    return time, interval_s, origin


def _time(
    record: Record, profile: Profile, received_at: datetime
) -> tuple[datetime, int]:
    for field in profile.times:
        value = record.fields.get(field.field)
        if value is not None:
            return _device_time(value, field), DEVICE
    if record.time is not None and record.time_origin != RECEIPT:
        return record.time, record.time_origin
    if profile.receipt_time:
        return record.time or received_at, RECEIPT
    raise Unusable(
        "no-time", _("see {} and {} of the sensor's profile"), "receipt_time", "times"
    )


def _device_time(value: Value, field: TimeField) -> datetime:
    text = f"{field.field} = {str(value)[:80]!r}"
    if field.unit != "iso":
        if isinstance(value, str):
            value = number_of(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Unusable("not-a-time", text)
        try:
            microseconds = int(value * _PER_MICROSECOND[field.unit])
            return _EPOCH + timedelta(microseconds=microseconds)
        except (OverflowError, ValueError) as error:
            raise Unusable("not-a-time", text) from error
    try:
        time = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError as error:
        raise Unusable("not-a-time", text) from error
    if time.tzinfo is None:
        if field.zone is None:
            raise Unusable("not-a-time", _("{} has no offset"), text)
        # the hour that an autumn night has twice: the first of the two, as in files
        time = time.replace(tzinfo=ZoneInfo(field.zone), fold=0)
    try:
        utc = time.astimezone(UTC)
        there = utc.astimezone(time.tzinfo)
    except (OverflowError, ValueError) as error:
        raise Unusable("not-a-time", text) from error
    if there.replace(tzinfo=None) != time.replace(tzinfo=None):
        raise Unusable("not-a-time", _("{}: the clock skipped that"), text)
    return utc


def _reading(
    record: Record,
    feed: Feed,
    profile: Profile,
    head: tuple[str, datetime, int, int],
) -> Reading | None:
    output, time, interval_s, origin = head
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
        value = _number(record, source, profile, into=into)
        if value is None:
            return None
        return EnvironmentReading(output, time, interval_s, value, origin)
    classes: dict[str, int | None] = {}
    for name, given in mapping.classes.items():
        classes[name] = _count(record, _source(given), profile, rounded=mapping.round)
    if all(count is None for count in classes.values()):
        return None
    speed = occupancy = None
    if mapping.speed_kmh is not None:
        speed = _number(record, _source(mapping.speed_kmh), profile, into="km/h")
        _check(speed, _FASTEST_KMH, "speed_kmh")
    if mapping.occupancy is not None:
        occupancy = _number(record, _source(mapping.occupancy), profile, into="1")
        _check(occupancy, 1, "occupancy")
    return CountReading(
        output, time, interval_s, classes, speed, occupancy, time_origin=origin
    )


def _count(
    record: Record, source: Source, profile: Profile, *, rounded: bool
) -> int | None:
    value = _number(record, source, profile, into=None)
    if value is None:
        return None
    _check(value, _MOST, source.field)
    if not rounded and value != int(value):
        raise Unusable(
            "not-a-number", _("{} is not whole"), f"{source.field} = {value}"
        )
    return math.floor(value + 0.5)


def _check(value: float | None, most: float, what: str) -> None:
    if value is not None and not 0 <= value <= most:
        raise Unusable("out-of-range", POSSIBLE, f"{what} = {value}", 0, most)


def _number(
    record: Record, source: Source, profile: Profile, *, into: str | None
) -> float | None:
    """Read a field as a number in a unit; None where there is no value."""
    value = record.fields.get(source.field)
    if value is None:
        return None
    number: Value = value
    if isinstance(value, str) and profile.text_numbers:
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
            return None
    unit = record.units.get(source.field) or source.unit
    if unit is not None and into is not None:
        number = convert(number, unit, into)
    return number * source.factor + source.offset
