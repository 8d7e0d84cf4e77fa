"""Checks that reject unusable readings before they reach the database."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from ingest.formats import EnvironmentReading, Reading
from ingest.reasons import OUT_OF_RANGE, Detail, Unusable
from ingest.resolve import Feed, RegisteredSensor
from ingest.rows import Layout, layout_of
from verkehrspuls import wording
from verkehrspuls.classes import CLASSES, COUNTS
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.settings import Ingest
from verkehrspuls.storage.clocks import AHEAD_S
from verkehrspuls.text import mark as _

#: Cached layouts per output; the cache is cleared beyond this.
LAYOUT_CACHE_SIZE: Final = 100
#: Values per interval in one message: each repetition costs the database a statement.
MAX_VALUES_PER_INTERVAL: Final = 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """The accepted range of times, and the accepted size of a message.

    Readings before `late` are accepted and counted as late.
    """

    earliest: datetime
    late: datetime
    latest: datetime
    message_bytes: int
    #: readings after this time are accepted and reported
    ahead: datetime
    #: difference between `latest` and the receipt
    future: timedelta = timedelta(0)

    def received(self, at: datetime) -> "Limits":
        """Return these limits for another receipt, such as a replayed message's."""
        latest, ahead = at + self.future, at + timedelta(seconds=AHEAD_S)
        return replace(
            self, latest=min(latest, self.latest), ahead=min(ahead, self.ahead)
        )

    @classmethod
    def at(cls, now: datetime, settings: Ingest) -> "Limits":
        """Derive the limits from the settings."""
        return cls(
            earliest=datetime(settings.oldest_year, 1, 1, tzinfo=UTC),
            late=now - timedelta(hours=settings.late_h),
            latest=now + timedelta(hours=settings.future_h),
            message_bytes=settings.message_bytes,
            ahead=now + timedelta(seconds=AHEAD_S),
            future=timedelta(hours=settings.future_h),
        )


def check_time(time: datetime, limits: Limits) -> None:
    """Refuse times of clocks that are not set or run wrong."""
    if time < limits.earliest:
        raise Unusable("too-old", time.isoformat())
    if time > limits.latest:
        raise Unusable("too-new", time.isoformat())


def check_readings(readings: Sequence[Reading]) -> None:
    """Refuse a message with too many values for one interval."""
    if len(readings) <= MAX_VALUES_PER_INTERVAL:
        return
    values = Counter((reading.output, reading.time) for reading in readings)
    (output, time), most = values.most_common(1)[0]
    if most > MAX_VALUES_PER_INTERVAL:
        raise Unusable(
            "too-many-values",
            _("{} for {} at {}"),
            most,
            repr(output),
            time.isoformat(),
        )


def layout_for(
    classes: Iterable[str], output: str, sensor: RegisteredSensor, feed: Feed
) -> Layout:
    """Find the layout of counts; refuse classes outside the sensor's class scheme.

    Sensors repeat the same classes, so layouts are cached.
    """
    names = tuple(classes)
    layout = feed.layouts.get(names)
    if layout is not None:
        return layout
    if not feed.counts:
        raise Unusable("wrong-kind", _("counts for {}"), repr(output))
    if unknown := set(names) - sensor.classes:
        name = min(unknown)
        if name in CLASSES or name == "total":
            raise Unusable("class-not-in-scheme", *_known(name, sensor.classes))
        raise Unusable("unknown-class", *_known(name, sensor.classes or COUNTS))
    if len(feed.layouts) >= LAYOUT_CACHE_SIZE:  # classes arrive in ever new orders
        feed.layouts.clear()
    layout = feed.layouts[names] = layout_of(names)
    return layout


def _known(word: str, known: Iterable[str]) -> tuple[str, str, Detail]:
    text, values = wording.suggestion(word, sorted(known))
    return "{}; {}", repr(word), Detail.of(text, *values)


def check_value(reading: EnvironmentReading, feed: Feed) -> None:
    """Refuse physically impossible values."""
    quantity = ENVIRONMENT.get(feed.quantity)
    if quantity is None:
        raise Unusable("wrong-kind", _("a value for {}"), repr(reading.output))
    if not quantity.minimum <= reading.value <= quantity.maximum:
        raise Unusable(
            "out-of-range",
            OUT_OF_RANGE,
            f"{reading.output} = {reading.value}",
            quantity.minimum,
            f"{quantity.maximum} {quantity.unit}",
        )
