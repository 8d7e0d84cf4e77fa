"""What the transaction of a batch holds: readings, rejects, status and the ledger."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

import msgspec
from psycopg import errors

from ingest.batch import Batch, Reject
from ingest.formats import sparkplug_b
from ingest.rows import Round
from ingest.sequence import Numbered, SequenceNumbers
from verkehrspuls.storage.database import Connection, execute, queries


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
    #: the rejects to be kept; None: not chosen yet, or there are none
    kept: list[Reject] | None = None


#: What became of readings: how many, by sensor, hour of receipt, and outcome.
Changed = Counter[tuple[int | None, datetime, str]]

#: Rounds of rows by kind of reading.
Kinds = dict[str, list[Round]]


def store(
    connection: Connection,
    batch: Batch,
    *,
    slot: int,
    reject_bytes: int,
    expect_new: bool,
    attempt: Attempt,
    again: Again | None = None,
) -> tuple[Counter[str], bool]:
    """Write a batch; returns the ledger's sums, and whether all readings were new.

    Of its rejects those that the attempt names are kept, the others counted only.

    New readings take half the time where they are expected to be new: they are copied
    straight into their table. Where one is there already, that is undone, and all take
    the way over the staging table, which finds duplicates and corrections.
    """
    kept = attempt.kept or []
    kinds = batch.packed()
    once = sum(each.rows for found in kinds.values() for each in found[:1])
    with connection.transaction():
        # where none comes twice, what is written is what is stored
        all_new = expect_new and once == batch.readings and _copy_new(connection, kinds)
        if all_new:
            changed: Changed = Counter(
                {
                    (sensor_id, hour, "stored"): tally.readings_written
                    for (sensor_id, hour), tally in batch.ledger.items()
                }
            )
        elif again and again.received_at is None:
            raise NotNew
        else:
            changed = _upsert(
                connection, kinds, newest=again.received_at if again else None
            )
            stored = sum(n for key, n in changed.items() if key[2] == "stored")
            all_new = stored == once
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
        births = sparkplug_b.unsaved()
        if births:
            cursor.executemany(queries()["put_birth"], _birth_rows(births))
        if batch.status:
            cursor.executemany(queries()["put_status"], _status_rows(batch))
        # last: other workers may wait for the rows of sensors that they share
        lost = _follow(connection, batch.numbered)
        ledger = _ledger_rows(batch, changed, lost)
        if ledger:
            columns = {name: _array(row[name] for row in ledger) for name in ledger[0]}
            execute(connection, "add_to_ledger", slot=slot, **columns)
        # by this the next attempt knows whether this one has committed, should the
        # connection break now
        execute(connection, "note_batch", slot=slot, batch=attempt.batch)
        sums = Counter({name: sum(row[name] for row in ledger) for name in SUMS})
        attempt.sums = sums
    sparkplug_b.saved(births)
    return sums, all_new


def _copy_new(connection: Connection, kinds: Kinds) -> bool:
    """Copy rows straight into their tables; False where one of them is there already.

    Nothing is written then.
    """
    stale: set[tuple[int, int]] = set()
    try:
        with connection.transaction():
            for kind, found in kinds.items():
                for each in found:
                    _copy(connection, f"copy_new_{kind}", each)
                    stale |= each.hours
    except errors.UniqueViolation:
        return False
    if stale:
        execute(
            connection,
            "mark_stale_hours",
            channels=_array(channel_id for channel_id, _ in stale),
            hours=_array(hour for _, hour in stale),
        )
    return True


def _upsert(
    connection: Connection, kinds: Kinds, *, newest: datetime | None
) -> Changed:
    """Copy into the staging table and upsert from it, round after round.

    What was received after `newest` is not corrected; None: everything is.
    """
    changed: Changed = Counter()
    for kind, found in kinds.items():
        for index, each in enumerate(found):
            if index:
                connection.execute(queries()["empty_staging"])
            _copy(connection, f"copy_{kind}", each)
            for row in execute(connection, f"store_{kind}", newest=newest):
                for outcome in ("stored", "corrected"):
                    key = row["sensor_id"], row["hour"], outcome
                    changed[key] += row[outcome]
    return changed


def _copy(connection: Connection, query: str, rows: Round) -> None:
    with connection.cursor().copy(queries()[query]) as copy:
        copy.write(rows.packed)


def _array(values: Iterable[object]) -> str:
    """Write values as PostgreSQL writes an array: the fastest way for both sides.

    For numbers, times, and texts without anything to be escaped.
    """
    return "{" + ",".join(map(str, values)) + "}"


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
        "detail": reject.detail.text,
        "detail_values": reject.detail.stored(),
        "readings_rejected": reject.readings,
    }


def _birth_rows(births: dict[str, sparkplug_b.Birth]) -> list[dict[str, Any]]:
    return [
        {
            "device": device.replace("\0", "\\0"),
            "born_at": birth.at,
            "names": msgspec.json.encode(birth.names),
        }
        for device, birth in sorted(births.items())
    ]


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
        "sensors": _array(sensor_id for sensor_id, _ in numbered),
        "kinds": _array(f'"{kind}"' for _, kind in numbered),
    }
    known = execute(connection, "take_sequences", **keys).fetchall()
    if len(known) < len(numbered):
        execute(connection, "begin_sequences", **keys)
        known = execute(connection, "take_sequences", **keys).fetchall()
    lost: Counter[int] = Counter()
    after = []
    for row in known:
        sensor_id, kind = row["sensor_id"], row["kind"]
        sequence = _sequences.decode(row["state"])
        before = sequence.lost
        sequence.add(numbered[sensor_id, kind])
        lost[sensor_id] += sequence.lost - before
        after.append((sensor_id, kind, sequence))
    execute(
        connection,
        "put_sequences",
        sensors=_array(sensor_id for sensor_id, _, _ in after),
        kinds=_array(f'"{kind}"' for _, kind, _ in after),
        lost=_array(sequence.lost for _, _, sequence in after),
        resets=_array(sequence.resets for _, _, sequence in after),
        # JSON has no line breaks of its own
        states=b"\n".join(msgspec.json.encode(each) for _, _, each in after).decode(),
    )
    return lost


_sequences: Final = msgspec.json.Decoder(SequenceNumbers)


def _ledger_rows(
    batch: Batch, changed: Changed, lost: Counter[int]
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
                "sensor_id": "null" if sensor_id is None else sensor_id,
                "hour": hour.isoformat(),
                "last_received_at": tally.last_received_at.isoformat(),
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
