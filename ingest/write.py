"""Write batches: one transaction each, retried until it commits or the data is bad."""

import contextlib
import logging
import math
import os
import random
import socket
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

import psycopg

from ingest.batch import Batch, Collector, Content, Message, Reject
from ingest.formats import Formats
from ingest.keep import Keeper
from ingest.newest import LOW_LOAD_MESSAGES, Newest
from ingest.overlap import Overlaps
from ingest.reasons import Detail
from ingest.resolve import Registry, read_registry
from ingest.rows import hour_of
from ingest.store import Again, Attempt, store
from verkehrspuls.errors import DatabaseUnavailable, SlotTaken
from verkehrspuls.settings import Ingest
from verkehrspuls.storage.database import Connection, connect, execute
from verkehrspuls.storage.named import queries
from verkehrspuls.storage.slots import count_workers, group_of, session_of
from verkehrspuls.text import mark as _

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Errors caused by the rows; all others are caused by the database's state, so that the
#: same batch may succeed later.
BAD_ROWS: Final = (psycopg.DataError, psycopg.IntegrityError)
#: Tables of readings, by kind.
READING_TABLES: Final = {
    "counts": "count_reading",
    "environment": "environment_reading",
}
#: Batches after one with known readings for which more known ones are expected.
KNOWN_BATCHES: Final = 20
MAX_RETRY_PAUSE_S: Final = 30.0
SLOT_ATTEMPTS: Final = 20
#: Time for which a command tries to write.
COMMAND_RETRY_S: Final = 10.0
#: An attempt that takes this multiple of `database_s` hangs, and is interrupted.
HANG_FACTOR: Final = 3


class Stopped(Exception):
    """The worker stops while the database does not answer; nothing was written."""


class Writer:
    """Writes batches over one connection, which it replaces when it breaks."""

    def __init__(
        self,
        url: str,
        settings: Ingest,
        *,
        pause: Callable[[float], bool],
        at_most_s: float = math.inf,
        formats: Formats | None = None,
        check: Callable[[Connection], None] = lambda _: None,
    ) -> None:
        """Prepare; `pause(seconds)` waits, and returns whether to stop.

        What `formats` have to remember is stored with the batches that they decoded.
        After `at_most_s` a failure is not retried: its error is raised. Each connection
        passes a `check`.
        """
        self._url = url
        self._settings = settings
        #: with what they remember
        self.formats = formats or Formats()
        self._pause = pause
        self._at_most_s = at_most_s
        self._check = check
        self._slot = settings.slot
        self._connection: Connection | None = None
        #: process number of the server for the last connection
        self._backend = 0
        self._busy_since: float | None = None
        self._known_for = 0
        self._keeper = Keeper(settings)
        self._newest = Newest()
        self._overlaps = Overlaps()

    def write(self, batch: Batch, collector: Collector) -> Counter[str]:
        """Write a batch; return the ledger's sums after the commit.

        If the database refuses rows that passed every check, the batch is halved until
        the message is found, which is kept as a reject.
        """
        batch = self.settled(batch, collector)
        try:
            return self._try(batch)
        except BAD_ROWS as error:
            messages = batch.messages
            if len(messages) == 1:
                log.exception("database_refused", extra={"topic": messages[0].topic})
                return self._try(_refused(batch, messages[0], error))
            middle = len(messages) // 2
            sums: Counter[str] = Counter()
            for half in (messages[:middle], messages[middle:]):
                sums.update(self.write(collector.collect(half), collector))
            return sums

    def settled(self, batch: Batch, collector: Collector) -> Batch:
        """Collect again a batch that needs the newest readings: see `ingest.batch`."""
        if not batch.undated:
            return batch
        known = self.with_retry(lambda c: _newest_of(c, batch.undated))
        return collector.knowing(known).collect(batch.messages)

    def write_again(self, batch: Batch, again: Again) -> Counter[str]:
        """Write a replayed message, or several whose readings are all new.

        Raise `NotNew` or `BAD_ROWS` if several cannot be written together.
        """
        try:
            return self._try(batch, again)
        except BAD_ROWS as error:
            if len(batch.messages) > 1:
                raise
            return self._try(_refused(batch, batch.messages[0], error), again)

    def _try(self, batch: Batch, again: Again | None = None) -> Counter[str]:
        """Write a batch, and create missing partitions; raise `BAD_ROWS`."""
        attempt = Attempt()
        while True:
            try:
                return self.with_retry(lambda c: self._write(c, batch, attempt, again))
            except BAD_ROWS as error:
                if not _lacks_partition(error):
                    raise
            self._create_partitions(batch)

    def with_retry(self, work: Callable[[Connection], T]) -> T:
        """Run work on the connection until it succeeds, pausing longer each time."""
        ceiling = 0.25
        began = time.monotonic()
        while True:
            self._busy_since = time.monotonic()
            try:
                return work(self._connected())
            except BAD_ROWS:
                raise
            except (psycopg.Error, DatabaseUnavailable) as error:
                self._busy_since = None
                self.close()
                if time.monotonic() - began > self._at_most_s:
                    raise
                ceiling = min(2 * ceiling, MAX_RETRY_PAUSE_S)
                # a command reports the outcome itself
                is_command = math.isfinite(self._at_most_s)
                log.log(
                    logging.INFO if is_command else logging.WARNING,
                    "database_retry",
                    extra={"reason": str(error).strip(), "pause_s": ceiling},
                )
                # jitter, so that workers do not all reconnect at once
                if self._pause(ceiling * random.uniform(0.5, 1)):  # noqa: S311 - no secret
                    raise Stopped from error
            finally:
                self._busy_since = None

    def registry(self) -> Registry:
        """Read the registry, and what others have stored of the formats' memories."""

        def read(connection: Connection) -> Registry:
            registry = read_registry(connection, self.formats)
            connection.commit()
            return registry

        return self.with_retry(read)

    def workers(self) -> int:
        """Count the workers that are connected to the database."""
        return self.with_retry(count_workers)

    def session(self) -> str:
        """Return the client identifier of this slot's session at the broker."""
        return self._name(lambda connection: session_of(connection, self._slot))

    def group(self) -> str:
        """Return the name of this worker's group at the broker."""
        return self._name(lambda c: group_of(c, self._settings.share))

    def _name(self, choose: Callable[[Connection], str]) -> str:
        def ask(connection: Connection) -> str:
            name = choose(connection)
            connection.commit()
            return name

        return self.with_retry(ask)

    def slot_is_known(self) -> bool:
        """Return whether messages may wait for this slot at the broker."""

        def ask(connection: Connection) -> bool:
            row = execute(connection, "slot_known", slot=self._slot).fetchone()
            connection.commit()
            return row is not None

        return self.with_retry(ask)

    def note_certificate(self, ends: datetime | None) -> None:
        """Record when the broker's certificate expires; None: no certificate."""
        self._note("note_certificate", ends=ends)

    def note_lost_session(self) -> None:
        """Record that the broker had lost this slot's session."""
        self._note("note_lost_session")

    def note_newest(self) -> None:
        """Write the remaining newest messages, when no more come for now."""
        self.with_retry(lambda c: self._newest.note(c, slot=self._slot, late=True))

    def _note(self, query: str, **facts: object) -> None:
        def note(connection: Connection) -> None:
            execute(connection, query, slot=self._slot, **facts)
            connection.commit()

        self.with_retry(note)

    @property
    def hangs(self) -> bool:
        """Whether the attempt takes longer than a healthy database ever does."""
        since = self._busy_since
        limit = HANG_FACTOR * self._settings.database_s
        return since is not None and time.monotonic() - since > limit

    def interrupt(self) -> None:
        """Interrupt the current attempt, from another thread; it is retried.

        A server that is paused or unreachable does not answer a cancellation, so the
        connection is shut down on our side.
        """
        connection = self._connection
        if connection is None:
            return
        log.error("database_hangs", extra={"slot": self._slot})
        self._busy_since = None
        with contextlib.suppress(OSError, psycopg.Error):
            shared = socket.socket(fileno=os.dup(connection.fileno()))
            with shared:
                shared.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; the next write opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        # unknown whether the last batch has committed
        self._overlaps = Overlaps()

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            connection = connect(self._url, application=f"ingest {self._slot}")
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            self._backend = connection.info.backend_pid
        return self._connection

    def _prepare(self, connection: Connection) -> None:
        self._check(connection)
        limit_ms = int(1000 * self._settings.database_s)
        lock_ms = limit_ms // 6
        execute(connection, "limit_session", statement_ms=limit_ms, lock_ms=lock_ms)
        connection.execute(queries()["make_staging"])
        connection.commit()
        if not self._take_slot(connection):
            raise SlotTaken(slot=self._slot)

    def _take_slot(self, connection: Connection) -> bool:
        """Take the slot for as long as the connection lives.

        The server may need a moment to notice that a killed worker is gone. If it has
        not noticed that our last connection broke, its process is terminated.
        """
        for attempt in range(SLOT_ATTEMPTS):
            row = execute(connection, "take_slot", slot=self._slot).fetchone()
            connection.commit()
            if row and row["taken"]:
                return True
            if self._backend and attempt == 0:
                execute(connection, "end_backend", pid=self._backend, slot=self._slot)
                connection.commit()
            elif self._pause(0.5):
                raise Stopped
        return False

    def _write(
        self,
        connection: Connection,
        batch: Batch,
        attempt: Attempt,
        again: Again | None = None,
    ) -> Counter[str]:
        if attempt.sums is not None and _has_committed(connection, attempt, self._slot):
            # only the answer to the commit was lost
            return attempt.sums
        # a replayed message is kept already
        if attempt.kept is None and batch.rejects and again is None:
            attempt.kept = self._keeper.choose(connection, batch.rejects)
        sums, all_new = store(
            connection,
            batch,
            slot=self._slot,
            reject_bytes=self._settings.reject_bytes,
            expect_new=again.received_at is None if again else self._known_for == 0,
            again=again,
            attempt=attempt,
            overlaps=self._overlaps,
            formats=self.formats,
        )
        # known readings come in runs: after a reconnect, in a replay
        self._known_for = max(0, self._known_for - 1) if all_new else KNOWN_BATCHES
        self._newest.add(batch)
        few = len(batch.messages) <= LOW_LOAD_MESSAGES
        self._newest.note(connection, slot=self._slot, late=few)
        return sums

    def _create_partitions(self, batch: Batch) -> None:
        """Create the partitions that the batch needs, in separate transactions."""
        needed = {
            (READING_TABLES[kind], _month(hour_of(hour)))
            for kind, rounds in batch.packed().items()
            for each in rounds
            for _, hour in each.hours
        } | {
            ("rejected_message", _month(reject.message.received_at))
            for reject in batch.rejects
        }

        def make(connection: Connection) -> None:
            for table, month in sorted(needed):
                execute(
                    connection,
                    "ensure_range",
                    table=table,
                    earliest=month,
                    latest=month,
                )
                connection.commit()

        self.with_retry(make)


def _newest_of(
    connection: Connection, undated: dict[int, datetime]
) -> dict[int, Content | None]:
    """Read the content of the newest readings of channels; None if there are none."""
    known: dict[int, Content | None] = dict.fromkeys(undated)
    given = {"channels": [*undated], "received": [*undated.values()]}
    for kind in READING_TABLES:
        for row in execute(connection, f"newest_{kind}", **given):
            channel_id = row.pop("channel_id")
            held = {name: each for name, each in row.items() if each is not None}
            known[channel_id] = held
    connection.commit()
    return known


def _has_committed(connection: Connection, attempt: Attempt, slot: int) -> bool:
    """Return whether a batch is the newest one committed for a slot."""
    row = execute(connection, "newest_batch", slot=slot).fetchone()
    connection.commit()
    return row is not None and row["batch"] == attempt.batch


def _lacks_partition(error: psycopg.Error) -> bool:
    """Distinguish a missing partition from a violated constraint, which has a name."""
    missing = isinstance(error, psycopg.errors.CheckViolation)
    return missing and error.diag.constraint_name is None


def _refused(batch: Batch, message: Message, error: Exception) -> Batch:
    """Return a batch of one message with all its readings rejected."""
    detail = Detail.of(_("the database says: {}"), str(error))
    rejects = []
    for (sensor_id, _hour), tally in batch.ledger.items():
        readings = tally.readings_written + tally.readings_rejected
        tally.readings_written, tally.readings_rejected = 0, readings
        tally.readings_late = 0
        tally.accepted = tally.partly_accepted = tally.unknown_sensor = 0
        tally.rejected = 1
        reject = Reject(message, sensor_id, "database-refused", detail, readings)
        tally.outcomes = [(message.received_at, 0, (readings, reject.reason, detail))]
        rejects.append(reject)
    return Batch(
        messages=[message],
        rejects=rejects,
        ledger=batch.ledger,
        numbered=batch.numbered,
    )


def _month(time: datetime) -> datetime:
    return time.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
