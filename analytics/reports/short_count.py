"""The report of a short count: the mean day of a year, by the town's counters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

import polars as pl

from analytics import frames
from analytics.quality import suspected
from analytics.quality.passport import Passport, Touching, of_days
from analytics.quality.validity import Rules
from analytics.reports.extracts import ALL, channels_of
from analytics.reports.sources import (
    HOUR_S,
    counting,
    read_days_of_sites,
    school_holidays,
    sites_of,
    suspected_of,
    touching_days,
)
from analytics.studies.short_count import HOURS, METHOD, ShortCount, expand
from verkehrspuls.calendar import day_end, day_start, local_day
from verkehrspuls.storage.days import count_valid_days
from verkehrspuls.storage.reader import Reader
from verkehrspuls.storage.sites import Site
from verkehrspuls.storage.volumes import read_volumes

#: maximum permanent counters used for a short count
MAX_REFERENCES: Final = 20
_YEAR: Final = timedelta(days=364)


@dataclass(frozen=True, slots=True)
class Expanded:
    """A short count expanded to a mean day."""

    found: ShortCount
    #: of the days of the permanent counters
    passport: Passport


@dataclass(frozen=True, slots=True)
class Report:
    """A short count expanded to a mean day, by counters of a municipality."""

    municipality: Site
    method: str
    expanded: Expanded
    #: the same without what is suspected, where anything is
    without_suspected: Expanded | None


@dataclass(frozen=True, slots=True)
class _Counter:
    """A permanent counter over a year."""

    #: FLOW_DAYS
    days: pl.DataFrame
    #: its valid hours (HOURS)
    hours: pl.DataFrame

    @property
    def valid(self) -> pl.DataFrame:
        """Return the valid days."""
        return self.days.filter("valid")


def report_short_count(
    reader: Reader,
    municipality: str,
    hours: Mapping[datetime, float],
    *,
    quantity: str,
    rules: Rules,
) -> Report:
    """Expand the volumes of whole hours by the municipality's permanent counters.

    The counters' means are of the 365 days up to the last counted one.
    """
    required = rules.days_required(365)
    with reader.connection() as connection:
        sites = sites_of(connection, municipality)
        zone = sites[0].time_zone
        last = local_day(max(hours), zone)
        first = last - _YEAR
        able = counting(sites, quantity)
        valid_days = count_valid_days(
            connection,
            site_ids=[site.site_id for site in able],
            quantity=quantity,
            first=first,
            last=last,
        )
        used = [site for site in able if valid_days.get(site.site_id, 0) >= required][
            :MAX_REFERENCES
        ]
        holidays = school_holidays(connection)
        touching = touching_days(connection, used, quantity, (first, last))
        suspects = suspected_of(connection, used, quantity, first, last)
    counted = _local(
        pl.DataFrame(
            list(hours.items()),
            schema={"time": frames.TIME, "volume": pl.Float64},
            orient="row",
        ),
        zone,
    )

    def read(
        chosen: Sequence[Site], without: pl.DataFrame | None = None
    ) -> dict[str, _Counter]:
        with reader.frames() as source:
            days = read_days_of_sites(
                source,
                chosen,
                quantity,
                first,
                last,
                school_holidays=holidays,
                without=without,
                rules=rules,
            )
        trusted = without is not None
        return {
            site.key: _Counter(
                of_site, _hours(reader, site, quantity, first, last, trusted=trusted)
            )
            for site, of_site in zip(chosen, days, strict=True)
        }

    every = read(used)

    def expanded(trusted: bool) -> Expanded:
        known = every
        if trusted:
            touched = set(suspects["site_id"])
            again = [site for site in used if site.site_id in touched]
            known = known | read(again, suspects)
        return _expanded(counted, known, required=required, touching=touching)

    found, without = suspected.both(expanded, suspects)
    share = suspected.share(
        suspects,
        start=day_start(first, zone),
        end=day_end(last, zone),
        channels=sum(len(channels_of(site, quantity)) for site in used),
    )
    passport = replace(found.passport, suspected=share)
    return Report(sites[0], METHOD, replace(found, passport=passport), without)


def _expanded(
    counted: pl.DataFrame,
    known: Mapping[str, _Counter],
    *,
    required: int,
    touching: Touching,
) -> Expanded:
    """Expand by the counters that have enough valid days."""
    enough = {
        key: counter
        for key, counter in known.items()
        if counter.valid.height >= required
    }
    days = pl.concat(
        [frames.empty(frames.FLOW_DAYS), *(counter.days for counter in enough.values())]
    )
    return Expanded(
        expand(
            counted,
            {key: counter.hours for key, counter in enough.items()},
            {
                key: frames.mean(counter.valid["volume"])
                for key, counter in enough.items()
            },
        ),
        of_days(
            days,
            method=METHOD,
            days_expected=days.height,
            days_used=days.filter("valid").height,
            **touching,
        ),
    )


def _hours(
    reader: Reader,
    site: Site,
    quantity: str,
    first: date,
    last: date,
    *,
    trusted: bool,
) -> pl.DataFrame:
    """Read the valid HOURS of the cross-section of a site on days."""
    zone = site.time_zone
    with reader.frames() as source:
        read = read_volumes(
            source,
            site_id=site.site_id,
            quantity=quantity,
            start=day_start(first, zone),
            end=day_end(last, zone),
            interval_s=HOUR_S,
            direction=ALL,
            trusted=trusted,
        )
    volume = pl.col("volume_normalised").cast(pl.Float64)
    return _local(read.filter("valid").with_columns(volume=volume), zone)


def _local(hours: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Add the local day and hour."""
    local = pl.col("time").dt.convert_time_zone(zone)
    return frames.check(
        hours.with_columns(day=local.dt.date(), hour=local.dt.hour()), HOURS
    )
