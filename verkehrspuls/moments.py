"""Parse times written by people and programs."""

import re
from datetime import UTC, date, datetime, time
from typing import Final

from verkehrspuls.calendar import at_clock

_FORM: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)"
    r"(?:[Tt ](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)([Zz]|[+\- ]\d\d:\d\d))?",
    re.ASCII,
)
_WALL: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?", re.ASCII
)
#: The range of years for figures.
YEARS: Final = (1970, 2200)


def utc(given: datetime | date) -> datetime:
    """Convert a date to midnight UTC."""
    if isinstance(given, datetime):
        return given.astimezone(UTC)
    return datetime.combine(given, time.min, tzinfo=UTC)


def parse_moment(text: object) -> datetime | date:
    """Parse an RFC 3339 time with offset, or a date.

    A blank before the offset is a plus sign that was not encoded in a URL.
    """
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(
            "give a date, 2026-03-01, or a time with offset, 2026-03-01T00:00:00Z"
        )
    day, clock, offset = found.groups()
    if not YEARS[0] <= int(day[:4]) <= YEARS[1]:
        raise ValueError(f"the year must be from {YEARS[0]} to {YEARS[1]}")
    if clock is None:
        return date.fromisoformat(day)
    offset = offset.upper().replace(" ", "+")
    return datetime.fromisoformat(f"{day}T{clock}{offset}")


def parse_at(text: str, time_zone: str) -> datetime | date:
    """Parse a time with offset, one on a town's clock, or a date."""
    if _WALL.fullmatch(text) is None:
        return parse_moment(text)
    wall = datetime.fromisoformat(text)
    if not YEARS[0] <= wall.year <= YEARS[1]:
        raise ValueError(f"the year must be from {YEARS[0]} to {YEARS[1]}")
    return at_clock(wall, time_zone)


def parse_day(text: object) -> date:
    """Parse a date."""
    found = parse_moment(text)
    if isinstance(found, datetime):
        raise ValueError("give a date, 2026-03-01")  # noqa: TRY004 - it is a text
    return found


def parse_time(text: object) -> datetime:
    """Parse an RFC 3339 time with offset."""
    found = parse_moment(text)
    if not isinstance(found, datetime):
        raise ValueError(  # noqa: TRY004 - it is a text
            "give a time with offset, 2026-03-01T00:00:00Z"
        )
    return found
