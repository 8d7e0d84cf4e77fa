"""The report of local days as they were known at an earlier time."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from analytics import frames
from analytics.quality.passport import Passport, of_days
from analytics.quality.validity import Rules
from analytics.reports.extracts import ALL, channels_of, quantity_of
from analytics.reports.periods import period
from analytics.reports.sources import touching_days
from analytics.studies.as_known import METHOD, days_as_known
from analytics.volumes.calibration import calibrated
from analytics.volumes.long_intervals import MAX_INTERVAL_S
from verkehrspuls.calendar import day_end, day_start
from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage.reader import Reader
from verkehrspuls.storage.sensors import read_installed
from verkehrspuls.storage.sites import Site, read_site
from verkehrspuls.storage.volumes import read_calibrations, read_counts_known_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Local days from the readings in the versions that were known."""

    site: Site
    quantity: str
    #: DAYS of each direction and the cross-section
    days: pl.DataFrame
    #: of the days of the cross-section
    passport: Passport


def report_as_known(
    reader: Reader,
    municipality: str,
    site: str,
    *,
    known_at: datetime,
    quantity: str | None,
    start: datetime | date | None,
    end: datetime | date | None,
    now: datetime,
    rules: Rules,
) -> Report:
    """Compute the local days that a period touches, as known at an earlier time.

    The default are the last 30 days, the maximum is 93.
    """
    with reader.connection() as connection:
        found = read_site(connection, municipality, site)
    counted = quantity_of(found, asked=quantity, among=COUNTED)
    zone = found.time_zone
    asked = period(zone, start, end, now=now, days=30).at_most(93)
    targets = pl.DataFrame(
        {"day": pl.date_range(asked.first, asked.last, eager=True)}
    ).select(pl.lit(found.site_id, pl.Int32).alias("site_id"), "day")
    with reader.frames() as source:
        readings = read_counts_known_at(
            source,
            site_id=found.site_id,
            quantity=counted,
            # with readings that reach into the days, such as whole-day ones
            start=day_start(asked.first, zone) - timedelta(seconds=MAX_INTERVAL_S),
            end=day_end(asked.last, zone) + timedelta(hours=1),
            known_at=known_at,
        )
        installed = read_installed(source, site_id=found.site_id)
        factors = read_calibrations(source, sites=[found.site_id])
    with reader.connection() as connection:
        touching = touching_days(
            connection, [found], counted, (asked.first, asked.last)
        )
    days = days_as_known(
        calibrated(
            frames.with_details(readings, frames.COUNT_READINGS),
            frames.check(factors, frames.CALIBRATIONS),
        ),
        targets,
        channels=channels_of(found, counted).select(*frames.CHANNELS),
        installed=frames.check(installed, frames.INSTALLATIONS),
        rules=rules,
    ).sort("day", "direction")
    cross_section = days.filter(pl.col("direction") == ALL)
    passport = of_days(
        cross_section,
        method=", ".join(sorted(cross_section["method"].unique())) or METHOD,
        days_expected=targets.height,
        **touching,
    )
    return Report(site=found, quantity=counted, days=days, passport=passport)
