"""The transaction of a batch: readings, rejects, status and the ledger."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

import msgspec
from psycopg import errors

from ingest.batch import Batch, Framed, Reject
from ingest.formats import Formats
from ingest.formats.record import Entry
from ingest.keep import bytes_of, kept_of
from ingest.overlap import Overlapping, Overlaps
from ingest.rows import Round, copied, heads
from ingest.sequence import Numbered, SequenceNumbers
from verkehrspuls.storage.database import Connection, array, execute
from verkehrspuls.storage.named import queries


class NotNew(Exception):
    """Raised if a reading that was expected to be new exists; nothing was written."""


class Again(NamedTuple):
    """How to store a replayed message."""

    #: Its first receipt: readings received later are newer. None: all readings must be
    #: new, else `NotNew` is raised.
    received_at: datetime | None
    #: records the replay in the same transaction
    mark: Callable[[Connection, Batch], None]


@dataclass(slots=True)
class Attempt:
    """A batch that is tried until it has committed."""

    batch: UUID = field(default_factory=uuid4)
    #: the sums of an attempt that got as far as its commit, else None
    sums: Counter[str] | None = None
    #: the rejects to keep; None: not chosen yet, or there are none
    kept: list[Reject] | None = None


#: Outcomes of readings: their number by sensor, hour of receipt, and outcome.
Changed = Counter[tuple[int | None, datetime, str]]

#: Before any receipt: rows received then correct nothing.
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

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
    overlaps: Overlaps,
    formats: Formats,
    again: Again | None = None,
) -> tuple[Counter[str], bool]:
    """Write a batch; return the ledger's sums, and whether all readings were new.

    Store with it what `formats` have remembered since the last batch. Keep only the
    rejects listed in the attempt; count the others.

    Readings expected to be new take half the time: they are copied straight into their
    table. If one of them exists already, this is undone, and all pass through the
    staging table, which finds duplicates and corrections.
    """
    kept = attempt.kept or []
    with connection.transaction():
        if batch.framed:
            _identify_frames(connection, batch)
        kinds = batch.packed()
        once = sum(each.rows for found in kinds.values() for each in found[:1])
        # without repetitions, all rows written are stored
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
                connection, batch, kinds, newest=again.received_at if again else None
            )
            stored = sum(n for key, n in changed.items() if key[2] == "stored")
            all_new = stored == once
        if batch.ambiguous:
            _note_passes(connection, batch)
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
        new = {name: memory.unsaved() for name, (_, memory) in formats.memories.items()}
        for name, entries in new.items():
            if entries:
                write = queries()[formats.memories[name][0].write]
                cursor.executemany(write, _entry_rows(entries))
        if batch.passed_over:
            cursor.executemany(queries()["put_passed_over"], _passed_rows(batch))
        if batch.status:
            cursor.executemany(queries()["put_status"], _status_rows(batch))
        dropped = _dropped_rows(batch, slot)
        if dropped:
            cursor.executemany(queries()["add_dropped_fields"], dropped)
        overlapping = overlaps.count(connection, batch)
        # last: other workers may wait for the rows of shared sensors
        lost = _update_sequences(connection, batch.numbered)
        ledger = _ledger_rows(batch, changed, lost, overlapping)
        if ledger:
            columns = {name: array(row[name] for row in ledger) for name in ledger[0]}
            execute(connection, "add_to_ledger", slot=slot, **columns)
        # shows the next attempt whether this one has committed, if the connection
        # breaks now
        execute(connection, "note_batch", slot=slot, batch=attempt.batch)
        sums = Counter({name: sum(row[name] for row in ledger) for name in SUMS})
        sums["messages_refused"] = len(batch.rejects)
        sums["fields_dropped"] = sum(row["fields"] for row in dropped)
        attempt.sums = sums
    overlaps.committed()
    for name, entries in new.items():
        formats.memories[name][1].saved(entries)
    return sums, all_new


def _identify_frames(connection: Connection, batch: Batch) -> None:
    """Set the time of repeated frames to that of their first copy.

    Their key then makes them duplicates, like any repeated reading. The earliest copy
    is right, because no gateway hears a frame before it is sent: rows of a later copy
    that was stored before are withdrawn.
    """
    first: dict[_FrameKey, datetime] = {}
    for framed in batch.framed:
        key = _frame_key(framed)
        first[key] = min(first.get(key, framed.time), framed.time)
    keys = _frame_columns(sorted(first))
    # waits for another worker that stores the same frame
    execute(
        connection,
        "put_frames",
        **keys,
        times=[time for _, time in sorted(first.items())],
    )
    known = {
        (row["sensor_id"], row["session"], row["counter"]): row["time"]
        for row in execute(connection, "frames", **keys)
    }
    anew: dict[_FrameKey, datetime] = {}
    late: list[tuple[Framed, datetime]] = []
    for framed in batch.framed:
        key = _frame_key(framed)
        before = known[key]
        if timedelta(0) < before - first[key] <= framed.within:
            late.append((framed, before))
            known[key] = anew[key] = before = first[key]
        if abs(framed.time - before) > framed.within:
            known[key] = anew[key] = framed.time
        elif framed.time != before:
            batch.move(framed, before)
    if anew:
        times = [time for _, time in sorted(anew.items())]
        execute(connection, "renew_frames", **_frame_columns(sorted(anew)), times=times)
    if late:
        _withdraw(connection, batch, late)


def _withdraw(
    connection: Connection, batch: Batch, late: Sequence[tuple[Framed, datetime]]
) -> None:
    """Move stored readings of later copies to the history; earlier copies follow."""
    for kind, rows in (
        ("count", [batch.counts[framed.counts] for framed, _ in late]),
        ("environment", [batch.environment[framed.environment] for framed, _ in late]),
    ):
        found = [
            (channel_id, framed.sensor_id, time)
            for of_frame, (framed, time) in zip(rows, late, strict=True)
            if of_frame
            for channel_id in set(heads(of_frame, copied(of_frame))["channel"].tolist())
        ]
        if not found:
            continue
        channels, sensors, times = zip(*found, strict=True)
        history = f"{kind}_reading_history"
        span = {"earliest": min(times), "latest": max(times)}
        execute(connection, "ensure_range", table=history, **span)
        execute(
            connection,
            f"take_back_{kind}",
            channels=list(channels),
            sensors=list(sensors),
            times=list(times),
        )


_FrameKey = tuple[int, str, int]


def _frame_key(framed: Framed) -> _FrameKey:
    return framed.sensor_id, framed.frame.session, framed.frame.counter


def _frame_columns(keys: Sequence[_FrameKey]) -> dict[str, Any]:
    return {
        "sensors": [sensor_id for sensor_id, _, _ in keys],
        "sessions": [session for _, session, _ in keys],
        "counters": [counter for _, _, counter in keys],
    }


def _copy_new(connection: Connection, kinds: Kinds) -> bool:
    """Copy rows straight into their tables.

    Return False, and write nothing, if one of them exists already.
    """
    stale: set[tuple[int, int]] = set()
    try:
        with connection.transaction():
            for kind, found in kinds.items():
                for each in found:
                    copy_rows(connection, f"copy_new_{kind}", each)
                    stale |= each.hours
    except errors.UniqueViolation:
        return False
    if stale:
        execute(
            connection,
            "mark_stale_hours",
            channels=array(channel_id for channel_id, _ in stale),
            hours=array(hour for _, hour in stale),
        )
    return True


def _upsert(
    connection: Connection, batch: Batch, kinds: Kinds, *, newest: datetime | None
) -> Changed:
    """Copy into the staging table and upsert from it, round by round.

    Readings received after `newest` are not corrected; None: all are.
    """
    changed: Changed = Counter()
    for kind, found in kinds.items():
        for index, each in enumerate(found):
            if index:
                connection.execute(queries()["empty_staging"])
            copy_rows(connection, f"copy_{kind}", each)
            known = newest if each.corrects else _EPOCH
            written = execute(connection, f"store_{kind}", newest=known).fetchall()
            execute(connection, f"forget_ambiguous_{kind}", **_ambiguous(batch))
            for row in written:
                for outcome in ("stored", "corrected"):
                    key = row["sensor_id"], row["hour"], outcome
                    changed[key] += row[outcome]
    return changed


def _note_passes(connection: Connection, batch: Batch) -> None:
    """Record which of the readings just written have an ambiguous time."""
    execute(
        connection,
        "note_ambiguous",
        **_ambiguous(batch),
        whys=[why for why, _ in batch.ambiguous.values()],
        received=[received for _, received in batch.ambiguous.values()],
    )


def _ambiguous(batch: Batch) -> dict[str, Any]:
    return {
        "channels": [channel_id for channel_id, _ in batch.ambiguous],
        "times": [time for _, time in batch.ambiguous],
    }


def copy_rows(connection: Connection, query: str, rows: Round) -> None:
    """Copy rows with a COPY statement."""
    with connection.cursor().copy(queries()[query]) as copy:
        copy.write(rows.packed)


def _reject_row(reject: Reject, slot: int, reject_bytes: int) -> dict[str, Any]:
    message = reject.message
    return {
        "received_at": message.received_at,
        "slot": slot,
        "sensor_id": reject.sensor_id,
        "topic": message.topic.replace("\0", "\\0"),
        "payload": kept_of(reject, reject_bytes),
        "payload_bytes": len(bytes_of(reject, reject_bytes)),
        "reason": reject.reason,
        "detail": reject.detail.text,
        "detail_values": reject.detail.stored(),
        "readings_rejected": reject.readings,
        "retained": message.retained,
        "first_received_at": message.first_received_at,
        "municipality": reject.municipality,
    }


def _entry_rows(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    return [
        entry._asdict() | {"key": entry.key.replace("\0", "\\0")} for entry in entries
    ]


def _passed_rows(batch: Batch) -> list[dict[str, Any]]:
    return [
        {
            "sensor_id": sensor_id,
            "field": field.replace("\0", "\\0"),
            "messages": found.messages,
            "said": found.said[:80].replace("\0", "\\0"),
            "taken": found.taken.replace("\0", "\\0"),
            "received_at": found.received_at,
        }
        for (sensor_id, field), found in sorted(batch.passed_over.items())
    ]


def _status_rows(batch: Batch) -> list[dict[str, Any]]:
    return [
        {
            "sensor_id": sensor_id,
            "state": status.state,
            "since": status.time or received_at,
            "battery_pct": status.battery_pct,
            "signal_dbm": status.signal_dbm,
            "temperature_c": status.temperature_c,
            "firmware": status.firmware,
            "undated": retained and status.time is None,
        }
        for sensor_id, (received_at, status, retained) in sorted(
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
        readings[key] += reject.readings - sum(reject.reasons.values())
        for reason, number in reject.reasons.items():
            readings[*key[:2], reason] += number
    kept_by = Counter(map(_reject_key, kept))
    return [
        {
            "slot": slot,
            "sensor_id": key[0] or None,
            "hour": key[1],
            "reason": key[2],
            "messages": messages[key],
            "kept": kept_by[key],
            "readings": readings[key],
        }
        for key in sorted(messages | readings)
    ]


def _dropped_rows(batch: Batch, slot: int) -> list[dict[str, Any]]:
    return [
        {
            "slot": slot,
            "sensor_id": sensor_id,
            "hour": hour,
            "field": field,
            "problem": problem,
            "value": tally.dropped_values[field, problem].replace("\0", "\\0"),
            "fields": number,
        }
        for (sensor_id, hour), tally in sorted(
            batch.ledger.items(), key=lambda item: (item[0][0] or 0, item[0][1])
        )
        for (field, problem), number in sorted(tally.dropped.items())
    ]


def _reject_key(reject: Reject) -> tuple[int, datetime, str]:
    # 0 for unknown sensors: identities begin at 1
    hour = _hour(reject.message.received_at)
    return reject.sensor_id or 0, hour, reject.reason


def _update_sequences(
    connection: Connection, numbered: dict[tuple[int, str], list[Numbered]]
) -> Counter[int]:
    """Update sequence numbers; return the change in lost messages by sensor.

    The change is negative if messages arrived that had been counted as lost.
    """
    if not numbered:
        return Counter()
    keys = {
        "sensors": array(sensor_id for sensor_id, _ in numbered),
        "kinds": array(f'"{kind}"' for _, kind in numbered),
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
        sensors=array(sensor_id for sensor_id, _, _ in after),
        kinds=array(f'"{kind}"' for _, kind, _ in after),
        lost=array(sequence.lost for _, _, sequence in after),
        resets=array(sequence.resets for _, _, sequence in after),
        # JSON contains no line breaks of its own
        states=b"\n".join(msgspec.json.encode(each) for _, _, each in after).decode(),
    )
    return lost


_sequences: Final = msgspec.json.Decoder(SequenceNumbers)


def _ledger_rows(
    batch: Batch, changed: Changed, lost: Counter[int], overlapping: Overlapping
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
            # in a batch that spans two hours: all in the first
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
                "readings_overlapping": overlapping[sensor_id or 0, hour],
            }
        )
    return rows


#: The sums of the ledger that describe a written batch.
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
