"""What is known around the figures of a site: cases, health, faults, calendars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

import polars as pl

from analytics.reports.extracts import ALL
from analytics.reports.site.asked import Asked
from analytics.reports.sources import school_holidays, sites_of
from analytics.reports.suspected import read_suspected
from verkehrspuls.calibrations import Calibrated
from verkehrspuls.cases import Case
from verkehrspuls.storage import health
from verkehrspuls.storage.case_lists import (
    OPEN,
    Counts,
    Finding,
    count_cases,
    list_cases,
    list_findings,
    sum_towns,
)
from verkehrspuls.storage.database import Connection
from verkehrspuls.storage.doubts import list_ambiguous_hours
from verkehrspuls.storage.estimates import ForecastError, list_forecast_errors
from verkehrspuls.storage.health import HealthDay
from verkehrspuls.storage.reader import Reader
from verkehrspuls.storage.sites import Site
from verkehrspuls.storage.volumes import list_calibrations

#: Most cases of a standing beside those of the period.
MAX_CASES: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What is known around the figures of a site."""

    #: open cases that touch the period, the newest first
    cases: Sequence[Case]
    #: the other ones, by how they stand, and how many of all there are
    other_cases: Mapping[str, Sequence[Case]]
    counts: Counts
    #: what tests found of channels in the last days
    verdicts: Sequence[HealthDay]
    #: hours of the period whose readings may be of another one: of what is counted, and
    #: of all that is measured
    ambiguous_hours: tuple[datetime, ...]
    ambiguous_of_all: tuple[datetime, ...]
    #: what is suspected to be of a sensor's fault (SUSPECTED), of all that is measured
    suspected: pl.DataFrame
    #: sites of the municipality; none where nothing is counted
    neighbours: Sequence[Site] = ()
    #: what open cases found in the period
    findings: Sequence[Finding] = ()
    #: by how much forecasts were off
    forecast_errors: Sequence[ForecastError] = ()
    #: what its counts were multiplied with in the period
    calibrations: tuple[Calibrated, ...] = ()
    #: SCHOOL_HOLIDAYS
    school_holidays: pl.DataFrame = field(default_factory=pl.DataFrame)


def around(
    asked: Asked, reader: Reader, *, environment: Sequence[str], since: date
) -> Around:
    """Read what is known around the figures; verdicts are of the days from `since`."""
    site = asked.site
    of_site: dict[str, Any] = {"municipality": site.municipality, "site": site.key}
    measured = [*filter(None, (asked.quantity,)), *environment]
    places = [(site.site_id, quantity, ALL) for quantity in measured]
    with reader.connection() as connection:
        cases = list_cases(
            connection,
            **of_site,
            quantity=asked.quantity,
            **asked.period,
            now=asked.now,
        )
        counts = sum_towns(count_cases(connection, **of_site, now=asked.now))
        ambiguous = list_ambiguous_hours(connection, places, **asked.period)
        of_counted: dict[str, Any] = {}
        if asked.quantity:
            of_counted = {
                "neighbours": sites_of(connection, site.municipality),
                "findings": list_findings(connection, **asked.counted, **asked.period),
                "forecast_errors": list_forecast_errors(connection, **asked.counted)
                if asked.end > asked.now
                else (),
                "calibrations": list_calibrations(
                    connection, places[:1], **asked.period
                ),
                "school_holidays": school_holidays(connection, site.state),
            }
        return Around(
            cases=cases,
            other_cases=_other_cases(connection, asked, cases, counts),
            counts=counts,
            verdicts=health.days(connection, **of_site, first=since, last=asked.today),
            ambiguous_hours=ambiguous
            if measured == [asked.quantity]
            else list_ambiguous_hours(connection, places[:1], **asked.period)
            if asked.quantity
            else (),
            ambiguous_of_all=ambiguous,
            suspected=read_suspected(connection, [site.site_id], None, **asked.period),
            **of_counted,
        )


def _other_cases(
    connection: Connection,
    asked: Asked,
    shown: Sequence[Case],
    counts: Counts,
) -> dict[str, list[Case]]:
    """List the site's open cases that are not `shown`, the newest by standing."""
    known = {case.anomaly_case_id for case in shown}
    found = {
        standing: list_cases(
            connection,
            municipality=asked.site.municipality,
            site=asked.site.key,
            standing=(standing,),
            now=asked.now,
            limit=MAX_CASES,
        )
        if getattr(counts, standing)
        else []
        for standing in OPEN
    }
    return {
        standing: [case for case in cases if case.anomaly_case_id not in known]
        for standing, cases in found.items()
    }
