"""The page of a site: what was measured in a period, and how good the data is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from analytics.quality.passport import SHARES, Passport
from analytics.reports.extracts import stored_hours
from analytics.reports.site.around import around
from analytics.reports.site.environment import Measured, read_measured
from analytics.reports.site.reading import read_days, read_span
from analytics.reports.site.report import report
from analytics.reports.site_now import LATE_AFTER, is_fresh
from analytics.volumes.daily import TOTALS_METHOD
from dashboards import summaries
from dashboards.charts import charts
from dashboards.charts.charts import Chart, Table
from dashboards.downloads import all_rows, downloads
from dashboards.newest import newest_reading
from dashboards.pages.site import key_figures
from dashboards.pages.site.comparison import Choices, choices, comparison
from dashboards.pages.site.counted import counted_charts, with_trusted_sentences
from dashboards.pages.site.environment import environment_charts
from dashboards.pages.site.health import DAYS_SHOWN, Health, health
from dashboards.pages.site.key_figures import KeyFigure
from dashboards.pages.site.selection import View
from dashboards.passports import ambiguous, calibrated
from dashboards.period import Period, read
from verkehrspuls.cases import Case
from verkehrspuls.settings import Analytics
from verkehrspuls.storage.case_lists import Counts
from verkehrspuls.storage.reader import Reader
from verkehrspuls.text import mark

#: texts for the state that a sensor reports
SENSOR_STATES = {
    "online": mark("online"),
    "offline": mark("offline"),
    "unknown": mark("nothing yet"),
}


@dataclass(frozen=True, slots=True)
class Content:
    """What the template shows."""

    view: View
    figures: Sequence[KeyFigure]
    #: the days of the key figures
    days_text: str
    charts: Sequence[Chart]
    days: Table
    sentence: str
    passport: str
    health: Health
    #: what it can be compared with, and how it compares
    choices: Choices | None
    comparison: str
    #: open cases that touch what is shown: those that its passports count
    cases: Sequence[Case]
    #: the other cases by state, and the number of all
    other_cases: Mapping[str, Sequence[Case]]
    counts: Counts
    #: first and last day with data, if the period has none
    data_span: tuple[date, date] | None


def content(
    shown: View, query: Mapping[str, str], *, reader: Reader, settings: Analytics
) -> Content:
    """Read the content of the page, and arrange it."""
    shown, days, span = _settled(shown, query, reader)
    first = shown.today - timedelta(days=DAYS_SHOWN - 1)
    known = around(shown.asked, reader, environment=shown.environment, since=first)
    offered = None
    if shown.quantity:
        offered = choices(
            shown.site,
            shown.quantity,
            query.get("compare", ""),
            shown.language,
            sites=known.neighbours,
        )
    found = None
    if shown.quantity and days.height:
        found = report(shown.asked, reader, days=days, known=known, settings=settings)
        if found.hours.is_empty() and (days["method"] == TOTALS_METHOD).any():
            shown = replace(shown, period=replace(shown.period, bin="P1D"))
            found = replace(found, asked=shown.asked)
    compared = ""
    if found and offered:
        compared = comparison(
            found.counted,
            offered,
            shown.language,
            school_holidays=known.school_holidays,
            reader=reader,
        )
    of_all, of_trusted = read_measured(
        shown.asked, reader, shown.environment, known.suspected
    )
    figures: list[KeyFigure] = []
    drawn: list[Chart] = []
    passport = days_text = ""
    sentence = _whereabouts(shown)
    if found:
        counted = found.counted
        figures = [
            key_figures.total(counted, shown.language),
            *key_figures.of_flow(counted, shown.language),
        ]
        days_text = key_figures.days_text(counted, shown.language)
        drawn += counted_charts(shown, found, known=known, figures=figures)
        passport = _passport(shown, counted.passport)
        sentence += " " + shown.language.phrase(
            mark("Up to yesterday %(share)s of the period is observed.")
            if counted.runs
            else mark("%(share)s of the period is observed."),
            share=shown.language.percent(counted.passport.observed),
        )
    drawn += with_trusted_sentences(
        _environment_charts(shown, of_all),
        _environment_charts(shown, of_trusted) if of_trusted else None,
        shown.language,
    )
    sentence += " " + _heard(shown, begun=found is not None and found.has_begun)
    told = [
        passport,
        calibrated(known.calibrations, shown.zone, shown.language),
        ambiguous(known.ambiguous_of_all, shown.zone, shown.language),
    ]
    return Content(
        view=shown,
        figures=figures,
        days_text=days_text,
        charts=drawn,
        days=_days(shown, days),
        sentence=sentence,
        passport=" ".join(filter(None, told)),
        health=health(shown.site, known.verdicts, shown.language, today=shown.today),
        cases=known.cases,
        other_cases=known.other_cases,
        counts=known.counts,
        choices=offered,
        comparison=compared,
        data_span=span,
    )


def _days(shown: View, days: pl.DataFrame) -> Table:
    """Return the day figures of the counted quantity, if there is one."""
    if not shown.quantity:
        return Table((), ())
    return charts.days_or_months(
        days,
        shown.language,
        zone=shown.zone,
        all_rows=all_rows(
            shown.site, shown.period, shown.language, of="days", quantity=shown.quantity
        ),
    )


def _settled(
    shown: View, query: Mapping[str, str], reader: Reader
) -> tuple[View, pl.DataFrame, tuple[date, date] | None]:
    """Choose the period and its days; if it has none, the span of days with data."""
    asked = any(query.get(name) for name in ("period", "from", "until", "to"))
    if not shown.quantity:
        if not asked:
            shown = replace(shown, period=_newest_period(shown, query))
        return shown, pl.DataFrame(), None
    days, span = read_days(shown.asked, reader), None
    if days.is_empty():
        span = read_span(shown.asked, reader)
        if span and not asked:
            period = read(query, shown.zone, now=shown.now, newest=span[1])
            shown, span = replace(shown, period=period), None
            days = read_days(shown.asked, reader)
    return _as_begun(shown, query, days), days, span


def _as_begun(shown: View, query: Mapping[str, str], days: pl.DataFrame) -> View:
    """Show quarter-hours where counting began yesterday or today and none are asked."""
    began = days["day"].min()
    if query.get("bin") or not isinstance(began, date):
        return shown
    if not shown.period.first < began >= shown.today - timedelta(days=1):
        return shown
    asked = {**query, "bin": "PT15M"}
    return replace(shown, period=read(asked, shown.zone, now=shown.now))


def _newest_period(shown: View, query: Mapping[str, str]) -> Period:
    """Return the newest period with measurements, for an environment page."""
    measured = shown.site.newest_reading_at
    if measured is None or measured >= shown.period.start:
        return shown.period
    newest = measured.astimezone(ZoneInfo(shown.zone)).date()
    return read(query, shown.zone, now=shown.now, newest=newest)


def _environment_charts(shown: View, known: Mapping[str, Measured]) -> list[Chart]:
    """Draw the summaries of the quantities, and each quantity."""
    channels = shown.site.channels
    return environment_charts(
        {
            quantity: stored_hours(found.hours, channels)
            for quantity, found in known.items()
        },
        shown.language,
        zone=shown.zone,
        since=shown.period.start,
        long={key: found.long for key, found in known.items() if found.long.height},
        all_rows=all_rows(shown.site, shown.period, shown.language, of="noise"),
    ) + [
        _environment_hours(shown, found.hours_of_first, quantity=quantity)
        if found.days is None
        else _environment_days(shown, found.days, quantity=quantity)
        for quantity, found in known.items()
    ]


def _environment_hours(shown: View, frame: pl.DataFrame, *, quantity: str) -> Chart:
    first = frame["channel"][0] if len(frame) else ""
    thresholds = [c.thresholds for c in shown.site.channels if c.key == first]
    return charts.environment_chart(
        summaries.fill_hours(frame, shown.period, shown.now),
        shown.language,
        period=shown.period,
        now=shown.now,
        quantity=quantity,
        thresholds=next(iter(thresholds), {}),
        downloads=downloads(shown.site, quantity, shown.period, shown.language),
        all_rows=all_rows(
            shown.site, shown.period, shown.language, of="series", quantity=quantity
        ),
    )


def _environment_days(shown: View, days: pl.DataFrame, *, quantity: str) -> Chart:
    """Return the chart of a quantity that has daily figures, but no hourly ones."""
    by_day = replace(shown.period, bin="P1D")
    return charts.environment_chart(
        summaries.fill_environment_days(days, shown.period, shown.today),
        shown.language,
        period=by_day,
        now=shown.now,
        quantity=quantity,
        thresholds={},
        downloads=downloads(shown.site, quantity, by_day, shown.language, by_day=True),
        all_rows=all_rows(
            shown.site, by_day, shown.language, of="series", quantity=quantity
        ),
    )


def _passport(shown: View, found: Passport) -> str:
    language = shown.language
    text = language.phrase(
        "Of the period %(observed)s is observed, %(normalised)s scaled up from partly "
        "observed hours, %(imputed)s estimated, %(excluded)s excluded.",
        **{name: language.percent(getattr(found, name), 1) for name in SHARES},
    )
    if found.method:
        text += " " + language.phrase("Method: %(methods)s.", methods=found.method)
    return text


def _whereabouts(shown: View) -> str:
    language, site = shown.language, shown.site
    measured = [shown.quantity] if shown.quantity else []
    measured += list(shown.environment)
    names = language.quantities(measured)
    period = shown.period
    when = (
        language.phrase("the newest 24 hours")
        if not period.whole_days
        else language.days(period.first, period.last)
    )
    road = f"{site.road}, " if site.road else ""
    return language.phrase(
        "%(names)s at %(road)s%(town)s, %(when)s.",
        names=names,
        road=road,
        town=site.municipality_name,
        when=when,
    )


def _heard(shown: View, *, begun: bool) -> str:
    """Return the time of the last message, and why there is no value."""
    language, site = shown.language, shown.site
    if site.last_received_at is None:
        return language.phrase("No message has arrived yet.")
    text = mark("Last message %(at)s.")
    age = shown.now - site.last_received_at
    if age <= LATE_AFTER and site.last_messages == "rejected":
        text = mark("Last message %(at)s; none of those of the last hour can be used.")
    elif site.newest_reading_at and not is_fresh(site, shown.now):
        sentence = newest_reading(site, language, now=shown.now)
        return f"{sentence[0].upper()}{sentence[1:]}."
    elif age <= LATE_AFTER and begun:
        text = _BEGUN[shown.period.bin]
    at = language.at(site.last_received_at, shown.zone, now=shown.now)
    return language.phrase(text, at=at)


#: texts for a site that has just begun to report, by step
_BEGUN: Final = {
    "PT15M": mark(
        "First messages, the last one %(at)s; values appear as soon as a quarter-hour "
        "is full."
    ),
    "PT1H": mark(
        "First messages, the last one %(at)s; values appear as soon as an hour is full."
    ),
    "P1D": mark(
        "First messages, the last one %(at)s; values appear as soon as a day is full."
    ),
}
