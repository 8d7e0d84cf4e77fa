"""Dates and periods as commands take them.

With the time zone of a town, a date or a time without offset is what its clock shows.
Without one, a date is in UTC, and a time needs an offset.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import TypeVar

from verkehrspuls.errors import UsageError

Parsed = TypeVar("Parsed")


def moment(option: str, text: str | None, time_zone: str | None) -> datetime | None:
    """Read a time, or a date, which means its beginning."""
    from verkehrspuls.moments import parse_at, parse_moment, utc

    def parse(given: str) -> datetime:
        if time_zone is None:
            return utc(parse_moment(given))
        return utc(parse_at(given, time_zone), time_zone)

    return None if text is None else _read(parse, option, text)


def period(
    from_: str | None, to: str | None, time_zone: str | None
) -> tuple[datetime | None, datetime | None]:
    """Read start and end; each may be open."""
    start = moment("--from", from_, time_zone)
    end = moment("--to", to, time_zone)
    if start and end:
        _refuse_backwards(start >= end, from_, to)
    return start, end


def days(from_: str | None, to: str | None) -> tuple[date | None, date | None]:
    """Read the first local day and the one after the last; each may be open."""
    first = None if from_ is None else day("--from", from_)
    end = None if to is None else day("--to", to)
    if first and end:
        _refuse_backwards(first >= end, from_, to)
    return first, end


def day(option: str, text: str) -> date:
    """Read a local day."""
    from verkehrspuls.moments import parse_day

    return _read(parse_day, option, text)


def _read(parse: Callable[[str], Parsed], option: str, text: str) -> Parsed:
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(reason=f"{option} {text}: {error}") from error


def _refuse_backwards(backwards: bool, from_: str | None, to: str | None) -> None:
    if backwards:
        raise UsageError(
            reason=f"the period ends before it begins: --from {from_} must be before "
            f"--to {to}, which is exclusive"
        )
