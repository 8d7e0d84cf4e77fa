"""Public holidays, bridge days, day types and local days.

A local day is that of a site's time zone; it has 23, 24 or 25 hours.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

from verkehrspuls.wording import choice, nearest

DayType = Literal["workday", "saturday", "sunday_or_holiday"]

_DAY = timedelta(days=1)


@cache
def public_holidays(state: str, year: int) -> dict[date, str]:
    """Public holidays of a German state in a year, with their German names.

    `state` is the ISO 3166-2 code without the country, e.g. `RP`. A state that is not
    known has the holidays that all states share. Do not change what is returned.
    """
    from holidays.countries.germany import Germany

    subdivision = state if state in states() else None
    found = Germany(subdiv=subdivision, years=year, language="de")
    return {day: str(name) for day, name in found.items()}


@cache
def states() -> dict[str, str]:
    """The German names of the states by their ISO 3166-2 codes. Do not change them."""
    from holidays.countries.germany import Germany

    return {key: name for name, key in Germany.subdivisions_aliases.items()}


def state_name(state: str) -> str:
    """The German name of a state; its key where it is not known."""
    return states().get(state, state)


def no_state(word: str) -> str:
    """Say in English that there is no such state, and which one was meant."""
    # by code, by name, and the one city that the holidays know besides
    meant = {"Augsburg": "BY"} | {
        way: key for key, name in states().items() for way in (key, name)
    }
    known = choice(meant.get(nearest(word, meant), word), states())
    return f"there is no state {word}; {known}"


@cache
def day_type(day: date, state: str) -> DayType:
    """Type of a day; a public holiday counts as a Sunday, whatever its weekday.

    Source: the day types of DAVe and of the BASt station yearbook.
    """
    if day.weekday() == 6 or day in public_holidays(state, day.year):
        return "sunday_or_holiday"
    return "saturday" if day.weekday() == 5 else "workday"


@cache
def is_bridge_day(day: date, state: str) -> bool:
    """Tell whether a day is a Brückentag: a workday between two days off."""
    return day_type(day, state) == "workday" and all(
        day_type(other, state) != "workday" for other in (day - _DAY, day + _DAY)
    )


def at_clock(wall: datetime, time_zone: str) -> datetime:
    """Tell when (UTC) a town's clock shows a time that is given without offset.

    `ValueError` where it does so twice, or never: at the changes of the clock.
    """
    zone = ZoneInfo(time_zone)
    first, second = (wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall:
        raise ValueError(
            f"in {time_zone} the clock skips {wall.isoformat()}; write the time that "
            "it shows then, or one with offset"
        )
    raise ValueError(
        f"in {time_zone} the clock shows {wall.isoformat()} twice; write "
        f"{first.isoformat()} or {second.isoformat()}"
    )


@cache
def day_start(day: date, time_zone: str) -> datetime:
    """The moment (UTC) at which a local day begins."""
    return datetime.combine(day, time.min, ZoneInfo(time_zone)).astimezone(UTC)


def day_end(day: date, time_zone: str) -> datetime:
    """The moment (UTC) at which the next local day begins."""
    return day_start(day + _DAY, time_zone)


def day_length_h(day: date, time_zone: str) -> float:
    """Hours of a local day: 24, or 23 and 25 where the clocks change."""
    span = day_end(day, time_zone) - day_start(day, time_zone)
    return span / timedelta(hours=1)


def local_day(moment: datetime, time_zone: str) -> date:
    """The local day in which an aware moment lies."""
    return moment.astimezone(ZoneInfo(time_zone)).date()


def days_between(first: date, last: date) -> Iterator[date]:
    """All days from `first` to `last`, both included."""
    for offset in range((last - first).days + 1):
        yield first + offset * _DAY


@cache
def like_days(day: date, state: str, *, weeks: int) -> tuple[date, ...]:
    """The preceding days, over so many weeks, that are of the same type as `day`."""
    kind = day_type(day, state)
    before = days_between(day - timedelta(weeks=weeks), day - _DAY)
    return tuple(other for other in before if day_type(other, state) == kind)
