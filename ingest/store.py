"""What the transaction of a batch holds: readings, rejects, status and the ledger."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from struct import Struct
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

import msgspec
from psycopg import errors, postgres
from psycopg.adapt import Dumper
from psycopg.pq import Format

from ingest.batch import Batch, Reject, Rows
from ingest.sequence import Numbered, SequenceNumbers
from verkehrspuls.classes import COUNTS
from verkehrspuls.storage.database import Connection, execute, queries

_HEAD: Final = ("int4", "timestamptz", "int4", "timestamptz", "int2", "int4")
#: The types of a row's columns, for binary COPY.
TYPES: Final = {
    "counts": (
        *_HEAD,
        *("int4" for _ in COUNTS),
        *("float4", "float4", "float4", "float4", "int4[]"),
    ),
    "environment": (*_HEAD, "float8"),
}


class NotNew(Exception):
    """A reading is known that was to be new; nothing was written."""


class Again(NamedTuple):
    """What is particular about a message that is replayed."""

    #: When it was received: what was received since is newer than it. None: none of the
    #: readings may be known, else `NotNew` is raised.
    received_at: datetime | None
    #: says in the same transaction that it was replayed
    mark: Callable[[Connection, Batch], None]


@dataclass(slots=True)
class Attempt:
    """A batch that is tried until it has committed."""

    batch: UUID = field(default_factory=uuid4)
    #: what it wrote when it got as far as its commit; None: it did not
    sums: Counter[str] | None = None


@cache
def _integer_array(size: int) -> Struct:
    return Struct(">iiIii" + "ii" * size)


class HistogramDumper(Dumper):
    """Dumps a list of integers for binary COPY; the general dumper takes ten times."""

    format = Format.BINARY
    oid = postgres.types["int4"].array_oid

    def dump(self, obj: list[int]) -> bytes:
        """Write one dimension from 1, without nulls, each element of 4 bytes."""
        sized = [4] * (2 * len(obj))
        sized[1::2] = obj
        of = postgres.types["int4"].oid
        return _integer_array(len(obj)).pack(1, 0, of, len(obj), 1, *sized)


#: What became of readings: how many, by sensor, hour of receipt, and outcome.
Changed = Counter[tuple[int, datetime, str]]


def store(
    connection: Connection,
    batch: Batch,
    *,
    slot: int,
    reject_bytes: int,
    expect_new: bool,
    kept: Sequence[Reject],
    attempt: Attempt,
    again: Again | None = None,
) -> tuple[Counter[str], bool]:
    """Write a batch; returns the ledger's sums, and whether all readings were new.

    Of its rejects those in `kept` are kept, the others are counted only.

    New readings take half the time where they are expected to be new: they are copied
    straight into their table. Where one is there already, that is undone, and all take
    the way over the staging table, which finds duplicates and corrections.
    """
    all_new = True
    with connection.transaction():
        changed: Changed = Counter()
        for kind, rounds in (
            ("counts", batch.counts),
            ("environment", batch.environment),
        ):
            found = None
            if expect_new and len(rounds) == 1:
                found = _copy_new(connection, kind, rounds[0])
            if found is None:
                all_new = all_new and not rounds
                if rounds and again and again.received_at is None:
                    raise NotNew
                newest = again.received_at if again else None
                found = _upsert(connection, kind, rounds, newest=newest)
            changed += found
        cursor = connection.cursor()
        if kept:
            cursor.executemany(
                queries()["reject_message"],
                [_reject_row(reject, slot, reject_bytes) for reject in kept],
            )
        if batch.rejects:
            cursor.executemany(
                queries()["add_to_ledger_rejects"],
                _ledger_reject_rows(batch, kept, slot),
            )
        if again is not None:
            again.mark(connection, batch)
        if batch.status:
            cursor.executemany(queries()["put_status"], _status_rows(batch))
        # last: other workers may wait for the rows of sensors that they share
        lost = _follow(connection, batch.numbered)
        ledger = _ledger_rows(batch, changed, lost, slot)
        cursor.executemany(queries()["add_to_ledger"], ledger)
        # by this the next attempt knows whether this one has committed, should the
        # connection break now
        execute(connection, "note_batch", slot=slot, batch=attempt.batch)
        sums: Counter[str] = Counter()
        for row in ledger:
            sums.update({name: row[name] for name in row if name in SUMS})
        attempt.sums = sums
    return sums, all_new


def _copy_new(connection: Connection, kind: str, rows: Rows) -> Changed | None:
    """Copy rows straight into their table; None where one of them is there already."""
    try:
        with connection.transaction():
            # in the order of the key: good for the index, and against deadlocks
            _copy(connection, f"copy_new_{kind}", kind, (rows[k] for k in sorted(rows)))
    except errors.UniqueViolation:
        return None
    hours = {time: _hour(time) for time in {time for _, time in rows}}
    stale = {(channel_id, hours[time]) for channel_id, time in rows}
    execute(
        connection,
        "mark_stale_hours",
        channels=[channel_id for channel_id, _ in stale],
        hours=[hour for _, hour in stale],
    )
    changed: Changed = Counter()
    received = Counter((row[2], row[3]) for row in rows.values())
    for (sensor_id, received_at), count in received.items():
        changed[sensor_id, _hour(received_at), "stored"] += count
    return changed


def _upsert(
    connection: Connection, kind: str, rounds: list[Rows], *, newest: datetime | None
) -> Changed:
    """Copy into the staging table and upsert from it, round after round.

    What was received after `newest` is not corrected; None: everything is.
    """
    changed: Changed = Counter()
    for index, rows in enumerate(rounds):
        if index:
            connection.execute(queries()["empty_staging"])
        _copy(connection, f"copy_{kind}", kind, rows.values())
        for found in execute(connection, f"store_{kind}", newest=newest):
            for outcome in ("stored", "corrected"):
                changed[found["sensor_id"], found["hour"], outcome] += found[outcome]
    return changed


def _copy(
    connection: Connection, query: str, kind: str, rows: Iterable[tuple[Any, ...]]
) -> None:
    cursor = connection.cursor()
    cursor.adapters.register_dumper(list, HistogramDumper)
    with cursor.copy(queries()[query]) as copy:
        copy.set_types(TYPES[kind])
        for row in rows:
            copy.write_row(row)


def _reject_row(reject: Reject, slot: int, reject_bytes: int) -> dict[str, Any]:
    message = reject.message
    return {
        "received_at": message.received_at,
        "slot": slot,
        "sensor_id": reject.sensor_id,
        "topic": message.topic.replace("\0", "\\0"),
        "payload": message.payload[:reject_bytes],
        "payload_bytes": len(message.payload),
        "reason": reject.reason,
        "detail": reject.detail.replace("\0", "\\0"),
        "readings_rejected": reject.readings,
    }


def _status_rows(batch: Batch) -> list[dict[str, Any]]:
    return [
        {
            "sensor_id": sensor_id,
            "state": status.state,
            "since": status.time or received_at,
            "battery_pct": status.battery_pct,
            "firmware": status.firmware,
        }
        for sensor_id, (received_at, status) in sorted(
            batch.status.items(), key=lambda item: item[0]
        )
    ]


def _ledger_reject_rows(
    batch: Batch, kept: Sequence[Reject], slot: int
) -> list[dict[str, Any]]:
    messages: Counter[tuple[int, datetime, str]] = Counter()
    readings: Counter[tuple[int, datetime, str]] = Counter()
    for reject in batch.rejects:
        key = _reject_key(reject)
        messages[key] += 1
        readings[key] += reject.readings
    kept_of = Counter(map(_reject_key, kept))
    return [
        {
            "slot": slot,
            "sensor_id": key[0] or None,
            "hour": key[1],
            "reason": key[2],
            "messages": messages[key],
            "kept": kept_of[key],
            "readings": readings[key],
        }
        for key in sorted(messages)
    ]


def _reject_key(reject: Reject) -> tuple[int, datetime, str]:
    # 0 for no known sensor: identities begin at 1
    hour = _hour(reject.message.received_at)
    return reject.sensor_id or 0, hour, reject.reason


def _follow(
    connection: Connection, numbered: dict[tuple[int, str], list[Numbered]]
) -> Counter[int]:
    """Take sequence numbers into what is known; returns what was lost, by sensor.

    Negative where messages came that had been counted as lost.
    """
    if not numbered:
        return Counter()
    keys = {
        "sensors": [sensor_id for sensor_id, _ in numbered],
        "kinds": [kind for _, kind in numbered],
    }
    known = execute(connection, "take_sequences", **keys).fetchall()
    if len(known) < len(numbered):
        execute(connection, "begin_sequences", **keys)
        known = execute(connection, "take_sequences", **keys).fetchall()
    lost: Counter[int] = Counter()
    after: dict[str, list[Any]] = {
        name: [] for name in ("sensors", "kinds", "lost", "resets", "states")
    }
    for row in known:
        key = row["sensor_id"], row["kind"]
        sequence = msgspec.json.decode(row["state"], type=SequenceNumbers)
        before = sequence.lost
        sequence.add(numbered[key])
        lost[key[0]] += sequence.lost - before
        for name, value in (
            ("sensors", key[0]),
            ("kinds", key[1]),
            ("lost", sequence.lost),
            ("resets", sequence.resets),
            ("states", msgspec.json.encode(sequence).decode()),
        ):
            after[name].append(value)
    execute(connection, "put_sequences", **after)
    return lost


def _ledger_rows(
    batch: Batch, changed: Changed, lost: Counter[int], slot: int
) -> list[dict[str, Any]]:
    rows = []
    lost = lost.copy()
    for (sensor_id, hour), tally in sorted(
        batch.ledger.items(), key=lambda item: (item[0][0] or 0, item[0][1])
    ):
        stored = corrected = sequence_lost = 0
        if sensor_id is not None:
            stored = changed[sensor_id, hour, "stored"]
            corrected = changed[sensor_id, hour, "corrected"]
            # in a batch that spans two hours: all to the first
            sequence_lost = lost.pop(sensor_id, 0)
        rows.append(
            {
                "slot": slot,
                "sensor_id": sensor_id,
                "hour": hour,
                "last_received_at": tally.last_received_at,
                "messages_received": tally.messages,
                "messages_accepted": tally.accepted,
                "messages_partly_accepted": tally.partly_accepted,
                "messages_rejected": tally.rejected,
                "messages_unknown_sensor": tally.unknown_sensor,
                "readings_received": tally.readings_written + tally.readings_rejected,
                "readings_stored": stored,
                "readings_duplicate": tally.readings_written - stored - corrected,
                "readings_corrected": corrected,
                "readings_rejected": tally.readings_rejected,
                "readings_late": tally.readings_late,
                "sequence_lost": sequence_lost,
            }
        )
    return rows


#: The sums that a written batch is told by.
SUMS: Final = (
    "messages_received",
    "readings_received",
    "readings_stored",
    "readings_duplicate",
    "readings_corrected",
    "readings_rejected",
)


def _hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)
