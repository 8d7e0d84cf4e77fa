"""The site and period of a report."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from analytics.reports.extracts import Bin
from verkehrspuls.calendar import day_end, day_start, local_day
from verkehrspuls.storage.sites import Channel, Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A site, what is counted there, and the period `[start, end)`.

    The local days from `first` to `last` are touched.
    """

    site: Site
    #: what is counted, if anything is
    quantity: str | None
    start: datetime
    end: datetime
    #: the step of its series
    bin: Bin
    now: datetime

    @property
    def zone(self) -> str:
        """The site's time zone."""
        return str(self.site.time_zone)

    @property
    def first(self) -> date:
        """The first local day."""
        return local_day(self.start, self.zone)

    @property
    def last(self) -> date:
        """The last local day, included."""
        return local_day(self.end - timedelta(microseconds=1), self.zone)

    @property
    def today(self) -> date:
        """The local day that runs."""
        return local_day(self.now, self.zone)

    @property
    def whole_days(self) -> bool:
        """Whether it starts and ends at local midnight."""
        ends = day_start(self.first, self.zone), day_end(self.last, self.zone)
        return (self.start, self.end) == ends

    @property
    def ended(self) -> date:
        """The last day that has ended; before the first where none has or is whole."""
        if not self.whole_days:
            return self.first - timedelta(days=1)
        return min(self.last, self.today - timedelta(days=1))

    @property
    def until(self) -> datetime:
        """The end of the last day that has ended; its own end where none has."""
        if self.ended < self.first:
            return self.end
        return min(self.end, day_end(self.ended, self.zone))

    @property
    def counted(self) -> dict[str, Any]:
        """The series shown, as parameters of the queries of storage."""
        return {"site_id": self.site.site_id, "quantity": self.quantity or ""}

    @property
    def period(self) -> dict[str, Any]:
        """The period, as parameters of the queries of storage."""
        return {"start": self.start, "end": self.end}

    @property
    def channels(self) -> list[Channel]:
        """The channels that count."""
        return [c for c in self.site.channels if c.quantity == self.quantity]
