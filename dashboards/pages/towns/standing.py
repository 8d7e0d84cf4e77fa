"""State of all sites now, cached for all readers for some seconds."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Final

import polars as pl
from fastapi import Request

from analytics.reports.town import read_air_now
from api.database import MAX_WAIT_S, Database
from dashboards.render import database_of
from verkehrspuls.errors import DatabaseUnavailable, Unavailable
from verkehrspuls.storage.case_lists import CURRENT, count_cases, list_cases
from verkehrspuls.storage.corridors import list_corridors
from verkehrspuls.storage.environment import list_latest_values
from verkehrspuls.storage.operation import count_changes
from verkehrspuls.storage.sites import list_municipalities, list_sites
from verkehrspuls.storage.volumes import read_latest

#: maximum age of the towns' pages in seconds
MAX_AGE_S: Final = 10
#: maximum age while another request reads them again
MAX_STALE_S: Final = 30
_reading: Final = threading.Lock()


def known_towns(request: Request) -> Sequence[Mapping[str, Any]]:
    """Return all towns, for pages without data; empty if they cannot be read."""
    held: tuple[datetime, Mapping[str, Any]] | None
    if held := getattr(request.app.state, "standing", None):
        found: Sequence[Mapping[str, Any]] = held[1]["municipalities"]
        return found
    try:
        with database_of(request).connection() as connection:
            return list_municipalities(connection)
    except Unavailable:
        return ()


def standing(request: Request, database: Database, at: datetime) -> dict[str, Any]:
    """Return the state of all sites, read again every few seconds.

    One request reads: the others get the cached state meanwhile, or wait for it.
    """
    state = request.app.state

    def held(seconds: int) -> dict[str, Any] | None:
        found: tuple[datetime, dict[str, Any]] | None = getattr(state, "standing", None)
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
                found: dict[str, Any] = {
                    "municipalities": list_municipalities(connection),
                    "sites": list_sites(connection),
                    "corridors": list_corridors(connection),
                    "cases": list_cases(connection, standing=CURRENT, now=at),
                    "counts": count_cases(connection, now=at),
                    "values": list_latest_values(connection, now=at),
                }
            found["newest"], found["air"] = newest.result()
            # for thousands of sites: written only once
            found["made_of"] = repr(
                (
                    changes,
                    [
                        (
                            s["last_received_at"],
                            s["last_messages"],
                            s["newest_reading_at"],
                        )
                        for s in found["sites"]
                    ],
                )
            )
        state.standing = (at, found)
        return found
    finally:
        _reading.release()


def _newest(database: Database, at: datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read the newest hours of what is counted, and the indices of the air."""
    with database.frames() as url:
        return read_latest(url, now=at), read_air_now(url, now=at)
