"""The charts of what a site counts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from zoneinfo import ZoneInfo

import polars as pl

from analytics.flow.series import with_estimates
from analytics.reports.extracts import ALL
from analytics.reports.site.around import Around
from analytics.reports.site.charted import Charted
from analytics.reports.site.report import Report
from dashboards import describe, summaries
from dashboards.charts import charts
from dashboards.charts.charts import Chart, Names
from dashboards.charts.forecast import forecast_chart
from dashboards.downloads import all_rows, downloads
from dashboards.figures.series import Mark
from dashboards.pages.site.key_figures import KeyFigure
from dashboards.pages.site.selection import View
from dashboards.period import Period
from verkehrspuls.language import UNKNOWN_FIGURE, Language
from verkehrspuls.storage.case_lists import Finding


def counted_charts(
    shown: View, report: Report, *, known: Around, figures: Sequence[KeyFigure]
) -> list[Chart]:
    """Draw the charts of the counted quantity.

    The heavy share is that of the key figures, and classes are of the same days.
    """
    language, period = shown.language, shown.period
    quantity = shown.quantity or ""
    filled = filled_series(
        shown, days=report.days, bins=report.bins, estimates=report.estimates
    )
    names = names_of(shown, filled)
    drawn = [
        charts.series_chart(
            filled,
            language,
            period=period,
            quantity=quantity,
            names=names,
            marks=_marks(known.findings, shown),
            downloads=downloads(shown.site, quantity, period, language),
            all_rows=all_rows(
                shown.site, period, language, of="series", quantity=quantity
            ),
        )
    ]
    if report.hours.is_empty():
        return drawn
    if report.forecast is not None:
        drawn.append(
            forecast_chart(
                report.forecast,
                known.forecast_errors,
                report.newest,
                language,
                zone=shown.zone,
                quantity=quantity,
                now=shown.now,
            )
        )
    # the series may be of quarter-hours, which not all directions have
    names = names_of(shown, report.hours.filter(pl.col("direction") != ALL))
    by_key = {figure.key: figure for figure in figures if figure.key}
    heavy, trusted = _heavy_shares(report, by_key, language)
    of_hours = _of_hours(report.charted, shown, names, heavy=heavy)
    if report.charted_trusted is None or report.charted_trusted.hours.is_empty():
        return drawn + of_hours
    # only their sentences are shown
    without = _of_hours(
        report.charted_trusted, shown, names, heavy=trusted, drawn=False
    )
    return drawn + with_trusted_sentences(of_hours, without, language)


def _heavy_shares(
    report: Report, by_key: Mapping[str, KeyFigure], language: Language
) -> tuple[str, str]:
    """Return the heavy share with and without what is suspected, as in key figures."""
    if share := by_key.get("heavy_share"):
        return share.value, share.trusted
    if by_key:
        return UNKNOWN_FIGURE, UNKNOWN_FIGURE
    shares = [
        UNKNOWN_FIGURE
        if charted is None
        else language.percent(charted.heavy_share.value, 1)
        for charted in (report.charted, report.charted_trusted)
    ]
    return shares[0], shares[1]


def _of_hours(
    charted: Charted, shown: View, names: Names, *, heavy: str, drawn: bool = True
) -> list[Chart]:
    """Make the charts that sum up hours; without figures where they are not `drawn`."""
    language, quantity = shown.language, shown.quantity or ""
    by_class = charts.classes_chart(charted.classes, language, heavy=heavy, drawn=drawn)
    last = [by_class] if by_class else []
    if charted.week_profile.is_empty() and charted.day_profiles.is_empty():
        # counting has just begun: charts of whole hours would be empty
        return last
    together = pl.col("direction") == ALL
    found = [
        charts.profile_chart(
            charted.day_profiles.filter(together),
            language,
            quantity=quantity,
            drawn=drawn,
        )
    ]
    weekdays = _weekdays(shown.period)
    # of a single day the profile shows the same
    if len(weekdays) > 1:
        found.append(
            charts.week_chart(
                charted.week_profile,
                language,
                quantity=quantity,
                weekdays=weekdays,
                holidays=charted.has_holidays,
                drawn=drawn,
            )
        )
    if len(names) > 1:
        found.append(
            charts.directions_chart(
                charted.day_profiles.filter(~together, day_type="workday"),
                charted.directions,
                language,
                quantity=quantity,
                names=names,
                drawn=drawn,
            )
        )
    return [*found, *last]


def with_trusted_sentences(
    found: Sequence[Chart], without: Sequence[Chart] | None, language: Language
) -> list[Chart]:
    """Add to charts their sentence without suspected data, if there is any."""
    by_key = {chart.key: chart for chart in without or ()}
    return [
        with_trusted_sentence(chart, by_key.get(chart.key), language) for chart in found
    ]


def with_trusted_sentence(
    chart: Chart, without: Chart | None, language: Language
) -> Chart:
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
    shown: View,
    *,
    days: pl.DataFrame,
    bins: pl.DataFrame,
    estimates: pl.DataFrame | None,
) -> pl.DataFrame:
    """Return the counted series by the requested steps, with a row for each gap."""
    if shown.period.bin == "P1D":
        return summaries.fill_days(days, shown.period, shown.today)
    filled = summaries.fill_gaps(bins, shown.period, shown.now)
    return filled if estimates is None else with_estimates(filled, estimates)


def names_of(shown: View, filled: pl.DataFrame) -> Names:
    """Return the directions of a series with their names, in the registry's order."""
    present = set(filled["direction"])
    named = [pair for pair in _names(shown) if pair[0] in present]
    return named or [(direction, "") for direction in sorted(present)]


def _weekdays(period: Period) -> list[int]:
    """Return the weekdays that a period touches, from Monday, which is 0."""
    first, days = period.first.weekday(), min(7, period.calendar_days)
    return sorted((first + day) % 7 for day in range(days))


def _names(shown: View) -> Names:
    """Return the directions of the quantity with their names, in the same order."""
    found: dict[str, str] = {}
    for channel in shown.site.channels:
        if channel.quantity == shown.quantity:
            key = channel.direction
            found.setdefault(key, channel.direction_name or (key and channel.name))
    return list(found.items())


def _marks(findings: Sequence[Finding], shown: View) -> list[Mark]:
    """Mark the findings of each case and direction that have its first reason."""
    zone, period = ZoneInfo(shown.zone), shown.period

    def local(time: datetime) -> datetime:
        return time.astimezone(zone).replace(tzinfo=None)

    marks = []
    for (_, direction), found in groupby(
        findings, key=attrgetter("anomaly_case_id", "direction")
    ):
        rows = list(found)
        naming = [row for row in rows if row.reason == rows[0].reason]
        marks += [
            Mark(
                began=local(max(began, period.start)),
                ended=local(min(ended, period.end)),
                direction=direction,
                word=describe.case_word(naming[0].reason, shown.language),
            )
            for began, ended in _joined(naming)
        ]
    return marks


def _joined(findings: Sequence[Finding]) -> list[tuple[datetime, datetime]]:
    """Return the times of findings; those that overlap or touch are joined."""
    spans: list[tuple[datetime, datetime]] = []
    for began, ended in sorted((row.began, row.ended) for row in findings):
        if spans and began <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(ended, spans[-1][1]))
        else:
            spans.append((began, ended))
    return spans
