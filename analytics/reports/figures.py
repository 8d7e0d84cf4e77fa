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
from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage.sites import Site


def _means(source: Source) -> Result:
    found = means.means(
        source.days(), unit=source.unit, rules=source.rules, terms=source.terms
    )
    split = means.directional_split(source.days_by_direction(), rules=source.rules)
    return Result((*found.figures, *split.figures))


def _aadt(source: Source) -> Result:
    return aadt.aadt(source.days(), source.hours(), unit=source.unit)


def peaks_of(
    quarters: pl.DataFrame,
    hours: Callable[[], pl.DataFrame],
    *,
    unit: str,
    expected_h: int,
    blocks: Mapping[str, tuple[int, int]] = peaks.BLOCKS,
) -> Result:
    """Compute peaks in blocks of the day from FLOWS; read hours where needed."""
    few = quarters["flow"].count() < peaks.MIN_KNOWN * 4 * expected_h
    return peaks.peaks(
        quarters,
        # hours may have what quarter-hours lack
        hours() if few else None,
        unit=unit,
        expected=4 * expected_h,
        blocks=blocks,
    )


def _peaks(source: Source) -> Result:
    return peaks_of(
        source.quarters(),
        source.hours,
        unit=source.unit,
        expected_h=source.hours_expected,
    )


def _design_hour(source: Source) -> Result:
    of_days = means.means(source.days(), unit=source.unit, rules=source.rules)
    dtv = next(figure for figure in of_days.figures if figure.name == "mean_day")
    return design_hour.design_hour(
        source.hours(),
        source.hours_by_direction(),
        heavy=classes.summed(classes.GROUPS["heavy"], source.scheme),
        dtv=dtv.value,
        days=source.length,
        unit=source.unit,
    )


def _classes(source: Source) -> Result:
    return classes.classes(
        source.hours(),
        quantity=source.selection.quantity,
        scheme=source.scheme,
        units=source.parameters.car_units[source.settings.car_units].units,
        unit=source.unit,
        expected=source.hours_expected,
    )


def _speeds(source: Source) -> Result:
    histograms = source.histograms()
    # the sensors' means are a substitute
    means_only = histograms.is_empty()
    return speeds.speeds(
        histograms,
        source.hours() if means_only else frames.empty(frames.FLOW_BINS),
        limit_kmh=source.limit_kmh,
        expected=source.hours_expected,
        lanes=len(source.channels),
        excluded_s=source.histograms_excluded_s,
    )


def _service(source: Source) -> Result:
    return service.service(
        source.hours(),
        source.histograms(),
        profile=source.profile,
        lanes=source.lanes,
        capacity=source.options.capacity,
        limit_kmh=source.limit_kmh,
        unit=source.unit,
        expected=source.hours_expected,
    )


def _noise_flows(source: Source) -> Result:
    return noise.noise_flows(
        source.hours(),
        scheme=source.scheme,
        days=source.length,
        unit=source.unit,
        rules=source.rules,
    )


def _day_profile(source: Source) -> Result:
    return profiles.day_profile(source.hours(), expected=source.hours_expected)


def _week_profile(source: Source) -> Result:
    return profiles.week_profile(source.hours(), expected=source.hours_expected)


def _year_profile(source: Source) -> Result:
    return profiles.year_profile(source.days(), rules=source.rules)


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
        quantity=extracts.quantity_of(site, asked=quantity, among=COUNTED),
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

    def computed(trusted: bool) -> Result:
        chosen = source.trusted() if trusted else source
        return touched_by(compute(chosen), **source.touching)

    found, without = suspected.both(computed, source.suspected)
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

    FLOWS and FLOW_DAYS are read only where a figure has no value.
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
