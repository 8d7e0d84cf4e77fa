"""Clocks: the reference of the database, this machine's, and those of sensors."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from verkehrspuls.storage.database import Connection, one, read_records
from verkehrspuls.text import mark as _
from verkehrspuls.text import translate

#: Maximum difference of this machine's clock from the database's.
DIFFER_S: Final = 60.0
#: A sensor whose clock is further ahead is reported.
AHEAD_S: Final = 300.0
#: Newest readings of a sensor that are compared.
READINGS: Final = 20

_AHEAD: Final = _("{} minutes ahead: is local time marked as Z?")


@dataclass(frozen=True, slots=True)
class SensorClock:
    """Offset of a sensor's clock from that of ingest, by its newest readings."""

    municipality: str
    sensor: str
    name: str
    readings: int
    received_at: datetime
    #: seconds from the end of an interval to its receipt: the median, and of the last
    #: one. Below zero the clock is ahead; above it is late, or the message was.
    offset_s: float
    newest_offset_s: float

    @property
    def minutes_ahead(self) -> int | None:
        """Return how far the last reading lay in the future; None: it did not."""
        ahead_s = -self.newest_offset_s
        return round(ahead_s / 60) if ahead_s > AHEAD_S else None

    def problem(self, language: str) -> str | None:
        """Return what is wrong with the clock in a language; None if nothing is."""
        minutes = self.minutes_ahead
        return None if minutes is None else ahead(minutes, language)

    @property
    def facts(self) -> dict[str, Any]:
        """Return its fields as JSON shows them."""
        return {
            "readings": self.readings,
            "offset_s": round(self.offset_s, 1),
            "newest_offset_s": round(self.newest_offset_s, 1),
            "hint": self.problem("en"),
        }


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A field of a sensor's payloads whose times cannot be right."""

    municipality: str
    sensor: str
    field: str
    messages: int
    #: what the last of them said, and the field that was taken in its place
    said: str
    taken: str
    received_at: datetime


def ahead(minutes: int, language: str) -> str:
    """Return how far a clock is ahead, and what the cause is as a rule."""
    return translate(_AHEAD, language).format(minutes)


def sensor_clocks(
    connection: Connection,
    *,
    municipality: str | None = None,
    sensor: str | None = None,
) -> list[SensorClock]:
    """Read how the clocks of sensors stand; those that never sent are left out."""
    return read_records(
        connection,
        SensorClock,
        "sensor_clocks",
        municipality=municipality,
        sensor=sensor,
        most=READINGS,
    )


def passed_over(
    connection: Connection,
    *,
    municipality: str | None = None,
    sensor: str | None = None,
    since: datetime | None = None,
) -> list[PassedOver]:
    """Read which times of sensors cannot be right, and what stood in for them.

    `since`: only those that came since then.
    """
    return read_records(
        connection,
        PassedOver,
        "passed_over",
        municipality=municipality,
        sensor=sensor,
        since=since,
    )


def ours_ahead_s(connection: Connection) -> float:
    """Return how many seconds this process's clock is ahead of the database's."""
    now: datetime = one(connection, "clock")["now"]
    return (datetime.now(UTC) - now).total_seconds()


def receipt_ahead_s(connection: Connection) -> float:
    """Return how far in the future, in seconds, ingest received its last message."""
    at: datetime | None = one(connection, "newest_receipt")["received_at"]
    if at is None:
        return 0.0
    now: datetime = one(connection, "clock")["now"]
    return max(0.0, (at - now).total_seconds())
