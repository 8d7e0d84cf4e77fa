"""State of all sites now, cached for all readers for some seconds."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl
from fastapi import Request

from analytics.reports.town import read_air_now
from api.database import MAX_WAIT_S, Database
from dashboards.render import database_of
from verkehrspuls.errors import DatabaseUnavailable, Unavailable
from verkehrspuls.storage.case_lists import (
    CURRENT,
    Counts,
    Where,
    count_cases,
    list_cases,
)
from verkehrspuls.storage.corridors import list_corridors
from verkehrspuls.storage.database import Row
from verkehrspuls.storage.environment import LatestValue, list_latest_values
from verkehrspuls.storage.operation import count_changes
from verkehrspuls.storage.sites import (
    Municipality,
    Site,
    list_municipalities,
    list_sites,
)
from verkehrspuls.storage.volumes import read_latest

#: maximum age of the towns' pages in seconds
MAX_AGE_S: Final = 10
#: maximum age while another request reads them again
MAX_STALE_S: Final = 30
_reading: Final = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The state of all sites at a time."""

    municipalities: Sequence[Municipality]
    sites: Sequence[Site]
    corridors: Sequence[Row]
    #: current ones
    cases: Sequence[Row]
    counts: Mapping[Where, Counts]
    values: Sequence[LatestValue]
    #: newest hours of what is counted
    newest: pl.DataFrame
    #: indices of the air
    air: pl.DataFrame
    #: changes with anything that a page of it shows
    made_of: str


def known_towns(request: Request) -> Sequence[Municipality]:
    """Return all towns, for pages without data; empty if they cannot be read."""
    held: tuple[datetime, Standing] | None = getattr(
        request.app.state, "standing", None
    )
    if held:
        return held[1].municipalities
    try:
        with database_of(request).connection() as connection:
            return list_municipalities(connection)
    except Unavailable:
        return ()


def standing(request: Request, database: Database, at: datetime) -> Standing:
    """Return the state of all sites, read again every few seconds.

    One request reads: the others get the cached state meanwhile, or wait for it.
    """
    state = request.app.state

    def held(seconds: int) -> Standing | None:
        found: tuple[datetime, Standing] | None = getattr(state, "standing", None)
        if found and abs((at - found[0]).total_seconds()) < seconds:
            return found[1]
        return None

    patience = MAX_STALE_S if _reading.locked() else MAX_AGE_S
    if (known := held(patience)) is not None:
        return known
    if not _reading.acquire(timeout=MAX_WAIT_S):
        raise DatabaseUnavailable(reason="another request waits for it")
    try:
        if (known := held(MAX_AGE_S)) is not None:
            return known
        with database.connection() as connection:
            # before everything that depends on it
            changes = count_changes(connection)
        with ThreadPoolExecutor(1, "newest-hours") as beside:
            newest = beside.submit(_newest, database, at)
            with database.connection() as connection:
                municipalities = list_municipalities(connection)
                sites = list_sites(connection)
                corridors = list_corridors(connection)
                cases = list_cases(connection, standing=CURRENT, now=at)
                counts = count_cases(connection, now=at)
                values = list_latest_values(connection, now=at)
            hours, air = newest.result()
        found = Standing(
            municipalities=municipalities,
            sites=sites,
            corridors=corridors,
            cases=cases,
            counts=counts,
            values=values,
            newest=hours,
            air=air,
            # for thousands of sites: written only once
            made_of=repr(
                (
                    changes,
                    [
                        (s.last_received_at, s.last_messages, s.newest_reading_at)
                        for s in sites
                    ],
                )
            ),
        )
        state.standing = (at, found)
        return found
    finally:
        _reading.release()


def _newest(database: Database, at: datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read the newest hours of what is counted, and the indices of the air."""
    with database.frames() as url:
        return read_latest(url, now=at), read_air_now(url, now=at)
