"""Reading the ledger: by sensor, its proof against the tables, and rejected messages.

Times are aware UTC and periods half-open. For the operator: all sensors, whatever the
visibility of their sites.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypedDict, Unpack

from verkehrspuls.storage.database import (
    Connection,
    one,
    read_record,
    read_records,
)
from verkehrspuls.storage.tallies import Tallies

#: The comparisons, and what a difference means.
CHECKS: Final = {
    "sums": "Outcomes do not add up to what was received, or rejects by reason to what "
    "was rejected.",
    "readings": "The readings in the tables are not those counted as stored or "
    "corrected.",
    "rejects": "The rejected messages in the table are not those counted as kept.",
    "sequences": "The known gaps of sequence numbers are not those counted.",
    "running": "The running sums, which metrics show, differ from the ledger's.",
}


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the whole ledger."""

    rows: int
    messages_received: int
    readings_received: int
    readings_stored: int
    readings_duplicate: int
    readings_corrected: int
    readings_rejected: int


@dataclass(frozen=True, slots=True)
class SumsDifference:
    """A ledger row, and by how much its numbers differ from what they add up from."""

    slot: int
    municipality: str | None
    sensor: str | None
    hour: datetime
    messages: int
    readings: int
    #: from the rejects by reason
    reject_messages: Decimal
    reject_readings: Decimal


@dataclass(frozen=True, slots=True)
class ReadingsDifference:
    """Readings that the ledger counts, and those in the tables or dropped since."""

    municipality: str | None
    sensor: str | None
    hour: datetime
    stored: int
    stored_there: int
    stored_dropped: int
    corrected: int
    corrected_there: int
    corrected_dropped: int


@dataclass(frozen=True, slots=True)
class RejectsDifference:
    """Messages that the ledger counts as kept, and those in the table or dropped."""

    municipality: str | None
    sensor: str | None
    hour: datetime
    reason: str
    kept: int
    there: int
    dropped: int


@dataclass(frozen=True, slots=True)
class SequencesDifference:
    """Lost numbers of a sensor: in the ledger, by its sequences, and by their state."""

    municipality: str | None
    sensor: str | None
    counted: int
    known: int
    followed: int


@dataclass(frozen=True, slots=True)
class RunningDifference:
    """A running sum that differs, of a municipality or of a reason of rejects."""

    slot: int
    municipality: str | None
    reason: str | None


Difference = (
    SumsDifference
    | ReadingsDifference
    | RejectsDifference
    | SequencesDifference
    | RunningDifference
)
_RECORDS: Final[Mapping[str, type[Difference]]] = {
    "sums": SumsDifference,
    "readings": ReadingsDifference,
    "rejects": RejectsDifference,
    "sequences": SequencesDifference,
    "running": RunningDifference,
}


@dataclass(frozen=True, slots=True)
class Proof:
    """Result of the comparison of the ledger with the tables."""

    totals: Totals
    #: what differs, by check
    differences: Mapping[str, Sequence[Difference]]

    @property
    def holds(self) -> bool:
        """Whether nothing differs."""
        return not any(self.differences.values())


def prove(connection: Connection) -> Proof:
    """Compare the ledger with the tables, all of it, as of one moment.

    Reads every reading once; ingest may go on meanwhile. What retention
    dropped was counted at that time, and is taken into account.
    """
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        totals = read_record(connection, Totals, "ledger_totals")
        return Proof(
            totals,
            {
                name: read_records(connection, record, f"ledger_{name}_differ")
                for name, record in _RECORDS.items()
            },
        )


class OfSensor(Tallies, frozen=True, kw_only=True):
    """Outcomes of a sensor's messages in a period."""

    #: None for messages of no known sensor; likewise `sensor`
    municipality: str | None
    sensor: str | None
    last_received_at: datetime | None
    #: of all outputs while they were installed, up to now
    readings_expected: int
    #: messages by reason
    rejects: Mapping[str, int]
    #: fields left out of readings, by `field:problem`
    fields_dropped: Mapping[str, int]


def of_sensors(
    connection: Connection,
    *,
    start: datetime,
    end: datetime,
    municipality: str | None = None,
    sensor: str | None = None,
) -> list[OfSensor]:
    """Sum up a period by sensor, including sensors without messages."""
    return read_records(
        connection,
        OfSensor,
        "ledger_of_sensors",
        start=start,
        end=end,
        municipality=municipality,
        sensor=sensor,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A rejected message that is kept, without its payload."""

    rejected_message_id: int
    received_at: datetime
    #: None where nobody knows whose it is; likewise `sensor`
    municipality: str | None
    sensor: str | None
    topic: str
    payload_bytes: int
    reason: str
    #: what was wrong, as `ingest.reasons.Detail` words it
    detail: str
    detail_values: Sequence[Any] | None
    readings_rejected: int
    replayed_at: datetime | None
    attempts: int
    #: of the last replay
    last_reason: str | None
    last_detail: str | None
    last_detail_values: Sequence[Any] | None
    #: whether only the beginning of the payload is kept
    cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedInFull(Rejected):
    """A rejected message with its payload, as far as that was kept."""

    slot: int
    payload: bytes


class InHours(TypedDict):
    """What is listed of sensors in hours; None is all."""

    municipality: str | None
    sensor: str | None
    start: datetime | None
    end: datetime | None


class Rejects(InHours):
    """The same of rejected messages."""

    reason: str | None


class Kept(Rejects):
    """The same of those that are kept."""

    #: a part of it
    topic: str | None
    #: whether to leave out what was replayed
    open: bool


def rejects(
    connection: Connection, *, limit: int, **choice: Unpack[Kept]
) -> list[Rejected]:
    """List rejected messages, newest first."""
    return read_records(connection, Rejected, "list_rejects", limit=limit, **choice)


def reject(connection: Connection, rejected_message_id: int) -> RejectedInFull | None:
    """Find a rejected message; None where there is none of this number."""
    found = read_records(
        connection,
        RejectedInFull,
        "rejected_message",
        rejected_message_id=rejected_message_id,
    )
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class RejectCount:
    """Number of rejected messages of a sensor, by reason."""

    municipality: str | None
    sensor: str | None
    reason: str
    messages: int
    #: of the messages those that are kept
    kept: int
    readings: int
    first_hour: datetime
    last_hour: datetime


def count_rejects(
    connection: Connection, **choice: Unpack[Rejects]
) -> list[RejectCount]:
    """Count rejected messages by sensor and reason, including those not kept."""
    return read_records(connection, RejectCount, "count_rejects", **choice)


class RejectSums(NamedTuple):
    """Number of rejected messages, of those kept, and of their rejected readings."""

    messages: int = 0
    kept: int = 0
    readings: int = 0


def reasons(counts: Sequence[RejectCount]) -> dict[str, RejectSums]:
    """Add up counts of rejected messages by reason."""
    found: dict[str, RejectSums] = {}
    for each in counts:
        sums = found.get(each.reason, RejectSums())
        found[each.reason] = RejectSums(
            sums.messages + each.messages,
            sums.kept + each.kept,
            sums.readings + each.readings,
        )
    return found


@dataclass(frozen=True, slots=True)
class DroppedField:
    """A field that was left out of a sensor's readings."""

    municipality: str
    sensor: str
    field: str
    #: `below`, `above` or `wrong`
    problem: str
    #: the last one
    value: str
    #: how many were left out
    fields: int
    first_hour: datetime
    last_hour: datetime


def dropped_fields(
    connection: Connection, *, site: str | None = None, **choice: Unpack[InHours]
) -> list[DroppedField]:
    """List fields that were left out of readings, by sensor and problem."""
    return read_records(connection, DroppedField, "dropped_fields", site=site, **choice)


def only_counted(connection: Connection) -> int:
    """Return the number of recent messages that were counted but not kept."""
    return int(one(connection, "only_counted")["messages"])


@dataclass(frozen=True, slots=True)
class NeverSent:
    """An installed sensor without any message so far."""

    #: with the key of its municipality: `town/sensor`
    sensor: str
    #: the topic of its own, of a foreign format
    topic: str | None
    #: whether messages of any sensor came hours ago
    in_service: bool


@dataclass(frozen=True, slots=True)
class OfNobody:
    """A topic of the last day that belongs to no sensor, and its kept messages."""

    topic: str
    messages: int


def never_sent(connection: Connection) -> list[NeverSent]:
    """List installed sensors without any message so far, foreign formats first."""
    return read_records(connection, NeverSent, "never_sent")


def of_nobody(connection: Connection) -> list[OfNobody]:
    """List topics of the last day that belong to no sensor, with their messages."""
    return read_records(connection, OfNobody, "of_nobody")


def senders_missing(connection: Connection) -> bool:
    """Return whether messages belong to nobody, or a foreign sensor never sent."""
    return bool(one(connection, "senders_missing")["missing"])
