"""Corridors and junctions."""

from collections.abc import Sequence

from verkehrspuls.storage.database import Connection, Row, execute
from verkehrspuls.storage.visibility import PUBLIC


def list_corridors(
    connection: Connection,
    *,
    municipality: str | None = None,
    corridor: str | None = None,
    visible: Sequence[str] = PUBLIC,
) -> list[Row]:
    """List corridors with their `stations`, in the order in which they are passed."""
    return execute(
        connection,
        "list_corridors",
        municipality=municipality,
        corridor=corridor,
        visible=list(visible),
    ).fetchall()


def list_junctions(
    connection: Connection,
    *,
    municipality: str | None = None,
    junction: str | None = None,
    visible: Sequence[str] = PUBLIC,
) -> list[Row]:
    """List junctions with their `arms`."""
    return execute(
        connection,
        "list_junctions",
        municipality=municipality,
        junction=junction,
        visible=list(visible),
    ).fetchall()
