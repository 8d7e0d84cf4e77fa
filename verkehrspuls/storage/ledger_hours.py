"""The ledger per sensor and hour of reception."""

from datetime import datetime

from verkehrspuls.storage.database import Connection, read_records
from verkehrspuls.storage.ledger import OfSensor


class OfHour(OfSensor, frozen=True, kw_only=True):
    """Outcomes of the messages of a sensor and an hour of reception."""

    hour: datetime


def list_ledger(
    connection: Connection,
    *,
    start: datetime,
    end: datetime,
    municipality: str | None = None,
    sensor: str | None = None,
    silent: bool = False,
    limit: int = 20_000,
) -> list[OfHour]:
    """List the ledger per sensor and hour of reception, newest first.

    `silent` includes hours in which readings were expected and none came.
    """
    return read_records(
        connection,
        OfHour,
        "list_ledger",
        start=start,
        end=end,
        municipality=municipality,
        sensor=sensor,
        silent=silent,
        limit=limit,
    )
