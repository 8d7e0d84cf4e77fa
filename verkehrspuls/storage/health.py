"""Reading detector health, for pages, API and commands."""

from collections.abc import Sequence
from datetime import date

from verkehrspuls.storage.database import Connection, Row, execute
from verkehrspuls.storage.visibility import PUBLIC


def days(
    connection: Connection,
    *,
    first: date,
    last: date,
    municipality: str | None = None,
    site: str | None = None,
    bad_only: bool = False,
    visible: Sequence[str] = PUBLIC,
) -> list[Row]:
    """List what was found of channels on local days, `last` included, by day."""
    return execute(
        connection,
        "list_health",
        first=first,
        last=last,
        municipality=municipality,
        site=site,
        bad_only=bad_only,
        visible=list(visible),
    ).fetchall()
