"""The report of all towns; what everybody sees is cached for some seconds."""

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from fastapi import Request

from analytics.reports.town import Report, report_towns
from api.database import MAX_WAIT_S
from api.viewer import viewer_of
from dashboards.render import database_of
from verkehrspuls.access.viewer import ANONYMOUS
from verkehrspuls.errors import DatabaseUnavailable, Unavailable
from verkehrspuls.storage.sites import Municipality, list_municipalities

#: maximum age of the towns' pages in seconds
MAX_AGE_S: Final = 10
#: maximum age while another request reads them again
MAX_STALE_S: Final = 30
_reading: Final = threading.Lock()


def known_towns(request: Request) -> Sequence[Municipality]:
    """Return all towns, for pages without data; empty if they cannot be read."""
    held: tuple[datetime, Report] | None = getattr(request.app.state, "standing", None)
    if held and viewer_of(request) == ANONYMOUS:
        municipalities: Sequence[Municipality] = held[1].municipalities
        return municipalities
    try:
        with database_of(request).connection() as connection:
            return list_municipalities(connection)
    except Unavailable:
        return ()


def standing(request: Request, at: datetime) -> Report:
    """Return the report of all towns, read again every few seconds.

    One request reads: the others get the cached report meanwhile, or wait for it. Who
    shows a credential has a report of their own.
    """
    if viewer_of(request) != ANONYMOUS:
        return report_towns(database_of(request), now=at)
    state = request.app.state

    def held(seconds: int) -> Report | None:
        found: tuple[datetime, Report] | None = getattr(state, "standing", None)
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
        found = report_towns(database_of(request), now=at)
        state.standing = (at, found)
        return found
    finally:
        _reading.release()
