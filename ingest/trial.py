"""Try a message: what ingest would make of it, without storing anything.

The message takes the usual way up to the rows for the database, which are staged,
compared with stored readings, and rolled back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches

from ingest import formats
from ingest.batch import Batch, Collector, Message, Reject
from ingest.check import Limits
from ingest.reasons import ADVICE, DROPPED, PAYLOAD_ADVICE, explain
from ingest.resolve import RegisteredSensor, Registry, read_registry
from ingest.store import copy_rows
from verkehrspuls.settings import Ingest
from verkehrspuls.storage.database import Connection, read_records
from verkehrspuls.storage.named import queries
from verkehrspuls.wire import StatusMessage, parse_topic

#: Number of names proposed.
MAX_PROPOSALS = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a message, or readings in it, would be rejected."""

    reason: str
    why: str
    advice: str
    #: number of readings; None if the whole message cannot be read
    readings: int


@dataclass(frozen=True, slots=True)
class TriedReading:
    """A reading of the message, and what storing it would do."""

    site: str
    channel: str
    time: datetime
    interval_s: int
    #: by vehicle class or environment quantity; also speeds and other fields
    values: Mapping[str, object]
    #: stored, known already, or corrects what is known
    outcome: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A field that is left out of readings."""

    field: str
    fields: int
    why: str
    #: the last one
    value: str


@dataclass(frozen=True, slots=True)
class Trial:
    """The expected outcome of a message."""

    #: accepted, partly accepted, rejected, or unknown sensor
    outcome: str
    #: municipality/sensor
    sensor: str | None
    readings: Sequence[TriedReading]
    #: the status that would be stored of the sensor
    status: StatusMessage | None
    problem: Problem | None
    left_out: Sequence[LeftOut]


def attempt(connection: Connection, settings: Ingest, message: Message) -> Trial:
    """Process a message as ingest would, without storing anything."""
    known = formats.formats()
    registry = read_registry(connection, known)
    limits = Limits.at(message.received_at, settings)
    batch = Collector(registry, known, limits).collect([message])
    outcomes = batch.outcomes
    named = {each.sensor_id: key for key, each in registry.items()}
    takers = [named[sensor_id] for sensor_id, _ in batch.ledger if sensor_id]
    sensor = registry[takers[0]] if takers else None
    status = next(iter(batch.status.values()), None)
    return Trial(
        # the worst outcome, if several sensors take it
        outcome=next(name for name, messages in outcomes.items() if messages),
        sensor=", ".join(map("/".join, takers)) or None,
        readings=_staged(connection, batch),
        status=status[1] if status else None,
        problem=_problem(batch.rejects[0], sensor, registry) if batch.rejects else None,
        left_out=[
            LeftOut(name, number, DROPPED[fault], tally.dropped_values[name, fault])
            for tally in batch.ledger.values()
            for (name, fault), number in tally.dropped.items()
        ],
    )


def _staged(connection: Connection, batch: Batch) -> list[TriedReading]:
    """Stage the rows of a batch, return the result of storing them, and roll back."""
    found: list[TriedReading] = []
    with connection.transaction(force_rollback=True):
        connection.execute(queries()["make_staging"])
        for kind, rounds in batch.packed().items():
            for each in rounds:
                connection.execute(queries()["empty_staging"])
                copy_rows(connection, f"copy_{kind}", each)
                found += read_records(connection, TriedReading, f"tried_{kind}")
    return found


def _problem(
    reject: Reject, sensor: RegisteredSensor | None, registry: Registry
) -> Problem:
    advice = ADVICE.get(reject.reason, PAYLOAD_ADVICE)
    existing = _existing_names(reject, sensor, registry)
    return Problem(
        reason=reject.reason,
        why=explain(reject.reason, reject.detail, "en"),
        advice=f"{advice} {existing}" if existing else advice,
        readings=reject.readings,
    )


def _existing_names(
    reject: Reject, sensor: RegisteredSensor | None, registry: Registry
) -> str:
    """List the existing names in place of the one not found."""
    if reject.reason == "not-meant":
        of_topic = {each.sensor_id for each in registry.listen(reject.message.topic)}
        sharing = ["/".join(k) for k, s in registry.items() if s.sensor_id in of_topic]
        return f"They are {', '.join(sharing[:MAX_PROPOSALS])}."
    if sensor is None:
        topic = parse_topic(reject.message.topic)
        given = "/".join(topic[:2]) if topic else reject.message.topic
        known = ["/".join(key) for key in registry] if topic else _topics(registry)
        near = get_close_matches(given, known, MAX_PROPOSALS, cutoff=0.4)
        what = "Registered sensors" if topic else "Registered topics"
        return f"{what} with a similar name: {', '.join(near)}." if near else ""
    if reject.reason == "unknown-output":
        outputs = "; ".join(
            f"{output!r} ({feed.days})"
            for output, feeds in sorted(sensor.feeds.items())
            for feed in feeds
        )
        return f"Its outputs are {outputs}." if outputs else "It has no output yet."
    if reject.reason in ("class-not-in-scheme", "unknown-class"):
        return f"The scheme has {', '.join(sorted(sensor.classes))}."
    return ""


def _topics(registry: Registry) -> list[str]:
    return [sensor.topic for sensor in registry.values() if sensor.topic]
