"""The reports of studies: before and after, comparisons, rankings.

Days are read once, and once more without what is suspected to be of a sensor's fault
where anything is. Whoever shows a report arranges it, and computes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

import polars as pl

from analytics.quality import suspected
from analytics.quality.passport import Passport, Touching, of_days
from analytics.reports.extracts import quantity_of
from analytics.reports.sources import (
    counting,
    read_days_of_sites,
    school_holidays,
    sites_of,
    suspected_of,
    touching_days,
    touching_days_of_sites,
)
from analytics.studies.before_after import BeforeAfter, before_after
from analytics.studies.change import Change
from analytics.studies.comparison import (
    METHOD,
    compare_periods,
    compare_sites,
    rank,
)
from analytics.studies.pairs import YEAR
from verkehrspuls.calendar import day_end, day_start
from verkehrspuls.errors import BadParameter
from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage.reader import Reader
from verkehrspuls.storage.sites import Site, read_site

MAX_PERIOD_DAYS: Final = 2 * 366
#: maximum sites of a municipality in one ranking
MAX_SITES: Final = 500


@dataclass(frozen=True, slots=True)
class Effect:
    """What a measure changed at a site."""

    site: Site
    quantity: str
    found: BeforeAfter
    #: where the figures come from, and what touches them
    passport: Passport
    #: the effect without what is suspected, where anything is
    without_suspected: Change | None


@dataclass(frozen=True, slots=True)
class Compared:
    """How a period compares with an earlier one, or a site with another one."""

    site: Site
    quantity: str
    change: Change
    without_suspected: Change | None
    passport: Passport


@dataclass(frozen=True, slots=True)
class Ranked:
    """A site in a ranking."""

    #: a row of RANKS
    row: Mapping[str, Any]
    change_without_suspected: float | None
    passport: Passport


@dataclass(frozen=True, slots=True)
class Ranking:
    """The sites of a municipality by what changed."""

    municipality: Site
    quantity: str
    #: sites that count the quantity, and those of them that are considered
    counting: int
    considered: int
    sites: Sequence[Ranked]


def report_before_after(
    reader: Reader,
    municipality: str,
    site: str,
    *,
    measure: date,
    weeks: int,
    controls: Sequence[str],
    quantity: str | None,
) -> Effect:
    """Report what a measure changed, beside sites that it left alone."""
    span = timedelta(weeks=weeks)
    first, last = measure - span, measure + span - timedelta(days=1)
    if site in controls:
        raise BadParameter(parameter="controls", detail="A site cannot control itself")
    sites = _sites(reader, municipality, (site, *controls))
    counted = quantity_of(*sites, asked=quantity, among=COUNTED)
    suspects = _suspected(reader, sites, counted, (first, last))

    def estimate(trusted: bool) -> BeforeAfter:
        without = suspects if trusted else None
        own, *controlled = _days(reader, sites, counted, first, last, without=without)
        return before_after(
            own,
            dict(zip(controls, controlled, strict=True)),
            before=(first, measure - timedelta(days=1)),
            after=(measure, last),
        )

    found, trusted = suspected.both(estimate, suspects)
    return Effect(
        sites[0],
        counted,
        found,
        replace(
            found.passport,
            **_touching(reader, sites, counted, (first, last)),
            suspected=_share(suspects, sites, counted, (first, last)),
        ),
        trusted.effect if trusted else None,
    )


def report_comparison(
    reader: Reader,
    municipality: str,
    site: str,
    *,
    days: tuple[date, date],
    earlier: tuple[date | None, date | None],
    with_site: str | None,
    quantity: str | None,
) -> Compared:
    """Report how days compare with earlier ones, or with those of another site.

    Without either the earlier days are those of 52 weeks before.
    """
    first, last = days
    if with_site is not None:
        sites = _sites(reader, municipality, (with_site, site))
        spans = [days]
    else:
        before = (
            earlier[0] or _year_before(first),
            earlier[1] or _year_before(last),
        )
        sites = _sites(reader, municipality, (site,))
        spans = [before, days]
    counted = quantity_of(*sites, asked=quantity, among=COUNTED)
    suspects = _suspected(reader, sites, counted, *spans)

    def change(pair: Sequence[pl.DataFrame]) -> Change:
        if with_site is not None:
            return compare_sites(*pair)
        both = pl.concat(pair).unique("day", maintain_order=True)
        return compare_periods(both, before=spans[0], after=spans[1])

    def read(without: pl.DataFrame | None = None) -> list[pl.DataFrame]:
        return [
            found
            for span in spans
            for found in _days(reader, sites, counted, *span, without=without)
        ]

    pair = read()
    return Compared(
        sites[0],
        counted,
        change(pair),
        None if suspects.is_empty() else change(read(suspects)),
        _passport(
            pl.concat(pair),
            _touching(reader, sites, counted, *spans),
            _share(suspects, sites, counted, *spans),
        ),
    )


def report_ranking(
    reader: Reader,
    municipality: str,
    *,
    middle: date,
    weeks: int,
    quantity: str | None,
    skip: int,
) -> Ranking:
    """Report the sites of a municipality by what changed from one day on."""
    span = timedelta(weeks=weeks)
    first, last = middle - span, middle + span - timedelta(days=1)
    with reader.connection() as connection:
        every = sites_of(connection, municipality)
    counted = quantity or next(
        (key for key in COUNTED if counting(every, key)), "motor"
    )
    able = counting(every, counted)
    sites = able[skip : skip + MAX_SITES]
    by_key = {site.key: site for site in sites}
    suspects = _suspected(reader, sites, counted, (first, last))

    def read(without: pl.DataFrame | None = None) -> dict[str, pl.DataFrame]:
        found = _days(reader, sites, counted, first, last, without=without)
        return dict(zip(by_key, found, strict=True))

    def ranked(days: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        return rank(
            days,
            comparisons=len(able),
            before=(first, middle - timedelta(days=1)),
            after=(middle, last),
        )

    days = read()
    with reader.connection() as connection:
        touched_by = touching_days_of_sites(connection, sites, counted, (first, last))
    touched = set(suspects["site_id"])
    without: dict[str, Any] = {}
    if touched:
        trusted = ranked(read(suspects))
        without = dict(trusted.select("site", "change").iter_rows())

    def one(row: Mapping[str, Any]) -> Ranked:
        site = by_key[row["site"]]
        return Ranked(
            row,
            without.get(row["site"]) if site.site_id in touched else None,
            _passport(
                days[row["site"]],
                touched_by[site.site_id],
                _share(suspects, [site], counted, (first, last)),
            ),
        )

    return Ranking(
        every[0],
        counted,
        len(able),
        len(sites),
        [one(row) for row in ranked(days).iter_rows(named=True)],
    )


def _year_before(day: date) -> date:
    if day - date.min < YEAR:
        raise BadParameter(parameter="first", detail="There is no year before")
    return day - YEAR


def _days(
    reader: Reader,
    sites: Sequence[Site],
    quantity: str,
    first: date,
    last: date,
    *,
    without: pl.DataFrame | None = None,
) -> list[pl.DataFrame]:
    """Read FLOW_DAYS of the cross-section of sites, `without` SUSPECTED spans."""
    if first > last:
        raise BadParameter(parameter="first", detail="`first` must not be after `last`")
    if (last - first).days > MAX_PERIOD_DAYS:
        raise BadParameter(
            parameter="first", detail=f"At most {MAX_PERIOD_DAYS} days are compared"
        )
    with reader.connection() as connection:
        holidays = school_holidays(connection)
    with reader.frames() as source:
        return read_days_of_sites(
            source,
            sites,
            quantity,
            first,
            last,
            school_holidays=holidays,
            without=without,
        )


def _sites(reader: Reader, municipality: str, keys: Sequence[str]) -> list[Site]:
    with reader.connection() as connection:
        return [read_site(connection, municipality, key) for key in keys]


def _touching(
    reader: Reader,
    sites: Sequence[Site],
    quantity: str,
    *spans: tuple[date, date],
) -> Touching:
    """Find cases that touch days of sites, in one of the periods."""
    with reader.connection() as connection:
        return touching_days(connection, sites, quantity, *spans)


def _suspected(
    reader: Reader,
    sites: Sequence[Site],
    quantity: str,
    *spans: tuple[date, date],
) -> pl.DataFrame:
    """Read suspected sensor faults in one of the periods."""
    with reader.connection() as connection:
        found = [suspected_of(connection, sites, quantity, *span) for span in spans]
    return pl.concat(found).unique(maintain_order=True)


def _share(
    suspects: pl.DataFrame,
    sites: Sequence[Site],
    quantity: str,
    *spans: tuple[date, date],
) -> float:
    """Return the suspected share of the sites' periods of any length."""
    if suspects.is_empty():
        return 0.0
    zone = sites[0].time_zone
    bounds = [(day_start(first, zone), day_end(last, zone)) for first, last in spans]
    channels = sum(
        channel.quantity == quantity for site in sites for channel in site.channels
    )
    of_sites = suspects.filter(
        pl.col("site_id").is_in([site.site_id for site in sites])
    )
    whole = sum(((end - start) for start, end in bounds), timedelta())
    return sum(
        suspected.share(of_sites, start=start, end=end, channels=channels)
        * ((end - start) / whole)
        for start, end in bounds
    )


def _passport(days: pl.DataFrame, touched: Touching, suspected: float) -> Passport:
    found = of_days(
        days,
        method=METHOD,
        days_expected=days.height,
        days_used=days.filter("valid").height,
        **touched,
    )
    return replace(found, suspected=suspected)
