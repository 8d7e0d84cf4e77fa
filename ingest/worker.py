"""The ingest worker: three threads, each with one task.

    network    Receiver: reads, and acknowledges what has committed
    collector  Collector: turns messages into batches
    writer     Writer: commits a batch at a time

    Receiver ─Inbox→ Collector ─batch→ Writer ─committed→ Receiver

The main thread runs the network. While one batch is written the next one is collected
and grows until the writer is free, so that batches are small under low load and large
under high load. Only the writer thread uses the database. If a thread dies, the worker
ends with its error, and its supervisor restarts it: a worker is never connected but
idle. Beside them a thread replays what engineers ask for (`ingest.asked`).
"""

import contextlib
import gc
import logging
import math
import queue
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple, Protocol

from ingest import asked
from ingest.batch import Batch, Collector, Message
from ingest.check import Limits
from ingest.formats import Formats
from ingest.rate import RateLimit
from ingest.receive import Inbox, Receiver
from ingest.resolve import Registry, beside, filters
from ingest.write import Stopped, Writer
from verkehrspuls.settings import Settings
from verkehrspuls.storage.clocks import ahead
from verkehrspuls.storage.roles import require_login

log = logging.getLogger(__name__)

#: Reasons that a registration may have removed in the meantime.
REGISTRABLE = ("unknown-sensor", "unknown-topic")
#: Minimum time between reads of the registry because of unknown sensors.
REGISTRY_REREAD_S = 1.0
REPORT_S = 10.0
#: Interval between log entries about a sensor whose clock is ahead.
CLOCK_AHEAD_LOG_S = 3600.0
#: maximum messages that the collector takes from the inbox at once
MAX_TAKE = 500
#: wait of a thread for another before it checks the state
THREAD_WAIT_S = 0.5
#: Messages that extend the time of a batch by another `ingest.linger_ms`, and the limit
#: of that time as a multiple of it.
LINGER_STEP_MESSAGES = 1000
BATCH_LINGER_LIMIT = 5
#: thresholds of the garbage collector
GC_THRESHOLDS = (100_000, 20, 20)
#: Interval after which a computing thread lets another one run. With the usual 5 ms the
#: database would be idle again and again, while the next piece of a batch waits.
SWITCH_S = 0.0005
#: interval at which the collector checks whether the writer is free, without messages
WRITER_CHECK_S = 0.002


class Collected(NamedTuple):
    """A batch, and its collector, in case it must be collected again."""

    batch: Batch
    collector: Collector


class BatchWriter(Protocol):
    """The interface of a writer of batches: `ingest.write.Writer`, or a fake.

    All but `hangs` and `interrupt` are called by the writer thread only.
    """

    @property
    def hangs(self) -> bool:
        """Whether an attempt takes longer than a healthy database ever does."""

    def interrupt(self) -> None:
        """Interrupt the current attempt; it is retried."""

    def write(self, batch: Batch, collector: Collector) -> Counter[str]:
        """Write a batch; return when it has committed, with the ledger's sums."""

    def registry(self) -> Registry:
        """Read the registry."""

    def workers(self) -> int:
        """Count the workers that are connected to the database."""

    def session(self) -> str:
        """Return the client identifier of this slot's session at the broker."""

    def group(self) -> str:
        """Return the name of this worker's group at the broker."""

    def slot_is_known(self) -> bool:
        """Whether messages may wait for this slot at the broker."""

    def note_newest(self) -> None:
        """Record the remaining newest messages."""

    def note_certificate(self, ends: datetime | None) -> None:
        """Record when the broker's certificate expires."""

    def note_lost_session(self) -> None:
        """Record that the broker had lost this slot's session."""

    def close(self) -> None:
        """Close the connection."""


class Worker:
    """One worker slot."""

    def __init__(
        self,
        settings: Settings,
        *,
        writer: BatchWriter | None = None,
        on_ready: Callable[[], None] = lambda: None,
        drain_idle_s: float | None = None,
    ) -> None:
        """Prepare; with `drain_idle_s` it ends when no message came for that time.

        Without a `writer` it writes to the database of the settings.
        """
        self._settings = settings.ingest
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._inbox = Inbox(
            messages=self._settings.queue_messages,
            size_bytes=self._settings.queue_mb * 1_048_576,
        )
        self._receiver = Receiver(
            settings.broker,
            self._settings,
            self._inbox,
            on_ready=self._is_ready,
            draining=drain_idle_s is not None,
        )
        self._on_ready = on_ready
        self._drain_idle_s = drain_idle_s
        #: messages seen, and time of the last one; None: not connected yet
        self._seen = 0
        self._idle_since: float | None = None
        #: messages whose transaction has committed
        self.written = 0
        self.drained = False
        #: with all that the formats remember of earlier messages
        self._formats = Formats()
        self._writer: BatchWriter = writer or Writer(
            settings.database.login("ingest"),
            self._settings,
            pause=self._stop.wait,
            formats=self._formats,
            check=partial(require_login, part="ingest"),
        )
        #: taken from the inbox for the next batch; only the collector uses it
        self._taken: deque[Message] = deque()
        #: at most one batch that waits for the writer; None: that was the last
        self._batches: queue.Queue[Collected | None] = queue.Queue(maxsize=1)
        #: a batch is being written; the next one may grow meanwhile
        self._writing = False
        #: the writer thread has ended
        self._ended = threading.Event()
        #: the slot is ours and the registry is read
        self._prepared = threading.Event()
        self._sessions_lost = 0
        self._certificate_ends: datetime | None = None
        self._registry = Registry()
        self._registry_read = 0.0
        self._reread_at = float("-inf")
        self._readings = 0
        #: time of the last log entry about a sensor's clock, by sensor
        self._logged_ahead: dict[int, float] = {}
        self._rate = RateLimit(self._settings)
        self._replays = threading.Thread(
            target=asked.serve,
            args=(settings,),
            kwargs={"pause": self._stop.wait},
            name="ingest.replays",
            daemon=True,
        )
        #: not while a slot is drained
        self._serves_replays = writer is None and drain_idle_s is None

    def stop(self) -> None:
        """Stop reading, write what was received, acknowledge, disconnect."""
        self._stop.set()
        self._receiver.wake()

    def run(self) -> None:
        """Receive and write until `stop` is called."""
        # objects that live as long as the process are not scanned again, and the many
        # messages and rows contain no cycles
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        sys.setswitchinterval(SWITCH_S)
        # daemons: a database that does not answer must not keep the process alive
        writer = threading.Thread(
            target=self._write_all, name="ingest.writer", daemon=True
        )
        writer.start()
        collector = threading.Thread(
            target=self._collect_all, name="ingest.collector", daemon=True
        )
        collector.start()
        if self._serves_replays:
            self._replays.start()
        reported, readings = time.monotonic(), 0
        try:
            while not self._stop.is_set() and writer.is_alive() and not self._failure:
                if self._writer.hangs:
                    self._writer.interrupt()
                # not before the slot is ours: the broker would disconnect its worker
                if not self._prepared.wait(0 if self._prepared.is_set() else 0.2):
                    continue
                self._receiver.step()
                if self._is_drained():
                    self.drained = True
                    break
                if time.monotonic() - reported > REPORT_S:
                    if self._readings > readings:
                        log.info("stored", extra={"readings": self._readings})
                    reported, readings = time.monotonic(), self._readings
        finally:
            self._inbox.close()
            writer.join(self._settings.drain_s)
            if writer.is_alive():
                self._writer.interrupt()
                writer.join(0.5)
            self._receiver.stop()
            if not writer.is_alive():
                collector.join(2 * THREAD_WAIT_S)
                self._writer.close()
            self._stop.set()
            if self._serves_replays:
                self._replays.join(THREAD_WAIT_S)
        if self._failure is not None:
            raise self._failure

    def _is_ready(self) -> None:
        self._idle_since = time.monotonic()
        self._on_ready()

    def _is_drained(self) -> bool:
        """Return whether all messages are written and none came for the set time."""
        if self._drain_idle_s is None or self._idle_since is None:
            return False
        if self._receiver.received != self._seen:
            self._seen = self._receiver.received
            self._idle_since = time.monotonic()
        idle_s = time.monotonic() - self._idle_since
        return self.written == self._seen and idle_s >= self._drain_idle_s

    def _collect_all(self) -> None:
        """Collect batches until the inbox is closed and empty; the collector thread."""
        try:
            while not self._prepared.wait(THREAD_WAIT_S):
                if self._inbox.finished:
                    return
            while self._taken or not self._inbox.finished:
                collected = self._next_batch()
                if collected.batch.messages and not self._hand_over(collected):
                    return
                del collected  # it lives no longer than the inbox counts it
        except BaseException as error:
            self._failure = error
        finally:
            self._receiver.wake()
            self._hand_over(None)

    def _hand_over(self, collected: Collected | None) -> bool:
        """Pass a batch to the writer; return False if the writer has ended."""
        while not self._ended.is_set():
            with contextlib.suppress(queue.Full):
                self._batches.put(collected, timeout=THREAD_WAIT_S)
                return True
        return False

    def _write_all(self) -> None:
        """Write batches until the last one is written; the writer thread."""
        try:
            self._prepare()
            while True:
                self._note_session()
                if time.monotonic() - self._registry_read > self._settings.registry_s:
                    self._read_registry()
                try:
                    collected = self._batches.get(timeout=THREAD_WAIT_S)
                except queue.Empty:
                    self._writer.note_newest()
                    continue
                if collected is None:
                    self._writer.note_newest()
                    return
                self._writing = True
                self._write(collected)
                self._writing = False
                del collected
        except Stopped:
            log.warning("stopped_without_database")
        except BaseException as error:
            self._failure = error
        finally:
            self._ended.set()
            self._receiver.wake()

    def _prepare(self) -> None:
        self._read_registry()
        self._receiver.serve(
            self._writer.session(),
            group=self._writer.group() if self._settings.share else "",
            expects_session=self._writer.slot_is_known(),
        )
        self._prepared.set()

    def _note_session(self) -> None:
        """Record possibly missing messages and a certificate's end."""
        if self._sessions_lost != self._receiver.sessions_lost:
            self._sessions_lost = self._receiver.sessions_lost
            self._writer.note_lost_session()
        if self._certificate_ends != self._receiver.certificate_ends:
            self._certificate_ends = self._receiver.certificate_ends
            self._writer.note_certificate(self._certificate_ends)

    def _next_batch(self) -> Collected:
        """Collect until the batch is full, or old enough and the writer free.

        A batch costs the database some work for each sensor in it. So a batch that
        fills quickly gets more time, up to `BATCH_LINGER_LIMIT` times
        `ingest.linger_ms`.
        """
        now = datetime.now(UTC)
        collector = Collector(
            self._registry, self._formats, Limits.at(now, self._settings)
        )
        batch = Batch()
        began = time.monotonic()
        closes_s = THREAD_WAIT_S
        most = self._settings.batch_readings
        # a rejected message has no readings, but takes room as well
        while batch.readings < most and len(batch.messages) < most:
            if not self._taken:
                wait_s = began + closes_s - time.monotonic()
                free = self._batches.empty() and not self._writing
                if (wait_s <= 0 and free) or self._inbox.finished:
                    break
                self._taken.extend(
                    self._inbox.take(max(wait_s, WRITER_CHECK_S), at_most=MAX_TAKE)
                )
                continue
            if not batch.messages:
                began = time.monotonic()
            while self._taken and batch.readings < most and len(batch.messages) < most:
                collector.add(batch, self._taken.popleft())
            linger = min(
                BATCH_LINGER_LIMIT, 1 + len(batch.messages) / LINGER_STEP_MESSAGES
            )
            closes_s = linger * self._settings.linger_ms / 1000
        if self._writing:
            # otherwise the idle writer packs it while the next one is collected
            batch.packed()
        return Collected(batch, collector)

    def _write(self, collected: Collected) -> None:
        batch, collector = collected
        # the sensor may just have been registered: the registry may have been read
        # since the batch was collected; if not, it is read once more
        while any(reject.reason in REGISTRABLE for reject in batch.rejects):
            if collector.registry is self._registry and not self._reread_registry():
                break
            collector = collector.with_registry(self._registry)
            batch = collector.collect(batch.messages)
        if beyond := self._rate.beyond(batch):
            log.warning("rate_limited", extra={"sensors": sorted(beyond)})
            collector = collector.limited(batch.messages, beyond)
            batch = collector.collect(batch.messages)
        self._writer.write(batch, collector)
        if batch.ahead:
            self._log_ahead(batch)
        # room first: the receiver, once woken, checks whether there is some
        self._inbox.release(batch.messages)
        self._receiver.committed(batch.messages)
        self.written += len(batch.messages)
        self._readings += batch.readings

    def _log_ahead(self, batch: Batch) -> None:
        """Log sensors whose clock is ahead: at the first message, and once an hour."""
        now = time.monotonic()
        keys = {sensor.sensor_id: key for key, sensor in self._registry.items()}
        for sensor_id, ended in batch.ahead.items():
            if now - self._logged_ahead.get(sensor_id, -math.inf) < CLOCK_AHEAD_LOG_S:
                continue
            self._logged_ahead[sensor_id] = now
            minutes = round((ended - datetime.now(UTC)).total_seconds() / 60)
            log.warning(
                "clock_ahead",
                extra={
                    "sensor": "/".join(keys.get(sensor_id, ())),
                    "reason": ahead(minutes, "en"),
                },
            )

    def _reread_registry(self) -> bool:
        """Read the registry again because of an unknown sensor, at a limited rate.

        The sensor may have been registered since the last read. Return False if the
        registry was read for this reason less than `REGISTRY_REREAD_S` ago.
        """
        now = time.monotonic()
        if now - self._reread_at <= REGISTRY_REREAD_S:
            return False
        self._reread_at = now
        self._read_registry()
        return True

    def _read_registry(self) -> None:
        self._registry = self._writer.registry()
        if self._settings.share:
            self._rate.workers = self._writer.workers()
        self._registry_read = time.monotonic()
        municipalities = self._settings.municipalities
        # if the load is split by municipality, each worker subscribes to its own
        # sensors
        wide = self._settings.unregistered and not municipalities
        self._receiver.listen(
            filters(self._registry, municipalities),
            beside=beside(self._registry) if wide else (),
        )
