"""How all sites stand now, read once for everybody who asks within some seconds."""

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

#: how long the towns' pages may be old, in seconds
OVERVIEW_S: Final = 10
#: and while another request reads them anew
STALE_S: Final = 30
_reading: Final = threading.Lock()


def known_towns(request: Request) -> Sequence[Mapping[str, Any]]:
    """All towns, for pages that show no data; none where they cannot be read."""
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
    """How all sites stand, read anew every few seconds.

    By one request at a time: the others get what is held meanwhile, or wait for it.
    """
    state = request.app.state

    def held(seconds: int) -> dict[str, Any] | None:
        found: tuple[datetime, dict[str, Any]] | None = getattr(state, "standing", None)
        if found and abs((at - found[0]).total_seconds()) < seconds:
            return found[1]
        return None

    patience = STALE_S if _reading.locked() else OVERVIEW_S
    if (known := held(patience)) is not None:
        return known
    if not _reading.acquire(timeout=MAX_WAIT_S):
        raise DatabaseUnavailable(reason="another request waits for it")
    try:
        if (known := held(OVERVIEW_S)) is not None:
            return known
        with database.connection() as connection:
            # before all that it tells of
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
            # of thousands of sites: written out once
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
