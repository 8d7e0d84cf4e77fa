"""What became of a message, and of a moment of a channel."""

from dataclasses import dataclass
from datetime import datetime

from verkehrspuls.storage.database import Connection, execute, read_records


@dataclass(frozen=True, slots=True)
class Attached:
    """A sensor that was attached to a channel."""

    sensor: str
    name: str
    output: str
    interval_s: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading of a channel, or one that another replaced."""

    time: datetime
    interval_s: int
    #: None: it is not seen
    sensor: str | None
    received_at: datetime
    revision: int
    #: None: it holds
    replaced_at: datetime | None


@dataclass(frozen=True, slots=True)
class Beside:
    """What the same sensor stored on another channel."""

    channel: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a channel: a quarter-hour, an hour, or a longer interval."""

    time: datetime
    interval_s: int
    observed_s: int
    #: None: there is no rule
    valid: bool | None


@dataclass(frozen=True, slots=True)
class OfMessage:
    """A reading that a message stored."""

    site: str
    site_name: str
    channel: str
    time: datetime
    interval_s: int
    revision: int
    #: when something else replaced it; None: it holds
    replaced_at: datetime | None


def attached_at(
    connection: Connection, channel_id: int, at: datetime
) -> list[Attached]:
    """List the sensors that were attached to a channel at a moment."""
    return read_records(
        connection, Attached, "attached_at", channel_id=channel_id, at=at
    )


def readings_at(connection: Connection, channel_id: int, at: datetime) -> list[Reading]:
    """List the readings of a channel that cover a moment, those that hold first."""
    return read_records(
        connection, Reading, "readings_at", channel_id=channel_id, at=at
    )


def beside_at(connection: Connection, channel_id: int, at: datetime) -> list[Beside]:
    """List what the sensors of a channel stored of a moment on other channels."""
    return read_records(connection, Beside, "beside_at", channel_id=channel_id, at=at)


def figures_at(connection: Connection, channel_id: int, at: datetime) -> list[Figure]:
    """List the figures of a channel in which a moment is, the shortest first."""
    return read_records(connection, Figure, "figures_at", channel_id=channel_id, at=at)


def left_out_at(connection: Connection, channel_id: int, at: datetime) -> list[str]:
    """List why a moment is left out of figures: `excluded`, or a suspected fault."""
    rows = execute(connection, "left_out_at", channel_id=channel_id, at=at)
    return [row["why"] for row in rows]


def readings_of_message(
    connection: Connection, sensor_id: int, received_at: datetime
) -> list[OfMessage]:
    """List the readings that a sensor's messages of one moment stored."""
    return read_records(
        connection,
        OfMessage,
        "readings_of_message",
        sensor_id=sensor_id,
        at=received_at,
    )
