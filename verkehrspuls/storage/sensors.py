"""Sensors, and when they were attached to channels."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import polars as pl

from verkehrspuls.storage.database import (
    Connection,
    FrameSource,
    one,
    read_frame,
    read_records,
)


@dataclass(frozen=True, slots=True)
class ForeignTopic:
    """A sensor of a foreign format, and the topic that it publishes under."""

    sensor: str
    payload_format: str
    topic: str


@dataclass(frozen=True, slots=True)
class Installed:
    """A sensor, and one of its installations."""

    sensor_id: int
    key: str
    name: str
    model: str
    payload_format: str
    interval_s: int
    class_scheme: str | None
    #: what it last reported of itself
    state: Literal["online", "offline", "unknown"]
    municipality: str
    #: None where it is installed nowhere; likewise what follows
    site: str | None
    site_name: str | None
    output: str | None
    channel: str | None
    since: datetime | None
    #: None while it lasts
    until: datetime | None
    last_received_at: datetime | None
    newest_reading_at: datetime | None


def list_foreign_topics(
    connection: Connection, municipality: str | None
) -> list[ForeignTopic]:
    """List sensors of foreign formats with the topic that each publishes under."""
    return read_records(
        connection, ForeignTopic, "foreign_topics", municipality=municipality
    )


def list_sensors(
    connection: Connection,
    *,
    municipality: str | None = None,
    site: str | None = None,
    sensor: str | None = None,
) -> list[Installed]:
    """List sensors, one record per installation."""
    return read_records(
        connection,
        Installed,
        "list_sensors",
        municipality=municipality,
        site=site,
        sensor=sensor,
    )


def count_sensors(
    connection: Connection,
    *,
    municipality: str | None = None,
    sensor: str | None = None,
) -> int:
    """Count the sensors at sites, by municipality or key."""
    row = one(
        connection,
        "count_sensors",
        municipality=municipality,
        sensor=sensor,
    )
    return int(row["sensors"])


def read_installed(source: FrameSource, *, site_id: int) -> pl.DataFrame:
    """Read when sensors were attached to a site's channels; open ends far away."""
    return read_frame(source, "read_installed", site_id=site_id)


def is_heard_elsewhere(connection: Connection, topic: str, municipality: str) -> bool:
    """Return whether sensors of another municipality listen to a topic."""
    asked = {"topic": topic, "municipality": municipality}
    return bool(one(connection, "is_heard_elsewhere", **asked)["heard"])
