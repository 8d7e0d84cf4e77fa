"""Flow figures of a site: what they are computed from is read, and they are computed.

The API serves them and pages show them. Periods are whole local days that have ended.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final

import polars as pl

from analytics import frames
from analytics.flow import (
    aadt,
    classes,
    design_hour,
    means,
    noise,
    peaks,
    profiles,
    service,
    speeds,
)
from analytics.flow.figure import Figure, Reason, Result, touched_by
from analytics.quality import suspected
from analytics.reports import extracts
from analytics.reports.extracts import DAY, Selection
from analytics.reports.sources import Source
from verkehrspuls import calendar
from verkehrspuls.errors import BadParameter
from verkehrspuls.storage.sites import Site


def _means(of: Source) -> Result:
    found = means.means(of.days(), unit=of.unit, rules=of.rules, terms=of.terms)
    split = means.directional_split(of.days_by_direction(), rules=of.rules)
    return Result((*found.figures, *split.figures))


def _aadt(of: Source) -> Result:
    return aadt.aadt(of.days(), of.hours(), unit=of.unit)


def peaks_of(
    quarters: pl.DataFrame,
    hours: Callable[[], pl.DataFrame],
    *,
    unit: str,
    expected_h: int,
    blocks: Mapping[str, tuple[int, int]] = peaks.BLOCKS,
) -> Result:
    """Compute peaks in blocks of the day from FLOW_BINS; read hours where needed."""
    few = quarters["flow"].count() < peaks.MIN_KNOWN * 4 * expected_h
    return peaks.peaks(
        quarters,
        # hours may have what quarter-hours lack
        hours() if few else None,
        unit=unit,
        expected=4 * expected_h,
        blocks=blocks,
    )


def _peaks(of: Source) -> Result:
    return peaks_of(of.quarters(), of.hours, unit=of.unit, expected_h=of.hours_expected)


def _design_hour(of: Source) -> Result:
    of_days = means.means(of.days(), unit=of.unit, rules=of.rules)
    dtv = next(figure for figure in of_days.figures if figure.name == "mean_day")
    return design_hour.design_hour(
        of.hours(),
        of.hours_by_direction(),
        heavy=classes.summed(classes.GROUPS["heavy"], of.scheme),
        dtv=dtv.value,
        days=of.length,
        unit=of.unit,
    )


def _classes(of: Source) -> Result:
    return classes.classes(
        of.hours(),
        quantity=of.selection.quantity,
        scheme=of.scheme,
        units=of.parameters.car_units[of.settings.car_units].units,
        unit=of.unit,
        expected=of.hours_expected,
    )


def _speeds(of: Source) -> Result:
    histograms = of.histograms()
    # the sensors' means are a substitute
    means_only = histograms.is_empty()
    return speeds.speeds(
        histograms,
        of.hours() if means_only else frames.empty(frames.FLOW_BINS),
        limit_kmh=of.limit_kmh,
        expected=of.hours_expected,
        lanes=len(of.channels),
        excluded_s=of.histograms_excluded_s,
    )


def _service(of: Source) -> Result:
    return service.service(
        of.hours(),
        of.histograms(),
        profile=of.profile,
        lanes=of.lanes,
        capacity=of.options.capacity,
        limit_kmh=of.limit_kmh,
        unit=of.unit,
        expected=of.hours_expected,
    )


def _noise_flows(of: Source) -> Result:
    return noise.noise_flows(
        of.hours(),
        scheme=of.scheme,
        days=of.length,
        unit=of.unit,
        rules=of.rules,
    )


def _day_profile(of: Source) -> Result:
    return profiles.day_profile(of.hours(), expected=of.hours_expected)


def _week_profile(of: Source) -> Result:
    return profiles.week_profile(of.hours(), expected=of.hours_expected)


def _year_profile(of: Source) -> Result:
    return profiles.year_profile(of.days(), rules=of.rules)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of figures: how it is computed, and days of its period."""

    compute: Callable[[Source], Result]
    usual: int
    longest: int


KINDS: Final[Mapping[str, Kind]] = {
    "means": Kind(_means, 365, 100 * 366),
    "aadt": Kind(_aadt, 365, 366),
    "peaks": Kind(_peaks, 28, 366),
    "design-hour": Kind(_design_hour, 365, 366),
    "classes": Kind(_classes, 365, 5 * 366),
    "speeds": Kind(_speeds, 28, 366),
    "service": Kind(_service, 28, 366),
    "noise-flows": Kind(_noise_flows, 365, 366),
    "day-profile": Kind(_day_profile, 365, 5 * 366),
    "week-profile": Kind(_week_profile, 365, 5 * 366),
    "year-profile": Kind(_year_profile, 365, 100 * 366),
}


def select(
    site: Site,
    kind: str,
    *,
    quantity: str | None,
    direction: str | None,
    start: datetime | date | None,
    end: datetime | date | None,
    now: datetime,
) -> Selection:
    """Complete and check what is asked for: whole local days that have ended."""
    today = calendar.local_day(now, site.time_zone)
    chosen = extracts.select(
        site,
        quantity=quantity,
        direction=direction,
        start=start,
        end=end or today,
        bin=DAY,
        now=now,
        days=KINDS[kind].usual,
    )
    first, last = chosen.period.local_days
    last = min(last, today - timedelta(days=1))
    if first > last:
        raise BadParameter(
            parameter="from", detail="The period has no local day that has ended"
        )
    whole = replace(
        chosen.period,
        start=calendar.day_start(first, site.time_zone),
        end=calendar.day_end(last, site.time_zone),
    )
    return replace(chosen, period=whole.at_most(KINDS[kind].longest))


#: What is computed from hours or quarter-hours alone.
_OF_HOURS: Final = frozenset(
    {
        *("peaks", "design-hour", "classes", "service", "noise-flows"),
        *("day-profile", "week-profile"),
    }
)
#: Reasons of figures for which there are no hours.
_NO_HOURS: Final = frozenset(
    {"too-few-hours", "too-few-days", "no-traffic", "no-total", "no-speeds"}
)


def compute(kind: str, source: Source) -> Result:
    """Compute the figures of a kind, and where a fault is suspected without it, too.

    Where days are counted but no hours, figures of hours have the reason `needs-hours`.
    """
    return of_both(partial(of_kind, kind), source)


def of_both(compute: Callable[[Source], Result], source: Source) -> Result:
    """Compute figures from a source, and from what of it is not suspected."""

    def of(trusted: bool) -> Result:
        chosen = source.trusted() if trusted else source
        return touched_by(compute(chosen), **source.touching)

    found, without = suspected.both(of, source.suspected)
    return (
        suspected.with_suspected(found, without, source.suspected_share)
        if without
        else found
    )


def of_kind(kind: str, source: Source) -> Result:
    """Compute the figures of a kind from a source as it is."""
    result = KINDS[kind].compute(source)
    if kind != "aadt" and kind not in _OF_HOURS:
        return result
    return with_hours_needed(result, kind, hours=source.hours, days=source.days)


def with_hours_needed(
    result: Result,
    kind: str,
    *,
    hours: Callable[[], pl.DataFrame],
    days: Callable[[], pl.DataFrame],
) -> Result:
    """Put the reason that hours are needed where days are counted, but no hours.

    FLOW_BINS and FLOW_DAYS are read only where a figure has no value.
    """
    if not any(map(_lacks_hours, result.figures)) and (
        result.table is None or not result.table.is_empty() or result.figures
    ):
        return result
    if hours()["flow"].count() or not days()["volume"].count():
        return result
    passport = result.passport or result.figures[0].passport
    figures = result.figures or (
        Figure(name=kind, unit="1", passport=passport, reason=Reason("needs-hours")),
    )
    return replace(result, figures=tuple(map(_needing_hours, figures)))


def _lacks_hours(figure: Figure) -> bool:
    """Return whether a figure has no value, perhaps because there are no hours."""
    by_day = figure.name.startswith("aadt_") and "hours" not in figure.name
    return figure.reason is not None and figure.reason.code in _NO_HOURS and not by_day


def _needing_hours(figure: Figure) -> Figure:
    if not _lacks_hours(figure):
        return figure
    return replace(figure, reason=Reason("needs-hours"))
