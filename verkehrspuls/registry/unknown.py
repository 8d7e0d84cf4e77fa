"""Unknown sensors: senders of messages that no registered sensor took."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from paho.mqtt.matcher import MQTTMatcher

from verkehrspuls.storage.database import Connection, execute, read_records
from verkehrspuls.wire import parse_topic

#: for so long a sender that is silent is listed
SHOWN: Final = timedelta(days=7)
#: senders listed, and messages of each topic
MAX_LISTED: Final = 200
MAX_MESSAGES: Final = 3


@dataclass(frozen=True, slots=True)
class UnknownSensor:
    """A sender of kept messages that no registered sensor took."""

    #: under whose topics it sends; None: nobody's, or several have some
    municipality: str | None
    #: its topic; of a native one without the kind of message
    sender: str
    reason: str
    messages: int
    first_at: datetime
    last_at: datetime

    @property
    def key(self) -> str | None:
        """The key of the sensor, where a native topic says it."""
        parts = parse_topic(f"{self.sender}/counts")
        return parts.sensor if parts else None


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept message of an unknown sensor."""

    topic: str
    payload: bytes
    received_at: datetime
    #: whether only the beginning is kept
    cut: bool


def unknown_sensors(
    connection: Connection, municipality: str | None, *, now: datetime
) -> Sequence[UnknownSensor]:
    """List the unknown sensors of a municipality, those that sent last first.

    None lists all, also those of nobody, as far as the viewer sees them. What was
    registered meanwhile is left out.
    """
    found = read_records(
        connection,
        UnknownSensor,
        "unknown_sensors",
        municipality=municipality,
        since=now - SHOWN,
        limit=MAX_LISTED,
    )
    keys, topics = set(), MQTTMatcher()  # type: ignore[no-untyped-call]  # paho's
    for row in execute(connection, "registered_topics", municipality=municipality):
        keys.add((row["municipality"], row["sensor"]))
        if row["topic"]:
            topics[row["topic"]] = True
    return [
        one
        for one in found
        if (one.municipality, one.key) not in keys
        and (one.reason == "not-meant" or not any(topics.iter_match(one.sender)))  # type: ignore[no-untyped-call]  # paho's
    ]


def messages(
    connection: Connection, municipality: str | None, sender: str, *, now: datetime
) -> Sequence[Kept]:
    """Return the newest messages of an unknown sensor, up to three of each topic."""
    return read_records(
        connection,
        Kept,
        "unknown_messages",
        municipality=municipality,
        sender=sender,
        since=now - SHOWN,
        limit=MAX_MESSAGES,
    )


def rejected(
    connection: Connection, municipality: str, sensor: str, *, now: datetime, limit: int
) -> Sequence[Kept]:
    """Return the newest messages of a sensor that could not be used, and are kept."""
    return read_records(
        connection,
        Kept,
        "rejected_of_sensor",
        municipality=municipality,
        sensor=sensor,
        since=now - SHOWN,
        limit=limit,
    )
