"""Reading channel health, for pages, API and commands."""

from dataclasses import dataclass
from datetime import date, datetime

from verkehrspuls.storage.database import Connection, read_records


@dataclass(frozen=True, slots=True)
class HealthDay:
    """Which test of health a channel failed first on a local day, or `good`."""

    day: date
    municipality: str
    site: str
    channel: str
    quantity: str
    direction: str
    verdict: str
    #: what the test measured, and where it fails
    value: float | None
    threshold: float | None
    #: of the network at which the fault lies
    level: str | None
    #: false while the day runs
    complete: bool
    method: str
    judged_at: datetime


def days(
    connection: Connection,
    *,
    first: date,
    last: date,
    municipality: str | None = None,
    site: str | None = None,
    bad_only: bool = False,
) -> list[HealthDay]:
    """List what was found of channels on local days, `last` included, by day."""
    return read_records(
        connection,
        HealthDay,
        "list_health",
        first=first,
        last=last,
        municipality=municipality,
        site=site,
        bad_only=bad_only,
    )
