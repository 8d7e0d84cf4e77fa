"""State of one sensor, for the person who brings it into service.

For the operator: independent of the visibility of its sites.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from verkehrspuls.errors import UnknownKey
from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage import ledger
from verkehrspuls.storage.clocks import (
    PassedOver,
    SensorClock,
    passed_over,
    sensor_clocks,
)
from verkehrspuls.storage.database import Connection, execute, read_records
from verkehrspuls.storage.ledger import DroppedField, RejectCount
from verkehrspuls.wire import topic

#: Newest messages shown.
MAX_MESSAGES: Final = 10
#: Ledger slots of messages that did not come through a broker.
_WAYS: Final = {100: "imported", 101: "replayed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A sensor as registered, its status, and sums of all its outcomes."""

    sensor_id: int
    municipality: str
    key: str
    name: str | None
    model: str | None
    payload_format: str
    topic: str | None
    profile: Mapping[str, Any] | None
    interval_s: int
    #: None if it counts nothing
    class_scheme: str | None
    state: str
    state_since: datetime | None
    battery_pct: float | None
    signal_dbm: float | None
    temperature_c: float | None
    firmware: str | None
    last_received_at: datetime | None
    messages_received: int
    messages_accepted: int
    messages_partly_accepted: int
    messages_rejected: int
    readings_received: int
    readings_stored: int
    readings_duplicate: int
    readings_corrected: int
    readings_rejected: int
    sequence_lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """An output attached to a channel, and the newest reading of the channel."""

    output: str
    site: str
    channel: str
    quantity: str
    since: datetime | None
    until: datetime | None
    mapping: Mapping[str, Any] | None
    last_time: datetime | None
    last: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message of the newest ones, and its outcome."""

    received_at: datetime
    #: received, imported or replayed
    came: str
    outcome: str
    readings: int
    readings_rejected: int
    #: of the rejection, with its details
    reason: str | None
    detail: str
    detail_values: Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AmbiguousHour:
    """Readings of an hour (UTC) that the clock showed twice, whose pass is unknown."""

    site: str
    channel: str
    hour: datetime
    readings: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """State of a sensor: its registration, what it sent, and the outcomes."""

    facts: Facts
    #: under which it must publish
    topics: Sequence[str]
    installations: Sequence[Installation]
    #: the newest first
    messages: Sequence[Message]
    #: None without readings
    clock: SensorClock | None
    #: implausible times in its messages
    passed_over: Sequence[PassedOver]
    ambiguous: Sequence[AmbiguousHour]
    rejects: Sequence[RejectCount]
    #: fields left out of stored readings
    left_out: Sequence[DroppedField]


def sensor(connection: Connection, municipality: str, key: str) -> Sensor:
    """Read the state of a sensor."""
    chosen = {"municipality": municipality, "sensor": key}
    facts = read_records(connection, Facts, "sensor_facts", **chosen)
    if not facts:
        raise UnknownKey(kind="sensor", key=f"{municipality}/{key}")
    (registered,) = facts
    by_id = {"sensor_id": registered.sensor_id}
    installations = read_records(
        connection, Installation, "sensor_installations", **by_id
    )
    clocks = sensor_clocks(connection, **chosen)
    every: ledger.InHours = {
        "municipality": municipality,
        "sensor": key,
        "start": None,
        "end": None,
    }
    return Sensor(
        facts=registered,
        topics=_topics(registered, installations),
        installations=installations,
        messages=_messages(connection, registered.sensor_id),
        clock=clocks[0] if clocks else None,
        passed_over=passed_over(connection, municipality=municipality, sensor=key),
        ambiguous=read_records(connection, AmbiguousHour, "sensor_ambiguous", **by_id),
        rejects=ledger.count_rejects(connection, reason=None, **every),
        left_out=ledger.dropped_fields(connection, **every),
    )


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading that a message became."""

    time: datetime
    received_at: datetime
    interval_s: int
    site: str
    channel: str
    quantity: str
    found: Mapping[str, Any]

    @property
    def values(self) -> dict[str, Any]:
        """What was counted by class, or the value by its quantity."""
        if self.quantity in COUNTED:
            return dict(self.found)
        return {self.quantity: self.found.get("value")}


def readings(connection: Connection, sensor_id: int, *, limit: int) -> list[Reading]:
    """Read the newest readings of a sensor, those that came last first."""
    return read_records(
        connection, Reading, "sensor_readings", sensor_id=sensor_id, limit=limit
    )


def _topics(facts: Facts, installations: Sequence[Installation]) -> list[str]:
    """List the topics under which it must publish."""
    if facts.topic:
        return [facts.topic]
    counts = {each.quantity in COUNTED for each in installations}
    kinds = [
        *(["counts"] if True in counts or facts.class_scheme else []),
        *(["environment"] if False in counts or not facts.class_scheme else []),
        "status",
    ]
    return [topic(facts.municipality, facts.key, kind) for kind in kinds]


def _messages(connection: Connection, sensor_id: int) -> list[Message]:
    rows = execute(connection, "sensor_newest_messages", sensor_id=sensor_id)
    found = [_message(row["slot"], row["message"]) for row in rows]
    # messages of the same time in the order of the slot: the newest first
    found.sort(key=lambda message: message.received_at, reverse=True)
    return found[:MAX_MESSAGES]


def _message(slot: int, text: str) -> Message:
    """Decode a message written by `ingest.newest`."""
    received_at, readings, *why = msgspec.json.decode(text)
    refused, reason, detail, values = why or (0, None, "", [])
    outcome = "accepted"
    if reason is not None:
        outcome = "partly accepted" if readings else "rejected"
    return Message(
        received_at=datetime.fromisoformat(received_at),
        came=_WAYS.get(slot, "received"),
        outcome=outcome,
        readings=readings,
        readings_rejected=refused,
        reason=reason,
        detail=detail,
        detail_values=values,
    )
