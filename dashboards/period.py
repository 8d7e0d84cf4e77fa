"""The period that a page shows: read from its query string, in the site's local days.

The state of a page is its address: `period` names a preset, or `from` and `to` are
local days, half-open `[from, to)`; `bin` is an ISO 8601 duration.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from api.errors import BadParameter
from verkehrspuls.calendar import day_start
from verkehrspuls.text import mark

Bin = Literal["PT15M", "PT1H", "P1D"]

BINS: Final[dict[Bin, str]] = {
    "PT15M": mark("15 minutes"),
    "PT1H": mark("hours"),
    "P1D": mark("days"),
}
#: the longest period in days for which a bin gives a readable chart and table
BIN_DAYS: Final[dict[Bin, int]] = {"PT15M": 14, "PT1H": 93, "P1D": 36_600}

PRESETS: Final[dict[str, str]] = {
    "24h": mark("24 hours"),
    "7d": mark("7 days"),
    "30d": mark("30 days"),
    "365d": mark("365 days"),
    "month": mark("this month"),
    "year": mark("this year"),
    "previous-week": mark("last week"),
    "previous-month": mark("last month"),
    "previous-year": mark("last year"),
}
DEFAULT: Final = "7d"

#: longer than any series; keeps a page from asking for the year 9999
LONGEST_DAYS: Final = 3_660

YEARS: Final = mark("Days are written like 2026-03-01, from 1970 to 2200")

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open span of local days (or the newest 24 hours) and its bin."""

    #: aware UTC
    start: datetime
    end: datetime
    zone: str
    bin: Bin
    #: key of `PRESETS`, or empty for days that were given
    preset: str
    #: the bin that was asked for is too fine for the length
    coarsened: bool = False

    @property
    def first(self) -> date:
        """The first local day."""
        return self.start.astimezone(ZoneInfo(self.zone)).date()

    @property
    def last(self) -> date:
        """The last local day, included."""
        newest = self.end - timedelta(microseconds=1)
        return newest.astimezone(ZoneInfo(self.zone)).date()

    @property
    def until(self) -> date:
        """The first local day after it."""
        return self.last + timedelta(days=1)

    @property
    def calendar_days(self) -> int:
        """How many local days it touches."""
        return (self.last - self.first).days + 1

    @property
    def whole_days(self) -> bool:
        """Whether it starts and ends at local midnight."""
        return self.start == day_start(self.first, self.zone) and (
            self.end == day_start(self.until, self.zone)
        )

    @property
    def interval(self) -> timedelta:
        """The bin's length; a day where the bin is a local day."""
        return {
            "PT15M": timedelta(minutes=15),
            "PT1H": timedelta(hours=1),
            "P1D": timedelta(days=1),
        }[self.bin]

    def query(self) -> dict[str, str]:
        """The query string that leads to this period, with fixed days."""
        return {"from": str(self.first), "to": str(self.until), "bin": self.bin}


def read(
    query: Mapping[str, str], zone: str, *, now: datetime, newest: date | None = None
) -> Period:
    """Read the period from a page's query string.

    `newest`: the day of the newest data; without a period in the query the default one
    ends there, so that a series that ended years ago opens where it has data.
    """
    preset = query.get("period", "")
    given = _day(query, "from"), _day(query, "to")
    today = now.astimezone(ZoneInfo(zone)).date()
    if preset and preset not in PRESETS:
        raise BadParameter(parameter="period", detail=mark("This period is not known"))
    if any(given):
        preset = ""
        to = given[1] or today + timedelta(days=1)
        first = given[0] or to - timedelta(days=7)
    else:
        if not preset and newest and newest < today - timedelta(days=1):
            today = newest
        else:
            preset = preset or DEFAULT
        first, to = _preset(preset or DEFAULT, today)
    if not first < to or (to - first).days > LONGEST_DAYS:
        raise BadParameter(
            parameter="from",
            detail=mark(
                "The period must start before it ends and last ten years at most"
            ),
        )
    start, end = day_start(first, zone), day_start(to, zone)
    if preset == "24h":
        end = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        start = end - timedelta(hours=24)
    chosen, coarsened = _bin(query.get("bin", ""), (to - first).days)
    return Period(
        start=start,
        end=end,
        zone=zone,
        bin=chosen,
        preset=preset,
        coarsened=coarsened,
    )


def _preset(preset: str, today: date) -> tuple[date, date]:
    tomorrow = today + timedelta(days=1)
    month = today.replace(day=1)
    match preset:
        case "month":
            return month, tomorrow
        case "year":
            return today.replace(month=1, day=1), tomorrow
        case "previous-week":
            monday = today - timedelta(days=today.weekday())
            return monday - timedelta(days=7), monday
        case "previous-month":
            return (month - timedelta(days=1)).replace(day=1), month
        case "previous-year":
            return date(today.year - 1, 1, 1), date(today.year, 1, 1)
        case "24h":
            return today, tomorrow
    return tomorrow - timedelta(days=int(preset.removesuffix("d"))), tomorrow


def _bin(asked: str, days: int) -> tuple[Bin, bool]:
    if asked and asked not in BINS:
        raise BadParameter(parameter="bin", detail=mark("Steps are PT15M, PT1H or P1D"))
    if not asked:
        return ("PT15M" if days <= 2 else "PT1H" if days <= 31 else "P1D"), False
    fitting = next(
        name
        for name, longest in BIN_DAYS.items()
        if days <= longest and list(BINS).index(name) >= list(BINS).index(asked)
    )
    return fitting, fitting != asked


def _day(query: Mapping[str, str], name: str) -> date | None:
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        # fromisoformat also reads 20260301 and 2026-W09-7
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not 1970 <= day.year <= 2200:
        raise BadParameter(
            parameter=name,
            detail=YEARS,
        )
    return day
