"""Replays of a sensor's rejected messages that engineers ask for.

The web may not write readings: an ingest worker does what was asked for, within a
second or two, and says here what it came to.
"""

from dataclasses import dataclass
from datetime import datetime

from verkehrspuls.storage.database import Connection, execute, read_records


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay that was asked for, and what it came to."""

    asked_at: datetime
    #: None: it is due, or goes on
    done_at: datetime | None
    #: messages that were tried; of these used wholly, and rejected again
    messages: int
    used: int
    rejected: int
    #: of others only the beginning is kept
    cut: int
    #: name of an error of the program; empty as a rule
    failed: str


def ask(connection: Connection, municipality: str, sensor: str) -> None:
    """Ask for a replay of what is kept of a sensor; to be committed."""
    execute(connection, "ask_replay", municipality=municipality, sensor=sensor)


def last(connection: Connection, municipality: str, sensor: str) -> Replay | None:
    """Return the last replay of a sensor that was asked for."""
    found = read_records(
        connection, Replay, "last_replay", municipality=municipality, sensor=sensor
    )
    return found[0] if found else None
