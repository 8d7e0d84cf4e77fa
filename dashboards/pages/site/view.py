"""The page of a site: what it carried in a period, and how good the data is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from analytics.frames import LONG_VALUES, check
from analytics.quality import suspected
from analytics.quality.passport import SHARES, Passport
from analytics.quality.validity import Rules
from analytics.reports import extracts
from analytics.reports.environment import look_back
from analytics.reports.extracts import ALL, stored_hours
from analytics.reports.sources import Known, school_holidays
from analytics.reports.suspected import read_suspected, trusted_days
from analytics.volumes.daily import TOTALS_METHOD
from dashboards import summaries
from dashboards.charts import charts
from dashboards.charts.charts import Chart, Table
from dashboards.downloads import all_rows, downloads
from dashboards.newest import is_fresh, newest_reading
from dashboards.pages.site import key_figures
from dashboards.pages.site.comparison import Choices, choices, comparison
from dashboards.pages.site.counted import all_told, counted_charts, volumes
from dashboards.pages.site.environment import environment_charts
from dashboards.pages.site.health import DAYS_SHOWN, Health, health
from dashboards.pages.site.key_figures import Counted, KeyFigure
from dashboards.pages.site.selection import View
from dashboards.passports import ambiguous
from dashboards.period import Period, read
from dashboards.states import LATE_AFTER
from verkehrspuls.settings import Analytics
from verkehrspuls.storage import health as stored_health
from verkehrspuls.storage.case_lists import (
    OPEN,
    Counts,
    count_cases,
    list_cases,
    list_findings,
    sum_towns,
)
from verkehrspuls.storage.database import Connection
from verkehrspuls.storage.days import read_daily_figures
from verkehrspuls.storage.doubts import list_ambiguous_hours
from verkehrspuls.storage.environment import read_environment, read_long_environment
from verkehrspuls.text import mark

#: what a sensor says of itself
SENSOR_STATES = {
    "online": mark("online"),
    "offline": mark("offline"),
    "unknown": mark("nothing yet"),
}

#: cases of a standing that the page tells beside those of its period, at most
MOST_CASES: Final = 50

#: older than any reading
EARLIEST = date(1990, 1, 1)


@dataclass(frozen=True, slots=True)
class Content:
    """What the template shows."""

    view: View
    figures: Sequence[KeyFigure]
    #: of which days they are
    days_told: str
    charts: Sequence[Chart]
    days: Table
    sentence: str
    passport: str
    health: Health
    #: what it can be compared with, and how it compares
    choices: Choices | None
    comparison: str
    #: open cases that touch what is shown, as many as its passports tell
    cases: Sequence[Mapping[str, Any]]
    #: the other ones, by how they stand, and how many of all there are
    other_cases: Mapping[str, Sequence[Mapping[str, Any]]]
    counts: Counts
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
    days = counted_days(shown, url)
    span = None
    asked = any(query.get(name) for name in ("period", "from", "until", "to"))
    if not shown.quantity and not asked:
        shown = replace(shown, period=_newest_period(shown, query))
    if shown.quantity and days.is_empty():
        span = _span(shown, url)
        if span and not asked:
            period = read(query, shown.zone, now=shown.now, newest=span[1])
            shown, span = replace(shown, period=period), None
            days = counted_days(shown, url)
    shown = _as_begun(shown, query, days)
    of_site = {"municipality": shown.site["municipality"], "site": shown.site["key"]}
    touching = list_cases(
        connection,
        **of_site,
        quantity=shown.quantity,
        start=shown.period.start,
        end=shown.period.end,
        now=shown.now,
    )
    drawn: list[Chart] = []
    figures: list[KeyFigure] = []
    passport = days_told = ""
    sentence = _whereabouts(shown)
    compared, offered = "", None
    begun = False
    if shown.quantity:
        offered = choices(
            shown.site,
            shown.quantity,
            query.get("compare", ""),
            shown.language,
            connection=connection,
        )
    if (quantity := shown.quantity) and days.height:
        hours = volumes(shown, url, interval_s=3600)
        if hours.is_empty() and (days["method"] == TOTALS_METHOD).any():
            shown = replace(shown, period=replace(shown.period, bin="P1D"))
        begun = _has_begun(shown, url, hours=hours, days=days)
        suspects = _suspected(connection, shown, quantity)
        holidays = school_holidays(connection)
        hours_trusted = (
            None
            if suspects.is_empty()
            else volumes(shown, url, interval_s=3600, trusted=True)
        )
        findings = list_findings(
            connection,
            **shown.counted,
            start=shown.period.start,
            end=shown.period.end,
        )
        trusted = None
        of = replace(
            _counted_days(shown, days, hours, touching),
            ambiguous_hours=_ambiguous(connection, shown, quantity),
        )
        if hours_trusted is not None:
            days_trusted = trusted_days(
                url,
                shown.site,
                quantity,
                days,
                suspects,
                first=shown.period.first,
                last=shown.period.last,
                rules=Rules.of(settings),
            )
            trusted = _total(shown, days_trusted, hours_trusted)
            of = replace(
                of,
                suspected=_suspected_share(shown, suspects),
                trusted=replace(
                    _counted_days(shown, days_trusted, hours_trusted, touching),
                    ambiguous_hours=of.ambiguous_hours,
                    is_trusted=True,
                ),
            )
        figures = [
            key_figures.total(
                of, _total(shown, days, hours), shown.language, trusted=trusted
            ),
            *key_figures.of_flow(
                of,
                shown.language,
                known=Known(
                    touching={
                        "cases": of.cases,
                        "ambiguous_hours": of.ambiguous_hours,
                    },
                    suspected=suspects,
                    school_holidays=holidays,
                ),
                url=url,
                settings=settings,
                now=shown.now,
            ),
        ]
        days_told = key_figures.days_told(of, shown.language)
        drawn += counted_charts(
            shown,
            connection,
            url,
            days=days,
            hours=hours,
            findings=findings,
            trusted=hours_trusted,
            of=of,
            figures=figures,
        )
        if offered:
            compared = comparison(
                of,
                offered,
                shown.language,
                school_holidays=holidays,
                connection=connection,
                url=url,
            )
        passport = _passport(shown, of.passport)
        sentence += " " + shown.language.phrase(
            mark("Up to yesterday %(share)s of the period is observed.")
            if of.runs
            else mark("%(share)s of the period is observed."),
            share=shown.language.percent(of.passport.observed),
        )
    drawn += _environment(shown, connection, url)
    sentence += " " + _heard(shown, begun=begun)
    measured = filter(None, (shown.quantity, *shown.environment))
    unsure = _ambiguous(connection, shown, *measured)
    passport = f"{passport} {ambiguous(unsure, shown.zone, shown.language)}".strip()
    first = shown.today - timedelta(days=DAYS_SHOWN - 1)
    verdicts = stored_health.days(connection, **of_site, first=first, last=shown.today)
    counts = sum_towns(count_cases(connection, **of_site, now=shown.now))
    return Content(
        view=shown,
        figures=figures,
        days_told=days_told,
        charts=drawn,
        days=charts.days_or_months(
            days,
            shown.language,
            zone=shown.zone,
            all_rows=all_rows(
                shown.site,
                shown.period,
                shown.language,
                of="days",
                quantity=shown.quantity or "",
            ),
        ),
        sentence=sentence,
        passport=passport,
        health=health(shown.site, verdicts, shown.language, today=shown.today),
        cases=touching,
        other_cases=_other_cases(connection, shown, touching, counts),
        counts=counts,
        choices=offered,
        comparison=compared,
        data_span=span,
    )


def _other_cases(
    connection: Connection,
    shown: View,
    told: Sequence[Mapping[str, Any]],
    counts: Counts,
) -> dict[str, list[Mapping[str, Any]]]:
    """Open cases of the site that are not told already, the newest by standing."""
    known = {case["anomaly_case_id"] for case in told}
    found = {
        standing: list_cases(
            connection,
            municipality=shown.site["municipality"],
            site=shown.site["key"],
            standing=(standing,),
            now=shown.now,
            limit=MOST_CASES,
        )
        if getattr(counts, standing)
        else []
        for standing in OPEN
    }
    return {
        standing: [case for case in cases if case["anomaly_case_id"] not in known]
        for standing, cases in found.items()
    }


def _as_begun(shown: View, query: Mapping[str, str], days: pl.DataFrame) -> View:
    """Show quarter-hours where counting began yesterday or today and none are asked."""
    began = days["day"].min()
    if query.get("bin") or not isinstance(began, date):
        return shown
    if not shown.period.first < began >= shown.today - timedelta(days=1):
        return shown
    asked = {**query, "bin": "PT15M"}
    return replace(shown, period=read(asked, shown.zone, now=shown.now))


def counted_days(shown: View, url: str) -> pl.DataFrame:
    """Read the local days of the counted quantity in the period."""
    return read_daily_figures(
        url, **shown.counted, first=shown.period.first, last=shown.period.last
    )


def _newest_period(shown: View, query: Mapping[str, str]) -> Period:
    """Return the newest period with measurements, for an environment page."""
    measured = shown.site["newest_reading_at"]
    if measured is None or measured >= shown.period.start:
        return shown.period
    newest = measured.astimezone(ZoneInfo(shown.zone)).date()
    return read(query, shown.zone, now=shown.now, newest=newest)


def _span(shown: View, url: str) -> tuple[date, date] | None:
    """Return the days from and to which there are figures at all."""
    known = read_daily_figures(
        url,
        **shown.counted,
        first=EARLIEST,
        last=shown.today + timedelta(days=1),
        direction="all",
    )["day"]
    return (known[0], known[-1]) if len(known) else None


def environment_hours(
    shown: View, url: str, quantity: str, *, trusted: bool = False
) -> pl.DataFrame:
    """Read the hours of an environment quantity in the period.

    And some before it, where running means of the period reach back to them.
    """
    return read_environment(
        url,
        site_id=shown.site["site_id"],
        quantity=quantity,
        start=shown.period.start - look_back(quantity),
        end=shown.period.end,
        trusted=trusted,
    )


def _environment(shown: View, connection: Connection, url: str) -> list[Chart]:
    """Draw what is measured of the environment.

    Where anything is suspected to be of a sensor's fault it is said without it, too.
    """
    if not shown.environment:
        return []
    measured = pl.col("quantity").is_in(shown.environment)
    suspects = _suspected(connection, shown, None).filter(measured)
    touched = suspects["quantity"].unique().to_list()
    found = _hours_and_longer(shown, url, shown.environment)

    def drawn(trusted: bool) -> list[Chart]:
        known = found
        if trusted:
            known = found | _hours_and_longer(shown, url, touched, trusted=True)
        return _environment_charts(shown, url, known, trusted=trusted)

    return all_told(*suspected.both(drawn, suspects), shown.language)


def _hours_and_longer(
    shown: View, url: str, quantities: Iterable[str], *, trusted: bool = False
) -> dict[str, tuple[pl.DataFrame, pl.DataFrame]]:
    """Read the hours and LONG_VALUES of quantities."""
    return {
        quantity: (
            environment_hours(shown, url, quantity, trusted=trusted),
            _long(shown, url, quantity, trusted=trusted),
        )
        for quantity in quantities
    }


def _environment_charts(
    shown: View,
    url: str,
    known: Mapping[str, tuple[pl.DataFrame, pl.DataFrame]],
    *,
    trusted: bool,
) -> list[Chart]:
    """Draw what quantities come to, and each of them."""
    channels = shown.site["channels"]
    return environment_charts(
        {
            quantity: stored_hours(hours, channels)
            for quantity, (hours, _) in known.items()
        },
        shown.language,
        zone=shown.zone,
        since=shown.period.start,
        long={quantity: long for quantity, (_, long) in known.items() if long.height},
        all_rows=all_rows(shown.site, shown.period, shown.language, of="noise"),
    ) + [
        _environment_days(shown, url, quantity=quantity, trusted=trusted)
        if long.height and not in_period(shown, hours)
        else _environment_hours(shown, hours, quantity=quantity)
        for quantity, (hours, long) in known.items()
    ]


def in_period(shown: View, hours: pl.DataFrame) -> bool:
    """Whether some of the hours are of the period, not of before it."""
    return not hours.filter(pl.col("time") >= shown.period.start).is_empty()


def filled_hours(shown: View, frame: pl.DataFrame) -> tuple[str, pl.DataFrame]:
    """Return the first channel of a quantity, and a row for each of its hours."""
    first = frame["channel"].unique().sort()[:1].to_list()
    filled = summaries.fill_hours(
        frame.filter(pl.col("channel").is_in(first)), shown.period, shown.now
    )
    return next(iter(first), ""), filled


def _environment_hours(shown: View, frame: pl.DataFrame, *, quantity: str) -> Chart:
    first, filled = filled_hours(shown, frame)
    thresholds = [c["thresholds"] for c in shown.site["channels"] if c["key"] == first]
    return charts.environment_chart(
        filled,
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


def _long(shown: View, url: str, quantity: str, *, trusted: bool) -> pl.DataFrame:
    """Values over intervals above an hour, such as daily means (LONG_VALUES)."""
    found = read_long_environment(
        url,
        site_id=shown.site["site_id"],
        quantity=quantity,
        start=shown.period.start,
        end=shown.period.end,
        trusted=trusted,
    )
    return check(found, LONG_VALUES)


def filled_environment_days(
    shown: View, url: str, quantity: str, *, trusted: bool = False
) -> pl.DataFrame:
    """Return a quantity's first channel, with a row for each local day."""
    period = shown.period
    days = extracts.environment_days(
        shown.site, quantity, period.first, period.last, url=url, trusted=trusted
    )
    first = days["channel"].unique().sort()[:1].to_list()
    return summaries.fill_environment_days(
        days.filter(pl.col("channel").is_in(first)), period, shown.today
    )


def _environment_days(shown: View, url: str, *, quantity: str, trusted: bool) -> Chart:
    """Return the chart of a quantity of which days are told, and no hours."""
    by_day = replace(shown.period, bin="P1D")
    return charts.environment_chart(
        filled_environment_days(shown, url, quantity, trusted=trusted),
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


def _ambiguous(
    connection: Connection, shown: View, *quantities: str
) -> tuple[datetime, ...]:
    """Hours of the period whose readings may be of the other pass of that hour."""
    return list_ambiguous_hours(
        connection,
        [(shown.site["site_id"], quantity, ALL) for quantity in quantities],
        start=shown.period.start,
        end=shown.period.end,
    )


def _suspected(
    connection: Connection, shown: View, quantity: str | None
) -> pl.DataFrame:
    """Return suspected sensor faults in the period, as SUSPECTED."""
    return read_suspected(
        connection,
        [shown.site["site_id"]],
        quantity,
        start=shown.period.start,
        end=shown.period.end,
    )


def _suspected_share(shown: View, suspects: pl.DataFrame) -> float:
    """Return what part of the period up to now that is."""
    channels = [c for c in shown.site["channels"] if c["quantity"] == shown.quantity]
    return suspected.share(
        suspects,
        start=shown.period.start,
        end=min(shown.period.end, shown.now),
        channels=len(channels),
    )


def _passport_of_hours(
    shown: View, hours: pl.DataFrame, cases: Sequence[dict[str, Any]]
) -> Passport:
    """Return where the hours come from; the running one is not expected yet."""
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


def _total(shown: View, days: pl.DataFrame, hours: pl.DataFrame) -> int | None:
    """Return what was counted; None where nothing of it is known."""
    whole = shown.period.whole_days
    rows = days.filter(pl.col("direction") == "all") if whole else hours
    return int(rows["volume"].sum()) if rows["volume"].count() else None


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


def _heard(shown: View, *, begun: bool) -> str:
    """Return the time of the last message, and why there is no value."""
    language, site = shown.language, shown.site
    if site["last_received_at"] is None:
        return language.phrase("No message has arrived yet.")
    text = mark("Last message %(age)s.")
    age = shown.now - site["last_received_at"]
    if age <= LATE_AFTER and site["last_messages"] == "rejected":
        text = mark("Last message %(age)s; none of those of the last hour can be used.")
    elif site["newest_reading_at"] and not is_fresh(site, shown.now):
        said = newest_reading(site, language, now=shown.now)
        return f"{said[0].upper()}{said[1:]}."
    elif age <= LATE_AFTER and begun:
        text = _BEGUN[shown.period.bin]
    return language.phrase(text, age=language.age(age))


def _has_begun(
    shown: View, url: str, *, hours: pl.DataFrame, days: pl.DataFrame
) -> bool:
    """Return whether the period has counts, but no whole step."""
    if shown.period.bin == "P1D":
        return not days["valid"].any()
    frame = hours
    if shown.period.bin == "PT15M" and not frame.is_empty():
        frame = volumes(shown, url, interval_s=900)
    return (
        frame.height > 0
        and frame.select(summaries.whole_value()).to_series().is_null().all()
    )


_BEGUN: Final = {
    "PT15M": mark(
        "First messages, the last one %(age)s; values appear as soon as a quarter-hour "
        "is full."
    ),
    "PT1H": mark(
        "First messages, the last one %(age)s; values appear as soon as an hour is "
        "full."
    ),
    "P1D": mark(
        "First messages, the last one %(age)s; values appear as soon as a day is full."
    ),
}
