"""The checklist of bringing a sensor into service, which ticks itself.

Each point is judged by what came in the last 24 hours. A point waits until it can be
judged; one that is of no use for the sensor, such as the directions of an air station,
does not apply.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import mean, median
from typing import Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from verkehrspuls.quantities import COUNTED
from verkehrspuls.registry import commissioning
from verkehrspuls.registry.commissioning import Sensor
from verkehrspuls.storage import health
from verkehrspuls.storage.database import Connection, execute, read_records
from verkehrspuls.storage.health import HealthDay
from verkehrspuls.text import mark
from verkehrspuls.wording import Phrase

State = Literal["done", "failed", "waiting", "none"]

#: what is judged of the last 24 hours
DAY: Final = timedelta(days=1)
#: share of the day that readings have to cover
COMPLETE: Final = 0.95
#: share of the registered interval by which readings may come closer or wider apart
STEP_TOLERANCE: Final = 0.05
#: readings whose steps are judged
MIN_READINGS: Final = 4
#: least time after which a direction without a vehicle is a fault
MIN_COUNTED: Final = timedelta(hours=1)
#: how late readings may come after their interval, besides one interval
LATE_S: Final = 300.0
#: an hour is known if it is covered to this share
MIN_HOUR: Final = 0.75
#: hours of a day that have to be known
MIN_HOURS: Final = 18
#: local hours of the day, in which a road is not empty
DAYTIME: Final = range(7, 20)
#: vehicles in a usual hour of the day from which on an hour of none is a fault
BUSY: Final = 10
#: Greatest share of the mean hour in the quietest one: above, something else is counted
#: than traffic, such as rain or leaves.
NOISE: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What a sensor measured on one channel in the last 24 hours."""

    site: str
    channel: str
    name: str
    quantity: str
    direction: str
    direction_name: str
    time_zone: str
    output: str
    #: time of its first reading of all
    first_at: datetime | None
    readings: int
    covered_s: int
    #: median of the seconds from one reading to the next
    step_s: float | None
    #: start, covered seconds and vehicles of each hour with a reading
    hours: Sequence[tuple[str, int, float | None]]

    @property
    def counts(self) -> bool:
        """Whether it counts."""
        return self.quantity in COUNTED

    @property
    def volume(self) -> float:
        """How many were counted."""
        return sum(volume or 0 for _, _, volume in self.hours)

    def known_hours(self) -> list[tuple[datetime, float]]:
        """Return local hours that are known, with what was counted."""
        zone = ZoneInfo(self.time_zone)
        return [
            (datetime.fromisoformat(hour).astimezone(zone), volume)
            for hour, covered_s, volume in self.hours
            if covered_s >= MIN_HOUR * 3600 and volume is not None
        ]


class Point(NamedTuple):
    """A point of the checklist, and what is known of it."""

    key: str
    name: str
    state: State
    found: Phrase


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A sensor with its checklist."""

    sensor: Sensor
    course: Sequence[Course]
    points: Sequence[Point]

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do, or to wait for."""
        return all(point.state in ("done", "none") for point in self.points)


class Known(NamedTuple):
    """What the points are judged by."""

    sensor: Sensor
    course: Sequence[Course]
    neighbours: Sequence[str]
    verdicts: Sequence[HealthDay]
    now: datetime

    @property
    def since(self) -> timedelta | None:
        """How long ago the first reading was."""
        first = [each.first_at for each in self.course if each.first_at]
        return self.now - min(first) if first else None

    @property
    def counting(self) -> list[Course]:
        """What counts."""
        return [each for each in self.course if each.counts]


def read_checklist(
    connection: Connection, municipality: str, key: str, *, now: datetime
) -> Checked:
    """Read the state of a sensor, and judge each point of its checklist."""
    sensor = commissioning.sensor(connection, municipality, key)
    chosen: dict[str, Any] = {"sensor_id": sensor.facts.sensor_id, "now": now}
    course = read_records(connection, Course, "sensor_course", **chosen)
    rows = execute(connection, "neighbours_of_sensor", **chosen)
    places = {(each.site, each.channel) for each in course}
    verdicts = [
        each
        for each in health.days(
            connection,
            first=(now - 2 * DAY).date(),
            last=now.date(),
            municipality=municipality,
        )
        if (each.site, each.channel) in places
    ]
    known = Known(sensor, course, [row["name"] for row in rows], verdicts, now)
    return Checked(sensor=sensor, course=course, points=judge(known))


def judge(known: Known) -> list[Point]:
    """Judge each point."""
    return [Point(key, name, *of(known)) for key, (name, of) in _POINTS.items()]


_Judged = tuple[State, Phrase]


def _said(text: str, *values: object) -> Phrase:
    return Phrase(text, tuple(map(str, values)))


def _message(known: Known) -> _Judged:
    facts = known.sensor.facts
    if not facts.messages_received:
        return "waiting", _said(_NO_MESSAGE)
    if not facts.readings_received > facts.readings_rejected:
        return "failed", _said(_NONE_USED, facts.messages_received)
    return "done", _said(_SOME_USED, facts.messages_received, facts.readings_stored)


_NO_MESSAGE: Final = mark("no message yet")
_NONE_USED: Final = mark("messages: {}; no reading of them could be used")
_SOME_USED: Final = mark("messages: {}; readings stored: {}")


def _clock(known: Known) -> _Judged:
    clock, course = known.sensor.clock, known.course
    if clock is None:
        if any(each.readings for each in course):
            return "none", _said(_NO_CLOCK)
        return "waiting", _said(_NO_READING)
    # what was processed again says of the clock nothing
    came = {each.came for each in known.sensor.messages}
    if came == {"replayed"}:
        return "waiting", _said(_NEXT)
    median_s = clock.newest_offset_s if "replayed" in came else clock.offset_s
    offset = round(median_s)
    if clock.minutes_ahead is not None:
        return "failed", _said(_AHEAD, clock.minutes_ahead)
    if offset > LATE_S + known.sensor.facts.interval_s:
        return "failed", _said(_LATE, round(offset / 60))
    return "done", _said(_ON_TIME, offset)


_NO_READING: Final = mark("no reading yet")
_NEXT: Final = mark("judged with the next message")
_NO_CLOCK: Final = mark("the time is not the device's own")
_AHEAD: Final = mark("{} minutes ahead: is local time marked as Z?")
_LATE: Final = mark("readings come {} minutes after their end: is the clock slow?")
_ON_TIME: Final = mark("readings come {} s after their end")


def _interval(known: Known) -> _Judged:
    wanted = known.sensor.facts.interval_s
    steps = [
        each.step_s
        for each in known.course
        if each.step_s is not None and each.readings >= MIN_READINGS
    ]
    if not steps:
        return "waiting", _said(_FEW_READINGS)
    worst = max(steps, key=lambda step: abs(step - wanted))
    if abs(worst - wanted) > STEP_TOLERANCE * wanted:
        return "failed", _said(_OTHER_STEP, round(worst), wanted)
    return "done", _said(_STEP, wanted)


_FEW_READINGS: Final = mark("judged when there are some readings")
_OTHER_STEP: Final = mark("a reading comes every {} s, and {} s are registered")
_STEP: Final = mark("a reading comes every {} s, as registered")


def _both(known: Known) -> _Judged:
    volumes: Counter[tuple[str, str]] = Counter()
    names: dict[tuple[str, str], str] = {}
    for each in known.counting:
        place = each.quantity, each.direction or each.channel
        volumes[place] += round(each.volume)
        names[place] = each.direction_name or each.name
    if len(volumes) < 2:
        return "none", _said(_ONE_DIRECTION)
    if known.since is None:
        return "waiting", _said(_NO_READING)
    empty = [names[place] for place, volume in volumes.items() if not volume]
    if empty:
        state: State = "waiting" if known.since < MIN_COUNTED else "failed"
        return state, _said(_EMPTY, ", ".join(empty))
    told = ", ".join(f"{names[place]}: {n}" for place, n in volumes.items())
    return "done", _said("{}", told)


_ONE_DIRECTION: Final = mark("it counts in one direction only")
_EMPTY: Final = mark("nothing is counted there: {}")


def _direction(known: Known) -> _Judged:
    if len({each.direction for each in known.counting if each.direction}) < 2:
        return "none", _said(_NO_DIRECTIONS)
    swapped = [v.channel for v in known.verdicts if v.verdict == SWAPPED]
    if swapped:
        return "failed", _said(_SWAPPED, ", ".join(sorted({*swapped})))
    if not known.neighbours:
        return "none", _said(_NO_NEIGHBOUR)
    good = [v for v in known.verdicts if v.verdict == "good"]
    hours = min(len(each.known_hours()) for each in known.counting)
    if not good or hours < MIN_HOURS:
        return "waiting", _said(_FEW_HOURS, MIN_HOURS, hours)
    return "done", _said(_AS_OTHERS, ", ".join(known.neighbours))


#: the test of health that compares directions, see `analytics.health.swapped`
SWAPPED: Final = "swapped-direction"
_NO_DIRECTIONS: Final = mark("no two directions are registered")
_SWAPPED: Final = mark("the course of the day is that of the opposite direction: {}")
_NO_NEIGHBOUR: Final = mark(
    "no site along the same road counts in these directions: compare by hand"
)
_FEW_HOURS: Final = mark("judged when {} hours of a day are known; known are {}")
_AS_OTHERS: Final = mark("the course of the day goes with {}")


def _complete(known: Known) -> _Judged:
    if known.since is None or not known.course:
        return "waiting", _said(_NO_READING)
    span_s = min(known.since, DAY).total_seconds()
    share = min(each.covered_s for each in known.course) / max(span_s, 1)
    percent = min(100, round(100 * share))
    if known.since < DAY:
        hours = int(known.since.total_seconds() // 3600)
        return "waiting", _said(_SO_FAR, percent, hours)
    return "done" if share >= COMPLETE else "failed", _said(_SHARE, percent)


_SO_FAR: Final = mark("{} % so far; judged after 24 hours, {} are over")
_SHARE: Final = mark("{} % of the last 24 hours")


def _zeros(known: Known) -> _Judged:
    if not known.counting:
        return "none", _said(_NO_COUNTS)
    waits = 0
    for each in known.counting:
        hours = each.known_hours()
        if len(hours) < MIN_HOURS:
            waits += 1
            continue
        day = [volume for hour, volume in hours if hour.hour in DAYTIME]
        empty = sum(not volume for volume in day)
        if day and empty and median(day) >= BUSY:
            return "failed", _said(_EMPTY_HOURS, each.name, empty)
        volumes = [volume for _, volume in hours]
        if mean(volumes) >= BUSY and min(volumes) > NOISE * mean(volumes):
            return "failed", _said(_NOISE, each.name)
    if waits:
        known_hours = min(len(each.known_hours()) for each in known.counting)
        return "waiting", _said(_FEW_HOURS, MIN_HOURS, known_hours)
    return "done", _said(_QUIET)


_NO_COUNTS: Final = mark("it counts nothing")
_EMPTY_HOURS: Final = mark("{} counted nothing in {} hours of the day")
_NOISE: Final = mark(
    "{} counts more than half of the mean in its quietest hour: what is counted there?"
)
_QUIET: Final = mark("no empty hours by day, and quiet ones at night")

#: the points in their order
_POINTS: Final[Mapping[str, tuple[str, Callable[[Known], _Judged]]]] = {
    "first-message": (mark("First message"), _message),
    "clock": (mark("Clock"), _clock),
    "interval": (mark("Interval"), _interval),
    "both-directions": (mark("Both directions counted"), _both),
    "direction": (mark("Directions as at the neighbours"), _direction),
    "completeness": (mark("Completeness after 24 hours"), _complete),
    "zero-hours": (mark("Hours of zero, and noise"), _zeros),
}
