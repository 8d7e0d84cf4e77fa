"""The site and the period that a request asks for."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from api.errors import BadParameter, TooLong


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


def period(
    site: dict[str, Any],
    since: datetime | date | None,
    until: datetime | date | None,
    *,
    now: datetime,
    days: int,
    longest_days: int,
) -> Period:
    """Complete and check a period of a site.

    A date means midnight at the site. The default is the last `days` up to the end of
    the running hour.
    """
    zone = ZoneInfo(site["time_zone"])
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    end = _moment(until, zone) if until else hour + timedelta(hours=1)
    start = _moment(since, zone) if since else end - timedelta(days=days)
    if start >= end:
        raise BadParameter(parameter="from", detail="`from` must be before `to`")
    if end - start > timedelta(days=longest_days):
        raise TooLong(
            parameter="from", detail=f"At most {longest_days} days come at once"
        )
    return Period(start, end, zone)


def _moment(given: datetime | date, zone: ZoneInfo) -> datetime:
    if not isinstance(given, datetime):
        given = datetime.combine(given, time.min, tzinfo=zone)
    return given.astimezone(UTC)
