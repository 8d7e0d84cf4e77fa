"""The page of a site: what it carried in a period, and how good the data is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from api.errors import BadParameter
from dashboards import charts, describe, summaries
from dashboards.charts import Chart, Names, Table
from dashboards.downloads import downloads
from dashboards.figures.series import Mark
from dashboards.key_figures import KeyFigures, Mean, key_figures
from dashboards.language import Language
from dashboards.period import Period, read
from verkehrspuls.calendar import public_holidays
from verkehrspuls.quantities import COUNTED, ENVIRONMENT
from verkehrspuls.storage import series
from verkehrspuls.text import mark

#: what a sensor says of itself
SENSOR_STATES = {
    "online": mark("online"),
    "offline": mark("offline"),
    "unknown": mark("nothing yet"),
}

#: older than any reading
EARLIEST = date(1990, 1, 1)


@dataclass(frozen=True, slots=True)
class Figure:
    """A key figure: what it is, its value, and what it rests on."""

    name: str
    value: str
    basis: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """What is shown of a site: a period, and what was measured in it."""

    site: Mapping[str, Any]
    language: Language
    now: datetime
    period: Period
    #: the counted quantity, if any
    quantity: str | None
    #: environment quantities, in the registry's order
    environment: tuple[str, ...]

    @property
    def zone(self) -> str:
        """The site's time zone."""
        return str(self.site["time_zone"])

    @property
    def today(self) -> date:
        """The local day."""
        return self.now.astimezone(ZoneInfo(self.zone)).date()

    @property
    def holidays(self) -> set[date]:
        """Public holidays of the period's years."""
        years = range(self.period.first.year, self.period.last.year + 1)
        return {
            day for year in years for day in public_holidays(self.site["state"], year)
        }


@dataclass(frozen=True, slots=True)
class Content:
    """What the template shows."""

    view: View
    figures: Sequence[Figure]
    charts: Sequence[Chart]
    days: Table
    sentence: str
    passport: str
    #: there is data, but not in the period: the span of days that has some
    data_span: tuple[date, date] | None


def view(
    site: Mapping[str, Any],
    query: Mapping[str, str],
    language: Language,
    *,
    now: datetime,
) -> View:
    """Read what to show from the query string."""
    measured = list(dict.fromkeys(c["quantity"] for c in site["channels"]))
    counted = [q for q in COUNTED if q in measured]
    environment = [q for q in measured if q in ENVIRONMENT]
    asked = query.get("quantity", "")
    if asked and asked not in measured:
        raise BadParameter(
            parameter="quantity", detail=mark("The site does not measure that")
        )
    return View(
        site=site,
        language=language,
        now=now,
        period=read(query, site["time_zone"], now=now),
        quantity=asked
        if asked in COUNTED
        else next(iter(counted), None)
        if not asked
        else None,
        environment=tuple(environment)
        if not asked
        else tuple(q for q in environment if q == asked),
    )


def content(
    shown: View, url: str, cases: Sequence[Mapping[str, Any]], query: Mapping[str, str]
) -> Content:
    """Read and arrange it; `cases` are the site's open ones."""
    days = _days(shown, url)
    span = None
    if shown.quantity and days.is_empty():
        span = _span(shown, url)
        asked = any(query.get(name) for name in ("period", "from", "to"))
        if span and not asked:
            period = read(query, shown.zone, now=shown.now, newest=span[1])
            shown, span = replace(shown, period=period), None
            days = _days(shown, url)
    drawn: list[Chart] = []
    figures: list[Figure] = []
    passport = ""
    sentence = _whereabouts(shown)
    if shown.quantity and days.height:
        hours = _volumes(shown, url, interval_s=3600)
        drawn += _counted(shown, url, days=days, hours=hours, cases=cases)
        found = _key_figures(shown, days, hours)
        figures = _figures(shown, found)
        passport = _passport(shown, found)
        sentence += " " + shown.language.phrase(
            "%(share)s of the period is observed.",
            share=shown.language.percent(found.observed),
        )
    drawn += [_environment(shown, url, quantity=q) for q in shown.environment]
    sentence += " " + _heard(shown)
    return Content(
        view=shown,
        figures=figures,
        charts=drawn,
        days=charts.days_table(days, shown.language, zone=shown.zone),
        sentence=sentence,
        passport=passport,
        data_span=span,
    )


def _days(shown: View, url: str) -> pl.DataFrame:
    return series.days(
        url,
        site_id=shown.site["site_id"],
        quantity=shown.quantity or "",
        first=shown.period.first,
        last=shown.period.last,
    )


def _span(shown: View, url: str) -> tuple[date, date] | None:
    """The days from and to which there are figures at all."""
    known = series.days(
        url,
        site_id=shown.site["site_id"],
        quantity=shown.quantity or "",
        first=EARLIEST,
        last=shown.today + timedelta(days=1),
        direction="all",
    )["day"]
    return (known[0], known[-1]) if len(known) else None


def _volumes(shown: View, url: str, *, interval_s: Any) -> pl.DataFrame:
    return series.volumes(
        url,
        site_id=shown.site["site_id"],
        quantity=shown.quantity or "",
        start=shown.period.start,
        end=shown.period.end,
        interval_s=interval_s,
    )


def _counted(
    shown: View,
    url: str,
    *,
    days: pl.DataFrame,
    hours: pl.DataFrame,
    cases: Sequence[Mapping[str, Any]],
) -> list[Chart]:
    """The charts of the counted quantity."""
    language, period = shown.language, shown.period
    quantity = shown.quantity or ""
    names = _names(shown)
    if period.bin == "P1D":
        filled = summaries.fill_days(days, period, shown.today)
    else:
        frame = hours
        if period.bin == "PT15M":
            frame = _volumes(shown, url, interval_s=900)
        filled = summaries.fill_gaps(frame, period, shown.now)
    present = set(filled["direction"])
    names = [pair for pair in names if pair[0] in present] or [
        (direction, "") for direction in sorted(present)
    ]
    drawn = [
        charts.series_chart(
            filled,
            language,
            period=period,
            quantity=quantity,
            names=names,
            marks=_marks(cases, shown),
            downloads=downloads(shown.site, quantity, period, language),
        )
    ]
    if hours.is_empty():
        return drawn
    together = summaries.cross_section(hours, shown.zone)
    holidays = shown.holidays
    drawn.append(
        charts.profile_chart(together, language, quantity=quantity, holidays=holidays)
    )
    drawn.append(charts.week_chart(together, language, quantity=quantity))
    if len(names) > 1:
        drawn.append(
            charts.directions_chart(
                hours,
                language,
                zone=shown.zone,
                quantity=quantity,
                names=names,
                holidays=holidays,
            )
        )
    by_class = charts.classes_chart(hours, language)
    return [*drawn, by_class] if by_class else drawn


def _names(shown: View) -> Names:
    """Directions of the quantity with their names, in the registry's order."""
    found: dict[str, str] = {}
    for channel in shown.site["channels"]:
        if channel["quantity"] == shown.quantity:
            key = channel["direction"]
            found.setdefault(
                key, channel["direction_name"] or (key and channel["name"])
            )
    return list(found.items())


def _environment(shown: View, url: str, *, quantity: str) -> Chart:
    frame = series.environment(
        url,
        site_id=shown.site["site_id"],
        quantity=quantity,
        start=shown.period.start,
        end=shown.period.end,
    )
    first = frame["channel"].unique().sort()[:1]
    filled = summaries.fill_hours(
        frame.filter(pl.col("channel").is_in(first.to_list())), shown.period, shown.now
    )
    return charts.environment_chart(
        filled,
        shown.language,
        period=shown.period,
        quantity=quantity,
        downloads=downloads(shown.site, quantity, shown.period, shown.language),
    )


def _marks(cases: Sequence[Mapping[str, Any]], shown: View) -> list[Mark]:
    zone, period = ZoneInfo(shown.zone), shown.period
    return [
        Mark(
            began=max(case["began"], period.start)
            .astimezone(zone)
            .replace(tzinfo=None),
            ended=min(case["ended"], period.end).astimezone(zone).replace(tzinfo=None),
            direction=case["direction"],
            word=describe.case_word(case["reason"], shown.language),
        )
        for case in cases
        if case["quantity"] == shown.quantity
        and case["ended"] > period.start
        and case["began"] < period.end
    ]


def _key_figures(shown: View, days: pl.DataFrame, hours: pl.DataFrame) -> KeyFigures:
    """Of whole days; shares and means only of days that are over."""
    over = min(shown.period.last, shown.today - timedelta(days=1))
    last = over if over >= shown.period.first else shown.period.last
    found = key_figures(
        days.filter(pl.col("day") <= last),
        shown.period.first,
        last,
        holidays=shown.holidays,
    )
    if not shown.period.whole_days:
        return replace(found, total=int(hours["volume"].sum()))
    everything = days.filter(pl.col("direction") == "all")
    peak = everything.drop_nulls("peak_volume").sort("peak_volume").tail(1).to_dicts()
    return replace(
        found,
        total=int(everything["volume"].sum()) if everything.height else None,
        peak=peak[0]["peak_volume"] if peak else None,
        peak_hour=peak[0]["peak_hour"] if peak else None,
    )


def _figures(shown: View, found: KeyFigures) -> list[Figure]:
    language, quantity = shown.language, shown.quantity or ""
    per_day = language.unit(quantity, charts.PER["P1D"])
    counted = [
        Figure(
            language.phrase("Sum in the period"),
            language.number(found.total),
            language.phrase(
                "counted, not scaled up; %(share)s observed",
                share=language.percent(found.observed),
            ),
        ),
        Figure(
            language.phrase("Daily traffic DTV"),
            language.number(found.daily.value),
            _gate(found.daily, language),
            per_day,
        ),
        Figure(
            language.phrase("Workday traffic DTVw"),
            language.number(found.workday.value),
            _gate(found.workday, language),
            per_day,
        ),
        Figure(
            language.phrase("Busiest hour"),
            language.number(found.peak),
            language.hour(found.peak_hour, shown.zone) if found.peak_hour else "",
            language.unit(quantity),
        ),
    ]
    if found.heavy is not None:
        counted.append(
            Figure(
                language.phrase("Heavy traffic share"),
                language.percent(found.heavy, 1),
                language.phrase("lorries and buses, of what was counted"),
            )
        )
    return counted


def _gate(mean: Mean, language: Language) -> str:
    text = language.phrase(
        "%(valid)s of %(days)s days valid",
        valid=language.number(mean.valid),
        days=language.number(mean.days),
    )
    if mean.allowed:
        return text
    return language.phrase("%(valid)s; too few for a mean", valid=text)


def _passport(shown: View, found: KeyFigures) -> str:
    language = shown.language
    text = language.phrase(
        "Of the period %(observed)s is observed, %(normalised)s scaled up from partly "
        "observed hours, %(imputed)s estimated, %(excluded)s excluded.",
        **{
            name: language.percent(getattr(found, name), 1)
            for name in ("observed", "normalised", "imputed", "excluded")
        },
    )
    if found.methods:
        text += " " + language.phrase(
            "Method: %(methods)s.", methods=", ".join(found.methods)
        )
    return text


def _whereabouts(shown: View) -> str:
    language, site = shown.language, shown.site
    measured = [shown.quantity] if shown.quantity else []
    measured += list(shown.environment)
    names = ", ".join(language.quantity(q) for q in measured)
    period = shown.period
    when = (
        language.phrase("the newest 24 hours")
        if not period.whole_days
        else language.days(period.first, period.last)
    )
    road = f"{site['road']}, " if site["road"] else ""
    return language.phrase(
        "%(names)s at %(road)s%(town)s, %(when)s.",
        names=names,
        road=road,
        town=site["municipality_name"],
        when=when,
    )


def _heard(shown: View) -> str:
    heard = shown.site["last_received_at"]
    if heard is None:
        return shown.language.phrase("No message has arrived yet.")
    return shown.language.phrase(
        "Last message %(age)s.", age=shown.language.age(shown.now - heard)
    )
