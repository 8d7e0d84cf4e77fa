"""The period that a page shows: read from its query string, in the site's local days.

The address contains the state of a page: `period` is a preset, or days are given:
`from` and `until`, both included, as in the page's form, or half-open `[from, to)`, as
in the API. `bin` is an ISO 8601 duration.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from verkehrspuls import moments
from verkehrspuls.calendar import day_start
from verkehrspuls.errors import BadParameter
from verkehrspuls.text import mark

Bin = Literal["PT15M", "PT1H", "P1D"]

BINS: Final[dict[Bin, str]] = {
    "PT15M": mark("15 minutes"),
    "PT1H": mark("hours"),
    "P1D": mark("days"),
}
#: maximum days for which a bin has a readable chart and table
MAX_BIN_DAYS: Final[dict[Bin, int]] = {"PT15M": 14, "PT1H": 93, "P1D": 36_600}

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

#: maximum days of a period: longer than any data, and never up to the year 9999
MAX_DAYS: Final = 3_660

YEARS: Final = mark("Days are written like 2026-03-01, from 1970 to 2200")
SLASHES: Final = mark(
    "A day with slashes can be read in two ways: write it like 2026-03-01"
)
TWO_ENDS: Final = mark("Give `until` (the last day) or `to` (the day after), not both")

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open span of local days (or the newest 24 hours) and its bin."""

    #: aware UTC
    start: datetime
    end: datetime
    zone: str
    bin: Bin
    #: key of `PRESETS`, or empty for explicit days
    preset: str
    #: whether the requested bin is too fine for the length
    coarsened: bool = False
    #: the requested bin, or empty
    asked_bin: str = ""

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


def read(
    query: Mapping[str, str], zone: str, *, now: datetime, newest: date | None = None
) -> Period:
    """Read the period from a page's query string.

    `newest`: the day of the newest data; without a period in the query the default one
    ends there, so that the page of a site that ended years ago opens where it has data.
    """
    preset = query.get("period", "")
    today = now.astimezone(ZoneInfo(zone)).date()
    given = _given(query, today)
    asked = query.get("bin", "")
    if preset and preset not in PRESETS:
        raise BadParameter(parameter="period", detail=mark("This period is not known"))
    if preset:
        found = _of_preset(preset, asked, zone, now=now, today=today)
        # the form also sends the preset's days; other days take precedence
        if given in (None, (found.first, found.until)):
            return found
    if given:
        return _period(*given, asked, zone)
    if newest and newest < today - timedelta(days=1):
        return _period(*_preset(DEFAULT, newest), asked, zone)
    return _of_preset(DEFAULT, asked, zone, now=now, today=today)


def _given(query: Mapping[str, str], today: date) -> tuple[date, date] | None:
    """Return the requested days, `[first, to)`; None if there are none."""
    first, last, to = (_day(query, name) for name in ("from", "until", "to"))
    if first is None and last is None and to is None:
        return None
    if last is not None and to is not None:
        raise BadParameter(parameter="until", detail=TWO_ENDS)
    if last is not None:
        to = last + timedelta(days=1)
    elif to is not None and to == first:
        # the same day twice means that day
        to += timedelta(days=1)
    to = to or max(today, first or today) + timedelta(days=1)
    first = first or to - timedelta(days=7)
    named = "until" if last is not None else "to" if query.get("to") else "from"
    if not first < to:
        raise BadParameter(
            parameter=named, detail=mark("The last day lies before the first")
        )
    if (to - first).days > MAX_DAYS:
        raise BadParameter(
            parameter="from", detail=mark("A period lasts ten years at most")
        )
    return first, to


def _of_preset(
    preset: str, asked: str, zone: str, *, now: datetime, today: date
) -> Period:
    found = _period(*_preset(preset, today), asked, zone)
    if preset == "24h":
        end = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        found = replace(found, start=end - timedelta(hours=24), end=end)
    return replace(found, preset=preset)


def _period(first: date, to: date, asked: str, zone: str) -> Period:
    chosen, coarsened = _bin(asked, (to - first).days)
    return Period(
        start=day_start(first, zone),
        end=day_start(to, zone),
        zone=zone,
        bin=chosen,
        preset="",
        coarsened=coarsened,
        asked_bin=asked,
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
        for name, longest in MAX_BIN_DAYS.items()
        if days <= longest and list(BINS).index(name) >= list(BINS).index(asked)
    )
    return fitting, fitting != asked


def _day(query: Mapping[str, str], name: str) -> date | None:
    return read_day(query.get(name, ""), name)


def read_day(text: str, parameter: str) -> date | None:
    """Parse a local day; None if empty."""
    if not text.strip():
        return None
    try:
        return moments.parse_day(text)
    except ValueError as error:
        detail = SLASHES if "/" in text else YEARS
        raise BadParameter(parameter=parameter, detail=detail) from error


def is_day(text: str) -> bool:
    """Return whether a date field can show a text."""
    try:
        # fromisoformat also reads 20260301 and 2026-W09-7
        return _DAY.fullmatch(text) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False
