"""The report of all towns, cached for some seconds for all who see the same."""

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from fastapi import Request

from analytics.reports.town import Report, report_towns
from api.database import MAX_WAIT_S, Seen
from dashboards.render import database_of
from verkehrspuls.access.viewer import ANONYMOUS
from verkehrspuls.errors import DatabaseUnavailable, Unavailable
from verkehrspuls.storage.database import one
from verkehrspuls.storage.sites import Municipality, list_municipalities

#: maximum age of the towns' pages in seconds
MAX_AGE_S: Final = 10
#: maximum age while another request reads them again
MAX_STALE_S: Final = 30
#: reports kept: each for who belongs to the same audiences
MAX_KEPT: Final = 16
_reading: Final = threading.Lock()

Audiences = tuple[int, ...]
#: what nobody in particular belongs to
_PUBLIC: Final[Audiences] = (0,)


class Standing:
    """Reports of all towns, each with the time when it was read."""

    def __init__(self) -> None:
        self._reports: dict[Audiences, tuple[datetime, Report]] = {}

    def held(self, audiences: Audiences, at: datetime, seconds: int) -> Report | None:
        """Return the report for some audiences that is not older."""
        read_at, report = self._reports.get(audiences, (None, None))
        if read_at and abs((at - read_at).total_seconds()) < seconds:
            return report
        return None

    @property
    def public(self) -> Report | None:
        """The report for everybody, of whatever age."""
        return self._reports[_PUBLIC][1] if _PUBLIC in self._reports else None

    def keep(self, audiences: Audiences, at: datetime, report: Report) -> None:
        """Keep a report; the one that was read first goes."""
        self._reports.pop(audiences, None)
        self._reports[audiences] = (at, report)
        while len(self._reports) > MAX_KEPT:
            del self._reports[next(iter(self._reports))]

    def clear(self) -> None:
        """Clear the cache."""
        self._reports.clear()


def known_towns(request: Request) -> Sequence[Municipality]:
    """Return all towns, for pages without data; empty if they cannot be read."""
    if report := request.app.state.standing.public:
        municipalities: Sequence[Municipality] = report.municipalities
        return municipalities
    try:
        with database_of(request).connection() as connection:
            return list_municipalities(connection)
    except Unavailable:
        return ()


def standing(request: Request, at: datetime) -> Report:
    """Return the report of all towns, read again every few seconds.

    One request reads: the others get the cached report meanwhile, or wait for it.
    """
    known: Standing = request.app.state.standing
    seen = database_of(request)
    audiences = _audiences(seen)
    patience = MAX_STALE_S if _reading.locked() else MAX_AGE_S
    if (report := known.held(audiences, at, patience)) is not None:
        return report
    if not _reading.acquire(timeout=MAX_WAIT_S):
        raise DatabaseUnavailable(reason="another request waits for it")
    try:
        if (report := known.held(audiences, at, MAX_AGE_S)) is not None:
            return report
        found = report_towns(seen, now=at)
        known.keep(audiences, at, found)
        return found
    finally:
        _reading.release()


def _audiences(seen: Seen) -> Audiences:
    if seen.viewer == ANONYMOUS:
        return _PUBLIC
    with seen.connection() as connection:
        return tuple(sorted(one(connection, "audiences")["audiences"]))
