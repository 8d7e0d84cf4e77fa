"""What makes a reading unusable, so that the database never sees a bad row."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from ingest.formats import EnvironmentReading, Reading
from ingest.reasons import POSSIBLE, Detail, Unusable
from ingest.resolve import Feed, RegisteredSensor
from ingest.rows import Layout, layout_of
from verkehrspuls import wording
from verkehrspuls.classes import CLASSES, COUNTS
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.settings import Ingest
from verkehrspuls.storage.clocks import AHEAD_S
from verkehrspuls.text import mark as _

#: So many combinations of classes are remembered of an output.
REMEMBERED: Final = 100
#: A message may correct itself so often: each time costs the database a statement.
MOST_VALUES: Final = 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """The earliest and latest time, and the largest message, that are accepted.

    What is before `late` is accepted, and counted as late.
    """

    earliest: datetime
    late: datetime
    latest: datetime
    message_bytes: int
    #: what is later is accepted, and said
    ahead: datetime
    #: how far `latest` is from the receipt
    future: timedelta = timedelta(0)

    def received(self, at: datetime) -> "Limits":
        """Judge by another time of receipt: that of a message taken up again."""
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
    """Refuse times of a clock that is not set, or runs wrong."""
    if time < limits.earliest:
        raise Unusable("too-old", time.isoformat())
    if time > limits.latest:
        raise Unusable("too-new", time.isoformat())


def check_readings(readings: Sequence[Reading]) -> None:
    """Refuse a message with too many values for one interval."""
    if len(readings) <= MOST_VALUES:
        return
    values = Counter((reading.output, reading.time) for reading in readings)
    (output, time), most = values.most_common(1)[0]
    if most > MOST_VALUES:
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
    """Find the layout of counts; refuses classes that the sensor cannot tell.

    Sensors name the same classes over and over, so that this is remembered.
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
    if len(feed.layouts) >= REMEMBERED:  # another order each time: whoever does that
        feed.layouts.clear()
    layout = feed.layouts[names] = layout_of(names)
    return layout


def _known(word: str, known: Iterable[str]) -> tuple[str, str, Detail]:
    text, values = wording.told(word, sorted(known))
    return "{}; {}", repr(word), Detail.of(text, *values)


def check_value(reading: EnvironmentReading, feed: Feed) -> None:
    """Refuse what is physically impossible."""
    quantity = ENVIRONMENT.get(feed.quantity)
    if quantity is None:
        raise Unusable("wrong-kind", _("a value for {}"), repr(reading.output))
    if not quantity.minimum <= reading.value <= quantity.maximum:
        raise Unusable(
            "out-of-range",
            POSSIBLE,
            f"{reading.output} = {reading.value}",
            quantity.minimum,
            f"{quantity.maximum} {quantity.unit}",
        )
