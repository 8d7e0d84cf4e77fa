"""The ledger per sensor and hour of reception."""

from collections.abc import Sequence
from datetime import datetime

from verkehrspuls.storage.database import Connection, Row, execute
from verkehrspuls.storage.visibility import PUBLIC


def list_ledger(
    connection: Connection,
    *,
    start: datetime,
    end: datetime,
    municipality: str | None = None,
    sensor: str | None = None,
    silent: bool = False,
    limit: int = 20_000,
    visible: Sequence[str] = PUBLIC,
) -> list[Row]:
    """List the ledger per sensor and hour of reception, newest first.

    With `silent` hours too in which readings were expected and nothing came.

    Messages of no known sensor have no municipality and no sensor.
    """
    return execute(
        connection,
        "list_ledger",
        start=start,
        end=end,
        municipality=municipality,
        sensor=sensor,
        silent=silent,
        limit=limit,
        visible=list(visible),
    ).fetchall()
