"""The charts of what a site counts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal
from zoneinfo import ZoneInfo

import polars as pl

from analytics.flow.classes import GROUPS, summed, sums_of
from analytics.reports.sources import scheme_of
from dashboards import describe, summaries
from dashboards.charts import charts
from dashboards.charts.charts import Chart, Names
from dashboards.charts.forecast import forecast_chart
from dashboards.downloads import all_rows, downloads
from dashboards.figures.series import Mark
from dashboards.language import UNKNOWN_FIGURE, Language
from dashboards.pages.site.key_figures import Counted, KeyFigure
from dashboards.pages.site.selection import View
from dashboards.period import Period
from verkehrspuls.calendar import day_end
from verkehrspuls.storage.database import Connection
from verkehrspuls.storage.estimates import (
    list_forecast_errors,
    read_forecast,
    read_imputed,
)
from verkehrspuls.storage.volumes import read_volumes


def counted_charts(
    shown: View,
    connection: Connection,
    url: str,
    *,
    days: pl.DataFrame,
    hours: pl.DataFrame,
    findings: Sequence[Mapping[str, Any]],
    trusted: pl.DataFrame | None,
    of: Counted,
    figures: Sequence[KeyFigure],
) -> list[Chart]:
    """Draw the charts of the counted quantity; `findings` are `list_findings`.

    `trusted` are the hours without what is suspected to be of a sensor's fault; None
    where nothing is. Classes are of the days of the key figures, and their heavy share
    is that of these.
    """
    language, period = shown.language, shown.period
    quantity = shown.quantity or ""
    filled = filled_series(shown, url, days=days, hours=hours)
    names = names_of(shown, filled)
    drawn = [
        charts.series_chart(
            filled,
            language,
            period=period,
            quantity=quantity,
            names=names,
            marks=_marks(findings, shown),
            downloads=downloads(shown.site, quantity, period, language),
            all_rows=all_rows(
                shown.site, period, language, of="series", quantity=quantity
            ),
        )
    ]
    if hours.is_empty():
        return drawn
    together = summaries.cross_section(hours, shown.zone)
    if period.end > shown.now:
        drawn.append(
            forecast_chart(
                read_forecast(url, **shown.counted),
                list_forecast_errors(connection, **shown.counted),
                together,
                language,
                zone=shown.zone,
                quantity=quantity,
                now=shown.now,
            )
        )
    until, heavy, heavy_trusted = None, None, None
    if shares := {figure.key: figure for figure in figures if figure.key}:
        until, heavy, heavy_trusted = (
            day_end(of.ended, shown.zone),
            UNKNOWN_FIGURE,
            UNKNOWN_FIGURE,
        )
        if share := shares.get("heavy_share"):
            heavy, heavy_trusted = share.value, share.trusted
    of_hours = _of_hours(hours, shown, names, until=until, heavy=heavy)
    if trusted is None or trusted.is_empty():
        return drawn + of_hours
    without = _of_hours(trusted, shown, names, until=until, heavy=heavy_trusted)
    return drawn + all_told(of_hours, without, language)


def _heavy_share(hours: pl.DataFrame, shown: View) -> str:
    """Return the share of heavy traffic, if the class scheme contains it."""
    channels = [c for c in shown.site["channels"] if c["quantity"] == shown.quantity]
    scheme = scheme_of(
        shown.site, channels, start=shown.period.start, end=shown.period.end
    )
    heavy, volume = sums_of(hours, summed(GROUPS["heavy"], scheme))
    return shown.language.percent(heavy / volume, 1) if volume else UNKNOWN_FIGURE


def _of_hours(
    hours: pl.DataFrame,
    shown: View,
    names: Names,
    *,
    until: datetime | None,
    heavy: str | None,
) -> list[Chart]:
    """Draw the charts that sum up hours; classes of those before `until`.

    `heavy` is the heavy share that is told elsewhere on the page, if any is.
    """
    language, quantity, holidays = shown.language, shown.quantity or "", shown.holidays
    together = summaries.cross_section(hours, shown.zone)
    ended = hours.filter(pl.col("time") < until) if until else hours
    by_class = charts.classes_chart(
        ended, language, heavy=_heavy_share(ended, shown) if heavy is None else heavy
    )
    last = [by_class] if by_class else []
    if together.is_empty():
        # counting has just begun: charts of whole hours would be empty
        return last
    drawn = [
        charts.profile_chart(together, language, quantity=quantity, holidays=holidays)
    ]
    weekdays = _weekdays(shown.period)
    # of one day the profile says the same
    if len(weekdays) > 1:
        drawn.append(
            charts.week_chart(
                together,
                language,
                quantity=quantity,
                holidays=holidays,
                weekdays=weekdays,
            )
        )
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
    return [*drawn, *last]


def all_told(
    found: Sequence[Chart], without: Sequence[Chart] | None, language: Language
) -> list[Chart]:
    """Add to charts their sentence without suspected data, if there is any."""
    by_key = {chart.key: chart for chart in without or ()}
    return [told(chart, by_key.get(chart.key), language) for chart in found]


def told(chart: Chart, without: Chart | None, language: Language) -> Chart:
    """Add to a chart its sentence without suspected data."""
    if without is None or without.table == chart.table:
        return chart
    if without.sentence == chart.sentence:
        text = language.phrase("Hours in which a fault is suspected are counted here.")
    else:
        text = language.phrase(
            "Without hours in which a fault is suspected: %(sentence)s",
            sentence=without.sentence,
        )
    return replace(chart, sentence=f"{chart.sentence} {text}")


def filled_series(
    shown: View, url: str, *, days: pl.DataFrame, hours: pl.DataFrame
) -> pl.DataFrame:
    """Return counts in the requested steps, with a row for each gap."""
    period = shown.period
    if period.bin == "P1D":
        return summaries.fill_days(days, period, shown.today)
    frame = hours
    if period.bin == "PT15M":
        frame = volumes(shown, url, interval_s=900)
    filled = summaries.fill_gaps(frame, period, shown.now)
    if period.bin == "PT1H":
        estimates = read_imputed(
            url, **shown.counted, start=period.start, end=period.end
        )
        filled = summaries.with_estimates(filled, estimates)
    return filled


def names_of(shown: View, filled: pl.DataFrame) -> Names:
    """Directions that a series has, with their names, in the registry's order."""
    present = set(filled["direction"])
    named = [pair for pair in _names(shown) if pair[0] in present]
    return named or [(direction, "") for direction in sorted(present)]


def volumes(
    shown: View, url: str, *, interval_s: Literal[900, 3600], trusted: bool = False
) -> pl.DataFrame:
    """Read the volumes of the period by direction; see `read_volumes`."""
    return read_volumes(
        url,
        **shown.counted,
        start=shown.period.start,
        end=shown.period.end,
        interval_s=interval_s,
        trusted=trusted,
    )


def _weekdays(period: Period) -> list[int]:
    """Return the weekdays that a period touches, from Monday, which is 0."""
    first, days = period.first.weekday(), min(7, period.calendar_days)
    return sorted((first + day) % 7 for day in range(days))


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


def _marks(findings: Sequence[Mapping[str, Any]], shown: View) -> list[Mark]:
    """Frame what was found here: of a case and direction only what names it."""
    zone, period = ZoneInfo(shown.zone), shown.period

    def local(time: datetime) -> datetime:
        return time.astimezone(zone).replace(tzinfo=None)

    marks = []
    for (_, direction), found in groupby(
        findings, key=itemgetter("anomaly_case_id", "direction")
    ):
        rows = list(found)
        naming = [row for row in rows if row["reason"] == rows[0]["reason"]]
        marks += [
            Mark(
                began=local(max(began, period.start)),
                ended=local(min(ended, period.end)),
                direction=direction,
                word=describe.case_word(naming[0]["reason"], shown.language),
            )
            for began, ended in _joined(naming)
        ]
    return marks


def _joined(findings: Sequence[Mapping[str, Any]]) -> list[tuple[datetime, datetime]]:
    """Their times, those of several lanes that overlap or touch as one."""
    spans: list[tuple[datetime, datetime]] = []
    for began, ended in sorted((row["began"], row["ended"]) for row in findings):
        if spans and began <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(ended, spans[-1][1]))
        else:
            spans.append((began, ended))
    return spans
