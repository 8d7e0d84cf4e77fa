"""A page's language: texts, numbers and times as people of that language write them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_skeleton

from verkehrspuls import locales
from verkehrspuls.quantities import QUANTITIES
from verkehrspuls.text import mark, translate, translate_plural

#: written for an unknown figure; never a zero
UNKNOWN_FIGURE: Final = "–"

#: sensors installed before this date have no known beginning
_MIN_INSTALLED: Final = datetime(1970, 1, 2, tzinfo=UTC)
#: How the time of a row or point is written: as a day with or without its year, each
#: also with the time of day, or as a month.
Style = Literal["day", "short day", "moment", "short moment", "month"]

#: letters of a pattern of Unicode TR35, as plotly.js writes them
_DIRECTIVES: Final = {
    "d": "%-d",
    "dd": "%d",
    "M": "%-m",
    "MM": "%m",
    "MMM": "%b",
    "MMMM": "%B",
    "yyyy": "%Y",
}
_UNITS: Final = {"Kfz": mark("veh"), "Rad": mark("bikes"), "Fuß": mark("people")}


@dataclass(frozen=True)
class Language:
    """One of `locales`: writes texts, numbers and times."""

    key: str

    @cached_property
    def record(self) -> locales.Locale:
        """The record of how the language writes numbers and days."""
        return locales.locales()[self.key]

    @cached_property
    def locale(self) -> Locale:
        """Babel's locale."""
        return Locale.parse(self.record.cldr)

    @cached_property
    def _signs(self) -> tuple[str, str]:
        symbols = self.locale.number_symbols["latn"]
        return symbols["group"], symbols["decimal"]

    @property
    def others(self) -> "list[Language]":
        """The other languages, which a page links to."""
        return [Language(key) for key in locales.locales() if key != self.key]

    @property
    def separators(self) -> str:
        """The signs of a number, decimal first, as plotly.js wants them."""
        group, decimal = self._signs
        return f"{decimal}{group}"

    def phrase(self, text: str, **values: object) -> str:
        """Return a text with `%(name)s` filled in."""
        found = translate(text, self.key)
        return found % values if values else found

    def plural(self, one: str, many: str, count: int, **values: object) -> str:
        """Return the form for a count, which is `%(count)s` in the text."""
        found = translate_plural(one, many, count, self.key)
        return found % ({"count": self.number(count)} | values)

    def number(self, value: float | None, digits: int = 0) -> str:
        """Format a number; a dash if it is unknown."""
        if value is None:
            return UNKNOWN_FIGURE
        written = f"{value:,.{digits}f}"
        if written.isdigit():
            return written
        group, decimal = self._signs
        written = written.replace("-", "−")
        return written.replace(",", "\0").replace(".", decimal).replace("\0", group)

    def percent(self, share: float | None, digits: int = 0) -> str:
        """Format a share of 0 to 1; never rounded to 0 or 100 % unless exact."""
        if share is None:
            return UNKNOWN_FIGURE
        sign = ""
        # tolerance of sums of shares
        if share > 1e-9 and round(share * 100, digits) == 0:
            share, sign = 10.0 ** -(digits + 2), "<"
        if share < 1 and round(share * 100, digits) >= 100:
            share = 1 - 10.0 ** -(digits + 2)
        return f"{sign}{self.number(share * 100, digits)}\N{NARROW NO-BREAK SPACE}%"

    def quantity(self, key: str) -> str:
        """Return the name of a quantity; its key if unknown."""
        return self.phrase(QUANTITIES[key].name) if key in QUANTITIES else key

    def quantity_within(self, key: str) -> str:
        """Return the name of a quantity as it is written within a sentence."""
        return locales.within_sentence(self.quantity(key), self.key)

    def quantities(self, keys: Sequence[str]) -> str:
        """List names of quantities, at the beginning of a sentence."""
        names = [self.quantity(key) for key in keys[:1]]
        return ", ".join([*names, *map(self.quantity_within, keys[1:])])

    def counted(self, key: str) -> str:
        """Return the name of what is counted, after a number: 17 Fahrräder."""
        return self.phrase(QUANTITIES[key].noun)

    def unit(self, key: str, per: str = "h") -> str:
        """Return a quantity's unit; for counted ones per hour, `15 min` or day."""
        unit = QUANTITIES[key].unit if key in QUANTITIES else ""
        counted, slash, _ = unit.partition("/")
        if not slash or counted not in _UNITS:
            return unit
        return f"{self.phrase(_UNITS[counted])}/{self.phrase(per)}"

    def plain_day(self, day: date) -> str:
        """Write a day: 01.03.2026 or 1 March 2026."""
        return format_date(day, self.record.day, locale=self.locale)

    def day(self, day: date) -> str:
        """Write a day with its weekday."""
        return f"{self._short_weekdays[day.weekday()]}, {self.plain_day(day)}"

    def dated(self, day: date, style: Style) -> str:
        """Write the date of a row or point: with its weekday, or as a month."""
        if style == "month":
            return self.month(day)
        weekday = self._short_weekdays[day.weekday()]
        return f"{weekday} {format_date(day, self._pattern(style), locale=self.locale)}"

    def directives(self, style: Style, *, weekday: bool = True) -> str:
        """Return the pattern with which plotly.js writes a time as `dated` does."""
        if style == "month":
            return "%B %Y"
        date = re.sub(
            "d+|M+|y+", lambda found: _DIRECTIVES[found[0]], self._pattern(style)
        )
        time = " %H:%M" if style.endswith("moment") else ""
        return f"%a {date}{time}" if weekday else date + time

    def _pattern(self, style: Style) -> str:
        return self.record.short_day if "short" in style else self.record.day

    def day_in_words(self, day: date) -> str:
        """Write a day with the name of its month: Sonntag, 1. März 2026."""
        return str(format_date(day, "full", locale=self.locale))

    @cached_property
    def _short_weekdays(self) -> tuple[str, ...]:
        names: Any = self.locale.days["stand-alone"][self.record.short_weekday]
        return tuple(str(names[number]).rstrip(".") for number in range(7))

    def days(self, first: date, last: date) -> str:
        """Write a span of days, both included."""
        if first == last:
            return self.day(first)
        return f"{self.plain_day(first)} – {self.plain_day(last)}"

    def installed(
        self, since: datetime | None, until: datetime | None, zone: str
    ) -> str:
        """Format a period of installation in local days.

        A beginning in 1970 means unknown, as for sensors of imported files.
        """
        first = last = None
        if since is not None and since > _MIN_INSTALLED:
            first = since.astimezone(ZoneInfo(zone)).date()
        if until is not None:
            last = (until - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date()
        if first and last:
            return self.days(first, last)
        if first:
            return self.phrase(mark("since %(day)s"), day=self.plain_day(first))
        return self.phrase(mark("to %(day)s"), day=self.plain_day(last)) if last else ""

    def clock(self, time: datetime) -> str:
        """Write a local time of day; a repeated hour in autumn as A and B."""
        return f"{time:%H:%M}{_letter(time)}"

    def moment(self, time: datetime, zone: str) -> str:
        """Write an instant as local day and time."""
        local = time.astimezone(ZoneInfo(zone))
        return f"{self.day(local)}, {self.clock(local)}"

    def hour(self, time: datetime, zone: str) -> str:
        """Write an hour that starts at an instant: Mo, 01.03.2026, 17–18 Uhr."""
        local = time.astimezone(ZoneInfo(zone))
        return f"{self.day(local)}, {self.hours(local.hour)}{_letter(local)}"

    def hours(self, hour: int) -> str:
        """Write an hour of the day: 17–18 Uhr."""
        return self.phrase("%(from)s–%(to)s h", **{"from": hour, "to": hour + 1})

    def weekday(self, number: int, *, width: str = "wide") -> str:
        """Name a weekday; Monday is 0."""
        if width == "short":
            return self._short_weekdays[number]
        names: Any = self.locale.days["stand-alone"]
        return str(names[width][number])

    def month(self, day: date) -> str:
        """Name a month: März 2026."""
        return str(format_skeleton("yMMMM", day, locale=self.locale))

    def span(self, seconds: int) -> str:
        """Write how long an interval is."""
        if seconds % 60:
            return f"{self.number(seconds)} s"
        if seconds % 3600:
            return f"{self.number(seconds // 60)} min"
        return f"{self.number(seconds // 3600)} h"

    def at(self, time: datetime, zone: str, *, now: datetime) -> str:
        """Write when something was: um 17:42 Uhr; with the day if that is not today's.

        Not how long ago it was, for a page stays open, and its text as it is.
        """
        local = time.astimezone(ZoneInfo(zone))
        if local.date() == now.astimezone(ZoneInfo(zone)).date():
            return self.phrase(mark("at %(time)s"), time=self.clock(local))
        return self.phrase(mark("on %(moment)s"), moment=self.moment(time, zone))


def _letter(time: datetime) -> str:
    """Return A or B for the passes of a repeated hour, else nothing."""
    if time.replace(fold=0).utcoffset() == time.replace(fold=1).utcoffset():
        return ""
    return " B" if time.fold else " A"
