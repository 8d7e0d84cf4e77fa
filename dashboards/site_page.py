"""The page of a site: what it carried in a period, and how good the data is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import polars as pl

from analytics.passport import SHARES, Passport
from api import extracts
from dashboards import charts, key_figures, summaries
from dashboards.charts import Chart, Table
from dashboards.comparison import Choices, choices, comparison
from dashboards.counted_charts import counted_charts, volumes
from dashboards.downloads import downloads
from dashboards.environment_charts import environment_charts, stored_hours
from dashboards.health import DAYS, Health, health
from dashboards.key_figures import Counted, KeyFigure
from dashboards.period import read
from dashboards.view import View
from verkehrspuls.settings import Analytics
from verkehrspuls.storage import health as stored_health
from verkehrspuls.storage import series
from verkehrspuls.storage.database import Connection
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
class Content:
    """What the template shows."""

    view: View
    figures: Sequence[KeyFigure]
    charts: Sequence[Chart]
    days: Table
    sentence: str
    passport: str
    health: Health
    #: what it can be compared with, and how it compares
    choices: Choices | None
    comparison: str
    #: cases to look at, and older ones that nobody decided
    cases: Sequence[Mapping[str, Any]]
    older_cases: Sequence[Mapping[str, Any]]
    #: there is data, but not in the period: the span of days that has some
    data_span: tuple[date, date] | None


def content(
    shown: View,
    query: Mapping[str, str],
    *,
    connection: Connection,
    url: str,
    settings: Analytics,
) -> Content:
    """Read and arrange it."""
    days = _days(shown, url)
    span = None
    if shown.quantity and days.is_empty():
        span = _span(shown, url)
        asked = any(query.get(name) for name in ("period", "from", "to"))
        if span and not asked:
            period = read(query, shown.zone, now=shown.now, newest=span[1])
            shown, span = replace(shown, period=period), None
            days = _days(shown, url)
    of_site = {"municipality": shown.site["municipality"], "site": shown.site["key"]}
    cases = series.cases(connection, **of_site, now=shown.now)
    drawn: list[Chart] = []
    figures: list[KeyFigure] = []
    passport = ""
    sentence = _whereabouts(shown)
    compared, offered = "", None
    if shown.quantity:
        offered = choices(
            shown.site,
            shown.quantity,
            query.get("compare", ""),
            shown.language,
            connection=connection,
        )
    if shown.quantity and days.height:
        hours = volumes(shown, url, interval_s=3600)
        drawn += counted_charts(
            shown, connection, url, days=days, hours=hours, cases=cases
        )
        touching = series.cases(
            connection,
            **of_site,
            quantity=shown.quantity,
            start=shown.period.start,
            end=shown.period.end,
        )
        of = _counted_days(shown, days, hours, touching)
        figures = [
            key_figures.total(of, _total(shown, days, hours), shown.language),
            *key_figures.of_flow(
                of,
                shown.language,
                connection=connection,
                url=url,
                settings=settings,
                now=shown.now,
            ),
        ]
        if offered:
            compared = comparison(
                of, offered, shown.language, connection=connection, url=url
            )
        passport = _passport(shown, of.passport)
        sentence += " " + shown.language.phrase(
            mark("Up to yesterday %(share)s of the period is observed.")
            if of.runs
            else mark("%(share)s of the period is observed."),
            share=shown.language.percent(of.passport.observed),
        )
    air = {quantity: _hours(shown, url, quantity) for quantity in shown.environment}
    drawn += environment_charts(
        {q: stored_hours(found, shown.site["channels"]) for q, found in air.items()},
        shown.language,
        zone=shown.zone,
    )
    drawn += [_environment(shown, found, quantity=q) for q, found in air.items()]
    sentence += " " + _heard(shown)
    first = shown.today - timedelta(days=DAYS - 1)
    verdicts = stored_health.days(connection, **of_site, first=first, last=shown.today)
    return Content(
        view=shown,
        figures=figures,
        charts=drawn,
        days=charts.days_table(days, shown.language, zone=shown.zone),
        sentence=sentence,
        passport=passport,
        health=health(shown.site, verdicts, shown.language, today=shown.today),
        cases=[case for case in cases if case["current"]],
        older_cases=[case for case in cases if not case["current"]],
        choices=offered,
        comparison=compared,
        data_span=span,
    )


def _days(shown: View, url: str) -> pl.DataFrame:
    return series.days(
        url, **shown.counted, first=shown.period.first, last=shown.period.last
    )


def _span(shown: View, url: str) -> tuple[date, date] | None:
    """The days from and to which there are figures at all."""
    known = series.days(
        url,
        **shown.counted,
        first=EARLIEST,
        last=shown.today + timedelta(days=1),
        direction="all",
    )["day"]
    return (known[0], known[-1]) if len(known) else None


def _hours(shown: View, url: str, quantity: str) -> pl.DataFrame:
    return series.environment(
        url,
        site_id=shown.site["site_id"],
        quantity=quantity,
        start=shown.period.start,
        end=shown.period.end,
    )


def _environment(shown: View, frame: pl.DataFrame, *, quantity: str) -> Chart:
    first = frame["channel"].unique().sort()[:1].to_list()
    filled = summaries.fill_hours(
        frame.filter(pl.col("channel").is_in(first)), shown.period, shown.now
    )
    thresholds = [c["thresholds"] for c in shown.site["channels"] if c["key"] in first]
    return charts.environment_chart(
        filled,
        shown.language,
        period=shown.period,
        quantity=quantity,
        thresholds=next(iter(thresholds), {}),
        downloads=downloads(shown.site, quantity, shown.period, shown.language),
    )


def _counted_days(
    shown: View,
    days: pl.DataFrame,
    hours: pl.DataFrame,
    cases: Sequence[dict[str, Any]],
) -> Counted:
    yesterday = shown.today - timedelta(days=1)
    return Counted(
        site=dict(shown.site),
        quantity=shown.quantity or "",
        first=shown.period.first,
        last=shown.period.last,
        ended=min(shown.period.last, yesterday)
        if shown.period.whole_days
        else shown.period.first - timedelta(days=1),
        days=days.filter(pl.col("direction") == "all"),
        cases=tuple(sorted(case["anomaly_case_id"] for case in cases)),
        of_hours=None
        if shown.period.whole_days
        else _passport_of_hours(shown, hours, cases),
    )


def _passport_of_hours(
    shown: View, hours: pl.DataFrame, cases: Sequence[dict[str, Any]]
) -> Passport:
    """Where the hours come from; the running one is not expected yet."""
    selection = extracts.select(
        dict(shown.site),
        quantity=shown.quantity,
        direction=None,
        start=shown.period.start,
        end=shown.period.end,
        bin="PT1H",
        now=shown.now,
    )
    ended = shown.now.replace(minute=0, second=0, microsecond=0)
    return extracts.passport(selection, frame=hours, cases=cases, now=ended)


def _total(shown: View, days: pl.DataFrame, hours: pl.DataFrame) -> int:
    if not shown.period.whole_days:
        return int(hours["volume"].sum())
    return int(days.filter(pl.col("direction") == "all")["volume"].sum())


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
