"""The flow figures of a site's days that have ended: means, peaks and speeds."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import polars as pl

from analytics.calendar import Terms
from analytics.flow import means, peaks, speeds
from analytics.flow.figure import Figure, Result, touched_by
from analytics.frames import FLOW_BINS, SPEED_HISTOGRAMS, check, empty
from analytics.quality.suspected import touched
from analytics.quality.validity import Rules
from analytics.reports import figures
from analytics.reports.site.asked import Asked
from analytics.reports.site.counted import Counted
from analytics.reports.site.reading import Frames, speeds_since
from analytics.reports.sources import HOUR_S
from verkehrspuls.calendar import day_end, day_length_h, day_start
from verkehrspuls.quantities import QUANTITIES

#: Blocks of a day whose peaks are shown.
_BLOCKS: Final = {"day": peaks.BLOCKS["day"]}


def flow_figures(
    asked: Asked,
    read: Frames,
    found: Counted,
    *,
    hours: pl.DataFrame,
    quarters: pl.DataFrame,
    rules: Rules,
    terms: Terms,
) -> Mapping[str, Figure]:
    """Compute the flow figures by name; none where no day has ended.

    `hours` are FLOWS of the period, `quarters` those of its busiest day.
    """
    if asked.ended < asked.first:
        return {}
    unit = QUANTITIES[found.quantity].unit.removesuffix("/h")
    results = [
        means.means(found.flow_days, unit=unit, rules=rules, terms=terms),
        _peaks(asked, read, found, hours=hours, quarters=quarters, unit=unit),
    ]
    if found.quantity == "motor":
        results.append(_speeds(asked, read))
    return {
        figure.name: replace(figure, passport=touched(figure.passport, found.suspected))
        for result in results
        for figure in touched_by(result, **found.touching).figures
    }


def _peaks(
    asked: Asked,
    read: Frames,
    found: Counted,
    *,
    hours: pl.DataFrame,
    quarters: pl.DataFrame,
    unit: str,
) -> Result:
    """Compute the peaks of the busiest day; their passport is the period's."""
    of_day = pl.col("day") == read.busiest

    def hours_of_day() -> pl.DataFrame:
        return hours.filter(of_day)

    result = figures.with_hours_needed(
        figures.peaks_of(
            quarters,
            hours_of_day,
            unit=unit,
            expected_h=int(day_length_h(read.busiest, asked.zone)),
            blocks=_BLOCKS,
        ),
        "peaks",
        hours=hours_of_day,
        days=lambda: found.flow_days.filter(of_day),
    )
    passport = replace(found.passport, method=peaks.METHOD, days_used=None)
    return Result(
        tuple(replace(figure, passport=passport) for figure in result.figures)
    )


def _speeds(asked: Asked, read: Frames) -> Result:
    """Compute speeds of the newest days."""
    zone = asked.zone
    length = day_end(asked.ended, zone) - day_start(speeds_since(asked), zone)
    return speeds.speeds(
        check(read.histograms.drop_nulls("counts"), SPEED_HISTOGRAMS),
        empty(FLOW_BINS),
        limit_kmh=asked.site.speed_limit_kmh,
        expected=int(length.total_seconds() // HOUR_S),
        lanes=len(asked.channels),
        excluded_s=int(read.histograms["excluded_s"].sum()),
    )
