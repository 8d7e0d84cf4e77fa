"""The report of towns: how their sites stand now, and what is open there."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import msgspec
import polars as pl

from analytics.environment import indices
from analytics.environment.indices import INDEX_SITES
from analytics.reports.site_now import Newest, SiteNow, newest_of_sites, site_now
from verkehrspuls.cases import Case
from verkehrspuls.storage.case_lists import (
    CURRENT,
    Counts,
    Where,
    count_cases,
    list_cases,
    sum_towns,
)
from verkehrspuls.storage.corridors import Corridor, list_corridors
from verkehrspuls.storage.environment import (
    LatestValue,
    list_latest_values,
    read_latest_air,
)
from verkehrspuls.storage.operation import count_changes
from verkehrspuls.storage.reader import Reader
from verkehrspuls.storage.sites import (
    Municipality,
    Site,
    list_municipalities,
    list_sites,
)
from verkehrspuls.storage.volumes import read_latest

#: the index that overviews show
INDEX: Final = indices.INDICES[indices.SHOWN]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Municipalities, their sites, what is newest there, and their open cases."""

    municipalities: Sequence[Municipality]
    registered: Sequence[Site]
    newest: Newest
    #: when it was read
    at: datetime
    corridors: Sequence[Corridor]
    #: current cases
    cases: Sequence[Case]
    #: of all open ones
    counts: Mapping[Where, Counts]
    #: what it was made of: equal where nothing changed
    version: str

    @property
    def open_cases(self) -> Counts:
        """Return how many cases are open in all of its municipalities."""
        return sum_towns(self.counts)

    def sites(self) -> list[SiteNow]:
        """Return how its sites stand now."""
        return [site_now(site, self.newest, now=self.at) for site in self.registered]

    def of(self, municipality: str) -> "Report":
        """Return the part of one municipality."""
        return replace(
            self,
            municipalities=[m for m in self.municipalities if m.key == municipality],
            registered=[s for s in self.registered if s.municipality == municipality],
            corridors=[c for c in self.corridors if c.municipality == municipality],
            cases=[c for c in self.cases if c.municipality == municipality],
            counts={
                where: counts
                for where, counts in self.counts.items()
                if where[0] == municipality
            },
        )


def report_towns(reader: Reader, *, now: datetime) -> Report:
    """Report how all sites stand now."""
    with reader.connection() as connection:
        # before everything that depends on it
        changes = count_changes(connection)
    with ThreadPoolExecutor(1, "newest-hours") as beside:
        hours = beside.submit(_newest_hours, reader, now)
        with reader.connection() as connection:
            municipalities = list_municipalities(connection)
            sites = list_sites(connection)
            corridors = list_corridors(connection)
            cases = list_cases(connection, standing=CURRENT, now=now)
            counts = count_cases(connection, now=now)
            values = list_latest_values(connection, now=now)
        air = _air(reader, values, now)
        newest = newest_of_sites(hours.result(), values, air)
    heard = [
        (site.last_received_at, site.last_messages, site.newest_reading_at)
        for site in sites
    ]
    return Report(
        municipalities=municipalities,
        registered=sites,
        newest=newest,
        at=now,
        corridors=corridors,
        cases=cases,
        counts=counts,
        version=msgspec.json.encode((changes, heard)).decode(),
    )


def _newest_hours(reader: Reader, now: datetime) -> pl.DataFrame:
    with reader.frames() as source:
        return read_latest(source, now=now)


def _air(reader: Reader, values: Iterable[LatestValue], now: datetime) -> pl.DataFrame:
    """Read INDEX_SITES, where a station measures something that INDEX judges."""
    if not any(value.quantity in INDEX.ends for value in values):
        return pl.DataFrame(schema=INDEX_SITES)
    with reader.frames() as source:
        air = read_latest_air(source, list(INDEX.ends), now=now)
    return indices.index_of_sites(air, INDEX)
