"""Public holidays, bridge days, day types and local days.

A local day is that of a site's time zone; it has 23, 24 or 25 hours.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

from verkehrspuls.text import mark
from verkehrspuls.wording import Phrase, choice, nearest

DayType = Literal["workday", "saturday", "sunday_or_holiday"]

_DAY = timedelta(days=1)


@cache
def public_holidays(state: str, year: int) -> dict[date, str]:
    """Return the public holidays of a state in a year, with their German names.

    `state` is the ISO 3166-2 code without the country, e.g. `RP`. An unknown state has
    the holidays common to all states. Do not change the result.
    """
    from holidays.countries.germany import Germany

    subdivision = state if state in states() else None
    found = Germany(subdiv=subdivision, years=year, language="de")
    return {day: str(name) for day, name in found.items()}


@cache
def states() -> dict[str, str]:
    """Return the German names of the states by ISO 3166-2 code; do not change them."""
    from holidays.countries.germany import Germany

    return {key: name for name, key in Germany.subdivisions_aliases.items()}


def state_name(state: str) -> str:
    """Return the German name of a state, or its key if unknown."""
    return states().get(state, state)


def no_state(word: str) -> str:
    """Explain in English that a state does not exist, with the nearest one."""
    # by code, by name, and the one city with its own holidays
    meant = {"Augsburg": "BY"} | {
        way: key for key, name in states().items() for way in (key, name)
    }
    known = choice(meant.get(nearest(word, meant), word), states())
    return f"there is no state {word}; {known}"


@cache
def day_type(day: date, state: str) -> DayType:
    """Return the type of a day; a public holiday counts as a Sunday.

    Source: the day types of DAVe and of the BASt station yearbook.
    """
    if day.weekday() == 6 or day in public_holidays(state, day.year):
        return "sunday_or_holiday"
    return "saturday" if day.weekday() == 5 else "workday"


@cache
def is_bridge_day(day: date, state: str) -> bool:
    """Return whether a day is a Brückentag: a workday between two days off."""
    return day_type(day, state) == "workday" and all(
        day_type(other, state) != "workday" for other in (day - _DAY, day + _DAY)
    )


def at_clock(wall: datetime, time_zone: str) -> datetime:
    """Convert a wall-clock time without offset to UTC.

    Raise `NotOnClock` if the time occurs twice or never, at clock changes.
    """
    zone = ZoneInfo(time_zone)
    first, second = (wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall:
        raise NotOnClock(_SKIPPED, time_zone, wall.isoformat())
    either = (first.isoformat(), second.isoformat())
    raise NotOnClock(_SHOWN_TWICE, time_zone, wall.isoformat(), *either)


class NotOnClock(ValueError):
    """A time that the clock of a zone shows twice or never."""

    def __init__(self, text: str, *values: str) -> None:
        self.phrase = Phrase(text, values)
        super().__init__(str(self.phrase))


_SKIPPED: Final = mark(
    "in {} the clock skips {}; write the time that it shows then, or one with offset"
)
_SHOWN_TWICE: Final = mark("in {} the clock shows {} twice; write {} or {}")


@cache
def day_start(day: date, time_zone: str) -> datetime:
    """Return the start (UTC) of a local day."""
    return datetime.combine(day, time.min, ZoneInfo(time_zone)).astimezone(UTC)


def day_end(day: date, time_zone: str) -> datetime:
    """Return the end (UTC) of a local day."""
    return day_start(day + _DAY, time_zone)


def day_length_h(day: date, time_zone: str) -> float:
    """Return the hours of a local day: 24, or 23 and 25 at clock changes."""
    span = day_end(day, time_zone) - day_start(day, time_zone)
    return span / timedelta(hours=1)


def local_day(moment: datetime, time_zone: str) -> date:
    """Return the local day of an aware time."""
    return moment.astimezone(ZoneInfo(time_zone)).date()


def days_between(first: date, last: date) -> Iterator[date]:
    """Return all days from `first` to `last`, both included."""
    for offset in range((last - first).days + 1):
        yield first + offset * _DAY
