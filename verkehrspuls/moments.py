"""Dates and times as people and programs write them: one parser for all.

Commands, the API and the addresses of pages read a date as 2026-03-01, 01.03.2026,
1.3.26 or 2026/03/01; a time has a clock time and an offset after its date. What two
persons would read differently, 01/03/2026, is refused with what to write instead.
"""

import re
from datetime import UTC, date, datetime
from typing import Final

from verkehrspuls.calendar import at_clock, day_start

_FORM: Final = re.compile(
    r"(?P<day>[0-9./-]{6,10})"
    r"(?:[Tt ](?P<clock>\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)"
    # a blank is a plus that was not encoded in an address
    r"(?P<offset>[Zz]|[+\- ]\d\d:\d\d)?)?",
    re.ASCII,
)
_DAYS: Final = tuple(
    re.compile(form, re.ASCII)
    for form in (
        r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)",
        r"(?P<year>\d{4})/(?P<month>\d\d?)/(?P<day>\d\d?)",
        r"(?P<day>\d\d?)\.(?P<month>\d\d?)\.(?P<year>\d{4}|\d\d)",
    )
)
_SLASHES: Final = re.compile(r"(\d\d?)/(\d\d?)/(\d{4}|\d\d)", re.ASCII)
#: The years a figure can be of.
YEARS: Final = (1970, 2200)

_DAY: Final = "give a date, 2026-03-01"
_TIME: Final = "give a time with offset, 2026-03-01T00:00:00Z"
_EITHER: Final = "give a date, 2026-03-01, or a time with offset, 2026-03-01T00:00:00Z"


def utc(given: datetime | date, time_zone: str = "UTC") -> datetime:
    """Return a time in UTC; a date is its beginning in the time zone."""
    if isinstance(given, datetime):
        return given.astimezone(UTC)
    return day_start(given, time_zone)


def parse_moment(text: object) -> datetime | date:
    """Read a date, or a time with offset."""
    return _parse(text, None)


def parse_at(text: str, time_zone: str) -> datetime | date:
    """Read a date, a time with offset, or one that a town's clock shows."""
    return _parse(text, time_zone)


def parse_day(text: object) -> date:
    """Read a date."""
    found = _parse(text, None, wanted=_DAY)
    if isinstance(found, datetime):
        raise ValueError(_DAY)  # noqa: TRY004 - it is a text
    return found


def parse_time(text: object) -> datetime:
    """Read a time with offset."""
    found = _parse(text, None, wanted=_TIME)
    if not isinstance(found, datetime):
        raise ValueError(_TIME)  # noqa: TRY004 - it is a text
    return found


def _parse(
    text: object, time_zone: str | None, *, wanted: str = _EITHER
) -> datetime | date:
    found = _FORM.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ValueError(wanted)
    day = _day(found["day"], wanted)
    if found["clock"] is None:
        return day
    if found["offset"] is None and time_zone is None:
        raise ValueError(wanted)
    offset = (found["offset"] or "").upper().replace(" ", "+")
    written = f"{day}T{found['clock']}{offset}"
    try:
        time = datetime.fromisoformat(written)
    except ValueError as error:
        raise ValueError(f"there is no time {written}") from error
    return at_clock(time, time_zone) if time_zone and not offset else time


def _day(text: str, wanted: str) -> date:
    found = next(filter(None, (form.fullmatch(text) for form in _DAYS)), None)
    if found is None:
        raise ValueError(_slashed(text) or wanted)
    year = _year(found["year"])
    if not YEARS[0] <= year <= YEARS[1]:
        raise ValueError(f"the year must be from {YEARS[0]} to {YEARS[1]}")
    day = _date(year, found["month"], found["day"])
    if day is None:
        raise ValueError(f"there is no day {text}")
    return day


def _slashed(text: str) -> str:
    """Return what to write instead of a date with two readings; empty for others."""
    found = _SLASHES.fullmatch(text)
    if found is None:
        return ""
    one, other, year = found[1], found[2], _year(found[3])
    readings = (_date(year, other, one), _date(year, one, other))
    days = dict.fromkeys(str(day) for day in readings if day)
    return f"write {' or '.join(days)}" if days else f"there is no day {text}"


def _year(text: str) -> int:
    """Return the year; one of two digits is of the years that a figure can be of."""
    year = int(text)
    if len(text) > 2:
        return year
    return year + (1900 if year >= YEARS[0] % 100 else 2000)


def _date(year: int, month: str, day: str) -> date | None:
    try:
        return date(year, int(month), int(day))
    except ValueError:
        return None
