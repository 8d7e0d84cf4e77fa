"""Flow figures of a site: what they are computed from is read, and they are computed.

The API serves them and pages show them. Periods are whole local days that have ended.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

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
from analytics.flow.figure import Result, with_cases
from api import extracts
from api.errors import BadParameter
from api.extracts import DAY, Selection
from api.sources import Source
from verkehrspuls import calendar


def _means(of: Source) -> Result:
    found = means.means(of.days(), unit=of.unit, rules=of.rules)
    split = means.directional_split(of.days_by_direction(), rules=of.rules)
    return Result((*found.figures, *split.figures))


def _aadt(of: Source) -> Result:
    return aadt.aadt(of.days(), of.hours(), unit=of.unit)


def _peaks(of: Source) -> Result:
    return peaks.peaks(of.quarters(), unit=of.unit, expected=4 * of.hours_expected)


def _design_hour(of: Source) -> Result:
    dtv = means.means(of.days(), unit=of.unit, rules=of.rules).figures[0]
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
    key = of.options.profile or of.settings.service_profile
    known = of.parameters.service
    if key not in known:
        raise BadParameter(
            parameter="profile", detail=f"The profiles are {', '.join(known)}"
        )
    return service.service(
        of.hours(),
        of.histograms(),
        profile=known[key],
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
    site: dict[str, Any],
    kind: str,
    *,
    quantity: str | None,
    direction: str | None,
    start: datetime | date | None,
    end: datetime | date | None,
    now: datetime,
) -> Selection:
    """Complete and check what is asked for: whole local days that have ended."""
    today = calendar.local_day(now, site["time_zone"])
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
        start=calendar.day_start(first, site["time_zone"]),
        end=calendar.day_end(last, site["time_zone"]),
    )
    return replace(chosen, period=whole.at_most(KINDS[kind].longest))


def compute(kind: str, source: Source) -> Result:
    """Compute the figures of a kind."""
    return with_cases(KINDS[kind].compute(source), source.open_cases)
