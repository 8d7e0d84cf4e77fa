"""The report of towns: how their sites stand now, and what is open there."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from analytics.environment import indices
from analytics.reports.site_now import SiteNow, sites_now
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
from verkehrspuls.storage.environment import list_latest_values, read_latest_air
from verkehrspuls.storage.operation import count_changes
from verkehrspuls.storage.reader import Reader
from verkehrspuls.storage.sites import Municipality, list_municipalities, list_sites
from verkehrspuls.storage.volumes import read_latest

#: the index that overviews show
INDEX: Final = indices.INDICES[indices.SHOWN]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Municipalities, how their sites stand now, and their open cases."""

    municipalities: Sequence[Municipality]
    sites: Sequence[SiteNow]
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

    def of(self, municipality: str) -> "Report":
        """Return the part of one municipality."""
        return Report(
            municipalities=[m for m in self.municipalities if m.key == municipality],
            sites=[s for s in self.sites if s.site.municipality == municipality],
            corridors=[c for c in self.corridors if c.municipality == municipality],
            cases=[c for c in self.cases if c.municipality == municipality],
            counts={
                where: counts
                for where, counts in self.counts.items()
                if where[0] == municipality
            },
            version=self.version,
        )


def report_towns(reader: Reader, *, now: datetime) -> Report:
    """Report how all sites stand now."""
    with reader.connection() as connection:
        # before everything that depends on it
        changes = count_changes(connection)
    with ThreadPoolExecutor(1, "newest-hours") as beside:
        newest = beside.submit(_newest, reader, now)
        with reader.connection() as connection:
            municipalities = list_municipalities(connection)
            sites = list_sites(connection)
            corridors = list_corridors(connection)
            cases = list_cases(connection, standing=CURRENT, now=now)
            counts = count_cases(connection, now=now)
            values = list_latest_values(connection, now=now)
        hours, air = newest.result()
    heard = [
        (site.last_received_at, site.last_messages, site.newest_reading_at)
        for site in sites
    ]
    return Report(
        municipalities=municipalities,
        sites=sites_now(sites, hours, values, air, now=now),
        corridors=corridors,
        cases=cases,
        counts=counts,
        version=repr((changes, heard)),
    )


def _newest(reader: Reader, now: datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read the newest hours of what is counted, and INDEX_SITES."""
    with reader.frames() as source:
        air = read_latest_air(source, list(INDEX.ends), now=now)
        return read_latest(source, now=now), indices.index_of_sites(air, INDEX)
