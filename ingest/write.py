"""Writing batches: one transaction each, retried until it holds or the data is bad."""

import logging
import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar

import psycopg

from ingest.batch import Batch, Collector, Message, Reject, Rows
from verkehrspuls.classes import COUNTS
from verkehrspuls.errors import DatabaseUnavailable, SlotTaken
from verkehrspuls.settings import Ingest
from verkehrspuls.storage.database import Connection, connect, execute, queries

log = logging.getLogger(__name__)

T = TypeVar("T")

_HEAD: Final = ("int4", "timestamptz", "int4", "timestamptz", "int4")
COUNT_TYPES: Final = (
    *_HEAD,
    *("int4" for _ in COUNTS),
    *("float4", "float4", "float4", "float4", "int4[]"),
)
ENVIRONMENT_TYPES: Final = (*_HEAD, "float8")

#: Whose fault an error is: these say that the rows are bad, all others that the
#: database is not well, so that the same batch may succeed later.
BAD_ROWS: Final = (psycopg.DataError, psycopg.IntegrityError)
#: The sums that a written batch is told by.
SUMS: Final = (
    "messages_received",
    "readings_received",
    "readings_stored",
    "readings_duplicate",
    "readings_corrected",
    "readings_rejected",
)
LONGEST_PAUSE_S: Final = 30.0
SLOT_ATTEMPTS: Final = 20


class Stopped(Exception):
    """The worker stops while the database does not answer; nothing was written."""


class Writer:
    """Writes batches over one connection, which it renews when it breaks."""

    def __init__(
        self,
        url: str,
        settings: Ingest,
        *,
        pause: Callable[[float], bool],
    ) -> None:
        """Prepare; `pause(seconds)` waits, and says whether to stop."""
        self._url = url
        self._settings = settings
        self._pause = pause
        self._slot = settings.slot
        self._connection: Connection | None = None
        self._months: set[tuple[str, datetime]] = set()

    def write(self, batch: Batch, collector: Collector) -> Counter[str]:
        """Write a batch; returns when it has committed, with the ledger's sums.

        Where the database refuses rows that passed every check, the batch is halved
        until the message is found; that one is kept as a reject.
        """
        try:
            return self.with_retry(lambda connection: self._write(connection, batch))
        except BAD_ROWS as error:
            if _lacks_partition(error):  # retention dropped it meanwhile
                self._months.clear()
                return self.write(batch, collector)
            messages = batch.messages
            if len(messages) == 1:
                log.exception("database_refused", extra={"topic": messages[0].topic})
                refused = _refused(batch, messages[0], str(error))
                return self.with_retry(
                    lambda connection: self._write(connection, refused)
                )
            middle = len(messages) // 2
            sums: Counter[str] = Counter()
            for half in (messages[:middle], messages[middle:]):
                sums.update(self.write(collector.collect(half), collector))
            return sums

    def with_retry(self, work: Callable[[Connection], T]) -> T:
        """Do work on the connection until it succeeds, pausing longer each time."""
        ceiling = 0.25
        while True:
            try:
                return work(self._connected())
            except BAD_ROWS:
                raise
            except (psycopg.Error, DatabaseUnavailable) as error:
                self.close()
                ceiling = min(2 * ceiling, LONGEST_PAUSE_S)
                log.warning(
                    "database_retry",
                    extra={"reason": str(error).strip(), "pause_s": ceiling},
                )
                # jitter, so that workers do not come back all at once
                if self._pause(ceiling * random.uniform(0.5, 1)):  # noqa: S311
                    raise Stopped from error

    def close(self) -> None:
        """Close the connection; the next write opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            connection = connect(self._url, application=f"ingest {self._slot}")
            connection.execute("set lock_timeout = '10s'")
            connection.execute("set statement_timeout = '60s'")
            connection.execute(queries()["make_staging"])
            connection.commit()
            if not self._take_slot(connection):
                connection.close()
                raise SlotTaken(slot=self._slot)
            self._connection = connection
        return self._connection

    def _take_slot(self, connection: Connection) -> bool:
        """Take the slot for as long as the connection lives.

        The server may need a moment to notice that a killed worker is gone.
        """
        for _ in range(SLOT_ATTEMPTS):
            row = execute(connection, "take_slot", slot=self._slot).fetchone()
            connection.commit()
            if row and row["taken"]:
                return True
            if self._pause(0.5):
                raise Stopped
        return False

    def _write(self, connection: Connection, batch: Batch) -> Counter[str]:
        self._make_room(connection, batch)
        with connection.transaction():
            changed = _store(connection, "counts", batch.counts, COUNT_TYPES)
            changed += _store(
                connection, "environment", batch.environment, ENVIRONMENT_TYPES
            )
            cursor = connection.cursor()
            cursor.executemany(
                queries()["reject_message"],
                [self._reject_row(reject) for reject in batch.rejects],
            )
            cursor.executemany(
                queries()["put_status"],
                [
                    {
                        "sensor_id": sensor_id,
                        "state": status.state,
                        "since": status.time or received_at,
                        "battery_pct": status.battery_pct,
                        "firmware": status.firmware,
                    }
                    for sensor_id, (received_at, status) in batch.status.items()
                ],
            )
            ledger = self._ledger_rows(batch, changed)
            cursor.executemany(queries()["add_to_ledger"], ledger)
        sums: Counter[str] = Counter()
        for row in ledger:
            sums.update({name: row[name] for name in row if name in SUMS})
        return sums

    def _make_room(self, connection: Connection, batch: Batch) -> None:
        """Make the partitions that the batch needs, in transactions of their own."""
        needed = {
            (series, _month(key[1]))
            for series, rounds in (
                ("count_reading", batch.counts),
                ("environment_reading", batch.environment),
            )
            for rows in rounds
            for key in rows
        } | {
            ("rejected_message", _month(reject.message.received_at))
            for reject in batch.rejects
        }
        for series, month in sorted(needed - self._months):
            execute(
                connection, "ensure_range", series=series, earliest=month, latest=month
            )
            connection.commit()
            self._months.add((series, month))

    def _reject_row(self, reject: Reject) -> dict[str, Any]:
        message = reject.message
        return {
            "received_at": message.received_at,
            "slot": self._slot,
            "sensor_id": reject.sensor_id,
            "topic": message.topic.replace("\0", "\\0"),
            "payload": message.payload[: self._settings.reject_bytes],
            "payload_bytes": len(message.payload),
            "reason": reject.reason,
            "detail": reject.detail.replace("\0", "\\0"),
            "readings_rejected": reject.readings,
        }

    def _ledger_rows(
        self, batch: Batch, changed: Counter[tuple[int, datetime, str]]
    ) -> list[dict[str, Any]]:
        rows = []
        for (sensor_id, hour), tally in sorted(
            batch.ledger.items(), key=lambda item: (item[0][0] or 0, item[0][1])
        ):
            stored = corrected = 0
            if sensor_id is not None:
                stored = changed[sensor_id, hour, "stored"]
                corrected = changed[sensor_id, hour, "corrected"]
            rows.append(
                {
                    "slot": self._slot,
                    "sensor_id": sensor_id,
                    "hour": hour,
                    "last_received_at": tally.last_received_at,
                    "messages_received": tally.accepted
                    + tally.partly_accepted
                    + tally.rejected
                    + tally.unknown_sensor,
                    "messages_accepted": tally.accepted,
                    "messages_partly_accepted": tally.partly_accepted,
                    "messages_rejected": tally.rejected,
                    "messages_unknown_sensor": tally.unknown_sensor,
                    "readings_received": tally.readings_written
                    + tally.readings_rejected,
                    "readings_stored": stored,
                    "readings_duplicate": tally.readings_written - stored - corrected,
                    "readings_corrected": corrected,
                    "readings_rejected": tally.readings_rejected,
                }
            )
        return rows


def _store(
    connection: Connection, kind: str, rounds: list[Rows], types: tuple[str, ...]
) -> Counter[tuple[int, datetime, str]]:
    """Copy and upsert; counts per sensor, hour of receipt and what became of it."""
    changed: Counter[tuple[int, datetime, str]] = Counter()
    cursor = connection.cursor()
    for index, rows in enumerate(rounds):
        if index:
            connection.execute(queries()["empty_staging"])
        with cursor.copy(queries()[f"copy_{kind}"]) as copy:
            copy.set_types(types)
            for row in rows.values():
                copy.write_row(row)
        for found in execute(connection, f"store_{kind}"):
            for outcome in ("stored", "corrected"):
                changed[found["sensor_id"], found["hour"], outcome] += found[outcome]
    return changed


def _lacks_partition(error: psycopg.Error) -> bool:
    """Tell a missing partition from a violated constraint, which has a name."""
    missing = isinstance(error, psycopg.errors.CheckViolation)
    return missing and error.diag.constraint_name is None


def _refused(batch: Batch, message: Message, detail: str) -> Batch:
    """The batch of one message with all its readings rejected."""
    ((key, tally),) = batch.ledger.items()
    readings = tally.readings_written + tally.readings_rejected
    tally.readings_written, tally.readings_rejected = 0, readings
    tally.accepted = tally.partly_accepted = tally.unknown_sensor = 0
    tally.rejected = 1
    return Batch(
        messages=[message],
        rejects=[Reject(message, key[0], "database-refused", detail, readings)],
        ledger={key: tally},
    )


def _month(time: datetime) -> datetime:
    return time.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
