"""The site and the period that a request asks for."""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from verkehrspuls.calendar import day_start
from verkehrspuls.errors import BadParameter, TooLong


@dataclass(frozen=True, slots=True)
class Period:
    """`[start, end)` in UTC, of a site with its local days."""

    start: datetime
    end: datetime
    zone: ZoneInfo

    @property
    def hours(self) -> int:
        """Hours that begin in it."""
        return max(0, round((self.end - self.start) / timedelta(hours=1)))

    @property
    def first(self) -> date:
        """Local day in which it begins."""
        return self.start.astimezone(self.zone).date()

    @property
    def last(self) -> date:
        """Local day in which it ends."""
        return (self.end - timedelta(microseconds=1)).astimezone(self.zone).date()

    @property
    def local_days(self) -> tuple[date, date]:
        """First and last local day whose midnight is in it.

        The first is after the last where there is none.
        """
        begun = day_start(self.first, self.zone.key) < self.start
        return self.first + timedelta(days=begun), self.last

    def at_most(self, days: int) -> Self:
        """Return the period; refuse one of more local days than this."""
        length = self.end.astimezone(self.zone) - self.start.astimezone(self.zone)
        if length > timedelta(days=days):
            raise TooLong(
                parameter="from",
                detail=f"The period is too long: at most {days} days come at once",
            )
        return self


def period(
    time_zone: str,
    since: datetime | date | None,
    until: datetime | date | None,
    *,
    now: datetime,
    days: int,
    step_s: int = 3600,
) -> Period:
    """Complete and check a period of a place.

    A date means midnight there. The default is the last `days`, by the local
    clock, up to the end of the running interval of `step_s` seconds.
    """
    zone = ZoneInfo(time_zone)
    end = _moment(until, zone) if until else ceiling(now, step_s)
    back = (end.astimezone(zone) - timedelta(days=days)).astimezone(UTC)
    start = _moment(since, zone) if since else back
    if start >= end:
        raise BadParameter(parameter="from", detail="`from` must be before `to`")
    return Period(start, end, zone)


def ceiling(moment: datetime, step_s: int) -> datetime:
    """Return the next moment, or this one, at which an interval begins."""
    return datetime.fromtimestamp(math.ceil(moment.timestamp() / step_s) * step_s, UTC)


def _moment(given: datetime | date, zone: ZoneInfo) -> datetime:
    if isinstance(given, datetime):
        return given.astimezone(UTC)
    return day_start(given, zone.key)
