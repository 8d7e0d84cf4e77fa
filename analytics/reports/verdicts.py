"""The report of the verdicts on channels of all sites, or some, on local days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from verkehrspuls.registry import towns
from verkehrspuls.storage import health, known
from verkehrspuls.storage.database import Connection
from verkehrspuls.storage.health import HealthDay

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Verdicts on local days, `last` included."""

    first: date
    last: date
    verdicts: Sequence[HealthDay]


def report_verdicts(
    connection: Connection,
    *,
    municipality: str | None = None,
    site: str | None = None,
    first: date | None = None,
    end: date | None = None,
    now: datetime,
    bad_only: bool = False,
) -> Report:
    """List the verdicts on local days before `end`; refuse an unknown place.

    The default is today and the day before.
    """
    towns.require_sites(connection, municipality=municipality, site=site)
    if end is None:
        today = known.today(connection, municipality, now=now)
        end = max(today, first or date.min) + _DAY
    first, last = first or end - 2 * _DAY, end - _DAY
    verdicts = health.days(
        connection,
        first=first,
        last=last,
        municipality=municipality,
        site=site,
        bad_only=bad_only,
    )
    return Report(first=first, last=last, verdicts=verdicts)
