"""The charts of what a site counts."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from zoneinfo import ZoneInfo

import polars as pl

from dashboards import charts, describe, summaries
from dashboards.charts import Chart, Names
from dashboards.downloads import downloads
from dashboards.figures.series import Mark
from dashboards.forecast import forecast_chart
from dashboards.view import View
from verkehrspuls.storage import series
from verkehrspuls.storage.database import Connection


def counted_charts(
    shown: View,
    connection: Connection,
    url: str,
    *,
    days: pl.DataFrame,
    hours: pl.DataFrame,
    cases: Sequence[Mapping[str, Any]],
) -> list[Chart]:
    """Draw the charts of the counted quantity."""
    language, period = shown.language, shown.period
    quantity = shown.quantity or ""
    names = _names(shown)
    if period.bin == "P1D":
        filled = summaries.fill_days(days, period, shown.today)
    else:
        frame = hours
        if period.bin == "PT15M":
            frame = volumes(shown, url, interval_s=900)
        filled = summaries.fill_gaps(frame, period, shown.now)
        if period.bin == "PT1H":
            estimates = series.imputed(
                url, **shown.counted, start=period.start, end=period.end
            )
            filled = summaries.with_estimates(filled, estimates)
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
    if period.end > shown.now:
        drawn.append(
            forecast_chart(
                series.forecast(url, **shown.counted),
                series.forecast_errors(connection, **shown.counted),
                together,
                language,
                zone=shown.zone,
                quantity=quantity,
                now=shown.now,
            )
        )
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


def volumes(shown: View, url: str, *, interval_s: Literal[900, 3600]) -> pl.DataFrame:
    """Read the volumes of the period by direction."""
    return series.volumes(
        url,
        **shown.counted,
        start=shown.period.start,
        end=shown.period.end,
        interval_s=interval_s,
    )


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
