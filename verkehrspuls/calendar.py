"""Public holidays, bridge days, day types and local days.

A local day is that of a site's time zone; it has 23, 24 or 25 hours.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

DayType = Literal["workday", "saturday", "sunday_or_holiday"]

_DAY = timedelta(days=1)


@cache
def public_holidays(state: str, year: int) -> dict[date, str]:
    """Public holidays of a German state in a year, with their German names.

    `state` is the ISO 3166-2 code without the country, e.g. `RP`. A state that is not
    known has the holidays that all states share. Do not change what is returned.
    """
    from holidays.countries.germany import Germany

    subdivision = state if state in Germany.subdivisions else None
    found = Germany(subdiv=subdivision, years=year, language="de")
    return {day: str(name) for day, name in found.items()}


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
