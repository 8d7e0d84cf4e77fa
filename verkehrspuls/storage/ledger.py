"""Reading the ledger: by sensor, its proof against the tables, and rejected messages.

Times are aware UTC and periods half-open. For the operator: all sensors, whatever the
visibility of their sites.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from verkehrspuls.storage.database import Connection, Row, execute, read_records

#: What is compared, and what a difference means.
CHECKS: Final = {
    "sums": "Outcomes do not add up to what was received, or rejects by reason not to "
    "the rejected.",
    "readings": "Other readings are in the tables than were counted as stored or "
    "corrected.",
    "rejects": "Other rejected messages are kept than were counted as kept.",
    "sequences": "Other gaps are known of sequence numbers than were counted.",
    "running": "The running sums, of which metrics tell, are other than the ledger's.",
}


@dataclass(frozen=True, slots=True)
class Proof:
    """What comparing the ledger with the tables came to."""

    #: sums over the whole ledger
    totals: Row
    #: where they differ, by check
    differences: dict[str, list[Row]]

    @property
    def holds(self) -> bool:
        """Whether nothing differs."""
        return not any(self.differences.values())


def prove(connection: Connection) -> Proof:
    """Compare the ledger with the tables, all of it, as of one moment.

    Reads every reading once; ingest may go on meanwhile. What retention dropped was
    counted when it was, and is taken into account.
    """
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        totals = execute(connection, "ledger_totals").fetchone() or {}
        return Proof(
            totals,
            {
                name: execute(connection, f"ledger_{name}_differ").fetchall()
                for name in CHECKS
            },
        )


def of_sensors(
    connection: Connection,
    *,
    start: datetime,
    end: datetime,
    municipality: str | None = None,
    sensor: str | None = None,
) -> list[Row]:
    """Sum up a period by sensor, those of which nothing came too.

    `rejects` counts messages by reason. Messages of no known sensor have neither
    municipality nor sensor.
    """
    return execute(
        connection,
        "ledger_of_sensors",
        start=start,
        end=end,
        municipality=municipality,
        sensor=sensor,
    ).fetchall()


def rejects(connection: Connection, *, limit: int, **choice: object) -> list[Row]:
    """List rejected messages without their payload, newest first.

    `choice`: municipality, sensor, topic (a part of it), reason, start, end, and
    `open`, whether to leave out what was replayed; None is all.
    """
    return execute(connection, "list_rejects", limit=limit, **choice).fetchall()


def reject(connection: Connection, rejected_message_id: int) -> Row | None:
    """Find a rejected message with its payload, as far as that was kept."""
    row: Row | None = execute(
        connection, "rejected_message", rejected_message_id=rejected_message_id
    ).fetchone()
    return row


def count_rejects(connection: Connection, **choice: object) -> list[Row]:
    """Count rejected messages by sensor and reason, those that are not kept too.

    `choice`: municipality, sensor, reason, start and end (hours); None is all.
    """
    return execute(connection, "count_rejects", **choice).fetchall()


def reasons(rows: Sequence[Row]) -> Row:
    """Add up what `count_rejects` gave, by reason."""
    found: Row = {}
    for row in rows:
        sums = found.setdefault(row["reason"], dict.fromkeys(_COUNTED, 0))
        for name in _COUNTED:
            sums[name] += row[name]
    return found


def dropped_fields(connection: Connection, **choice: object) -> list[Row]:
    """List fields that were left out of readings, by sensor and what was wrong.

    `choice`: municipality, site, sensor, start and end (hours); None is all.
    """
    return execute(connection, "dropped_fields", **choice).fetchall()


_COUNTED: Final = ("messages", "kept", "readings")


def only_counted(connection: Connection) -> int:
    """Return the number of recent messages that were counted but not kept."""
    row: Row = execute(connection, "only_counted").fetchone() or {}
    return int(row["messages"])


@dataclass(frozen=True, slots=True)
class NeverSent:
    """An installed sensor of which no message ever came."""

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
    """List installed sensors of which no message ever came, foreign ones first."""
    return read_records(connection, NeverSent, "never_sent")


def of_nobody(connection: Connection) -> list[OfNobody]:
    """List topics of the last day that belong to no sensor, with their messages."""
    return read_records(connection, OfNobody, "of_nobody")


def senders_missing(connection: Connection) -> bool:
    """Return whether messages belong to nobody, or a foreign sensor never sent."""
    row: Row = execute(connection, "senders_missing").fetchone() or {}
    return bool(row["missing"])
