"""What makes a reading unusable, so that the database never sees a bad row."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ingest.formats import CountReading, EnvironmentReading
from ingest.reasons import Unusable
from ingest.resolve import Feed, RegisteredSensor
from verkehrspuls.classes import CLASSES
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.settings import Ingest


@dataclass(frozen=True, slots=True)
class Limits:
    """The earliest and latest time, and the largest message, that are accepted.

    What is before `late` is accepted, and counted as late.
    """

    earliest: datetime
    late: datetime
    latest: datetime
    message_bytes: int

    @classmethod
    def at(cls, now: datetime, settings: Ingest) -> "Limits":
        """Derive the limits from the settings."""
        return cls(
            earliest=datetime(settings.oldest_year, 1, 1, tzinfo=UTC),
            late=now - timedelta(hours=settings.late_h),
            latest=now + timedelta(hours=settings.future_h),
            message_bytes=settings.message_bytes,
        )


def check_time(time: datetime, limits: Limits) -> bool:
    """Refuse times of a clock that is not set, or runs wrong; tell whether it is late.

    One comparison for a reading that is in time, and one for its future.
    """
    if time < limits.late:
        if time < limits.earliest:
            raise Unusable("too-old", time.isoformat())
        return True
    if time > limits.latest:
        raise Unusable("too-new", time.isoformat())
    return False


def check_counts(reading: CountReading, sensor: RegisteredSensor, feed: Feed) -> None:
    """Refuse classes that the sensor cannot tell."""
    if not feed.counts:
        raise Unusable("wrong-kind", f"counts for {reading.output!r}")
    if reading.classes.keys() <= sensor.classes:
        return
    name = min(reading.classes.keys() - sensor.classes)
    if name in CLASSES or name == "total":
        raise Unusable("class-not-in-scheme", repr(name))
    raise Unusable("unknown-class", repr(name))


def check_value(reading: EnvironmentReading, feed: Feed) -> None:
    """Refuse what is physically impossible."""
    quantity = ENVIRONMENT.get(feed.quantity)
    if quantity is None:
        raise Unusable("wrong-kind", f"a value for {reading.output!r}")
    if not quantity.minimum <= reading.value <= quantity.maximum:
        raise Unusable(
            "out-of-range",
            f"{reading.output} = {reading.value}, possible are "
            f"{quantity.minimum} to {quantity.maximum} {quantity.unit}",
        )
