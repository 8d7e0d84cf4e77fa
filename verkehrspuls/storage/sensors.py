"""Sensors, and when they were attached to channels."""

from collections.abc import Sequence

import polars as pl

from verkehrspuls.storage.database import Connection, Row, execute, one, read_frame
from verkehrspuls.storage.visibility import PUBLIC


def list_foreign_topics(connection: Connection, municipality: str | None) -> list[Row]:
    """List sensors of foreign formats with the topic that each publishes under."""
    return execute(connection, "foreign_topics", municipality=municipality).fetchall()


def list_sensors(
    connection: Connection,
    *,
    municipality: str | None = None,
    site: str | None = None,
    sensor: str | None = None,
    visible: Sequence[str] = PUBLIC,
) -> list[Row]:
    """List sensors, one row per installation.

    `until` is null while an installation lasts; `state` is what the sensor last said
    of itself, or `unknown`.
    """
    return execute(
        connection,
        "list_sensors",
        municipality=municipality,
        site=site,
        sensor=sensor,
        visible=list(visible),
    ).fetchall()


def count_sensors(
    connection: Connection,
    *,
    municipality: str | None = None,
    sensor: str | None = None,
    visible: Sequence[str] = PUBLIC,
) -> int:
    """Count the sensors at visible sites, by municipality or key."""
    row = one(
        connection,
        "count_sensors",
        municipality=municipality,
        sensor=sensor,
        visible=list(visible),
    )
    return int(row["sensors"])


def read_installed(
    url: str, *, site_id: int, visible: Sequence[str] = PUBLIC
) -> pl.DataFrame:
    """Read when sensors were attached to a site's channels; open ends far away."""
    return read_frame(url, "read_installed", site_id=site_id, visible=list(visible))
