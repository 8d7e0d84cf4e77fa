"""What a site counts compared with another period, or with another site."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from analytics.reports.extracts import ALL
from analytics.reports.site.counted import Counted
from analytics.reports.sources import read_days, suspected_of
from analytics.studies.change import Change
from analytics.studies.comparison import compare_periods, compare_sites
from verkehrspuls.storage.days import read_daily_figures
from verkehrspuls.storage.reader import Reader
from verkehrspuls.storage.sites import read_site


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A change of what was counted; without what is suspected, where any is."""

    found: Change
    trusted: Change | None = None


def compared(
    counted: Counted,
    before: tuple[date, date],
    reader: Reader,
    *,
    other: str = "",
    school_holidays: pl.DataFrame,
) -> Compared:
    """Compare the days that have ended with those `before`, or of another site.

    `other` is the key of a site of the same municipality; `before` are then the days
    of both. Only the days to compare with are read.
    """
    site = counted.site
    with reader.connection() as connection:
        if other:
            site = read_site(connection, counted.site.municipality, other)
        suspects = suspected_of(connection, [site], counted.quantity, *before)
    first, last = before
    with reader.frames() as source:
        stored = read_daily_figures(
            source,
            site_id=site.site_id,
            quantity=counted.quantity,
            first=first,
            last=last,
            direction=ALL,
        )

    def days(without: pl.DataFrame | None) -> pl.DataFrame:
        with reader.frames() as source:
            return read_days(
                source,
                site,
                counted.quantity,
                first,
                last,
                school_holidays=school_holidays,
                without=without,
                found=stored,
            )

    def change(reference: pl.DataFrame, after: pl.DataFrame) -> Change:
        if other:
            return compare_sites(reference, after)
        both = pl.concat([reference, after]).unique("day").sort("day")
        return compare_periods(
            both, before=before, after=(counted.first, counted.ended)
        )

    reference, after = days(None), counted.flow_days
    trusted = reference if suspects.is_empty() else days(suspects)
    without = counted.trusted.flow_days if counted.trusted else after
    # today may be suspected, which is not compared
    alike = trusted is reference and without.equals(after)
    return Compared(
        found=change(reference, after),
        trusted=None if alike else change(trusted, without),
    )
