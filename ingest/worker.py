"""The ingest worker: three threads, each with one thing to do.

    network    Receiver: reads, and acknowledges what has committed
    collector  Collector: turns messages into batches
    writer     Writer: commits a batch at a time

    Receiver ─Inbox→ Collector ─batch→ Writer ─committed→ Receiver

The main thread runs the network. While a batch is being written the next one is
collected: it grows until the writer is free, so that batches are small while little
comes and large while much does. Only the writer thread uses the database. Should one
of the threads die, the worker ends with its error, and whoever supervises it starts it
anew: it is never connected but idle.
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
from typing import NamedTuple, Protocol

from ingest.batch import Batch, Collector, Message
from ingest.check import Limits
from ingest.formats import formats
from ingest.rate import RateLimit
from ingest.receive import Inbox, Receiver
from ingest.resolve import Registry, beside, filters
from ingest.write import Stopped, Writer
from verkehrspuls.settings import Settings
from verkehrspuls.storage.clocks import ahead

log = logging.getLogger(__name__)

#: Reasons for which a sensor may have been registered meanwhile.
UNKNOWN = ("unknown-sensor", "unknown-topic")
#: An unknown sensor makes the registry be read again, but not more often than this.
UNKNOWN_SENSOR_S = 1.0
REPORT_S = 10.0
#: It is said so often that a sensor's clock is ahead.
SAY_AHEAD_S = 3600.0
#: how many messages the collector takes out of the inbox at once
TAKE = 500
#: how long a thread waits for another before it looks around
PATIENCE_S = 0.5
#: So many messages double the time that a batch is given, which is at most so many
#: times `ingest.linger_ms`.
MANY = 1000
FULLER = 5
#: thresholds of the garbage collector
GARBAGE = (100_000, 20, 20)
#: After so long a thread that computes lets another one go on. In the usual 5 ms the
#: database would run dry, again and again, while the next piece of a batch waits.
SWITCH_S = 0.0005
#: how often the collector looks whether the writer is free, when nothing comes
BUSY_S = 0.002


class Collected(NamedTuple):
    """A batch, and by what it was collected: that may have to be done again."""

    batch: Batch
    collector: Collector


class BatchWriter(Protocol):
    """What writes batches and knows the database: `ingest.write.Writer`, or a fake.

    All but `hangs` and `interrupt` are called by the writer thread only.
    """

    @property
    def hangs(self) -> bool:
        """Whether an attempt takes longer than a database that is well ever does."""

    def interrupt(self) -> None:
        """Break off what is being tried; it is tried again."""

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
        """Note what is left of the newest messages."""

    def note_certificate(self, ends: datetime | None) -> None:
        """Note until when the broker's certificate is valid."""

    def note_lost_session(self) -> None:
        """Note that the broker had forgotten this slot's session."""

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
        """Prepare; with `drain_idle_s` it ends when nothing came for so long.

        Without a writer of somebody else's it writes to the database of the settings.
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
        #: messages seen, and since when no more came; none: not connected yet
        self._seen = 0
        self._idle_since: float | None = None
        #: messages whose transaction has committed
        self.written = 0
        self.drained = False
        self._writer: BatchWriter = writer or Writer(
            settings.database.url.get_secret_value(),
            self._settings,
            pause=self._stop.wait,
        )
        #: taken out of the inbox, for the next batch; only the collector touches it
        self._taken: deque[Message] = deque()
        #: at most one that waits for the writer; None: that was the last
        self._batches: queue.Queue[Collected | None] = queue.Queue(maxsize=1)
        #: a batch is being written; the next one may grow meanwhile
        self._writing = False
        #: the writer thread has ended
        self._ended = threading.Event()
        #: the slot is ours and the registry was read
        self._prepared = threading.Event()
        self._sessions_lost = 0
        self._certificate_ends: datetime | None = None
        self._registry = Registry()
        self._registry_read = 0.0
        self._looked_again = float("-inf")
        self._readings = 0
        #: when it was last said of a sensor that its clock is ahead
        self._said_ahead: dict[int, float] = {}
        self._rate = RateLimit(self._settings)

    def stop(self) -> None:
        """Stop reading, write what was received, acknowledge, disconnect."""
        self._stop.set()
        self._receiver.wake()

    def run(self) -> None:
        """Receive and write until `stop` is called."""
        # what lives as long as the process is not looked through again and again, and
        # messages and rows, of which there are many, make no cycles
        gc.freeze()
        gc.set_threshold(*GARBAGE)
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
        reported, readings = time.monotonic(), 0
        try:
            while not self._stop.is_set() and writer.is_alive() and not self._failure:
                if self._writer.hangs:
                    self._writer.interrupt()
                # not before the slot is ours: the broker would throw out its worker
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
                collector.join(2 * PATIENCE_S)
                self._writer.close()
        if self._failure is not None:
            raise self._failure

    def _is_ready(self) -> None:
        self._idle_since = time.monotonic()
        self._on_ready()

    def _is_drained(self) -> bool:
        """Whether all that came is written, and nothing came for a while."""
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
            while not self._prepared.wait(PATIENCE_S):
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
        """Give a batch to the writer; False where that has ended."""
        while not self._ended.is_set():
            with contextlib.suppress(queue.Full):
                self._batches.put(collected, timeout=PATIENCE_S)
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
                    collected = self._batches.get(timeout=PATIENCE_S)
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
        """Let others know that messages may be missing, or a certificate expires."""
        if self._sessions_lost != self._receiver.sessions_lost:
            self._sessions_lost = self._receiver.sessions_lost
            self._writer.note_lost_session()
        if self._certificate_ends != self._receiver.certificate_ends:
            self._certificate_ends = self._receiver.certificate_ends
            self._writer.note_certificate(self._certificate_ends)

    def _next_batch(self) -> Collected:
        """Collect until the batch is full, or old enough and the writer free.

        A batch costs the database something for each sensor in it. So one that fills
        quickly is given more time, up to `FULLER` times `ingest.linger_ms`.
        """
        now = datetime.now(UTC)
        collector = Collector(self._registry, formats(), Limits.at(now, self._settings))
        batch = Batch()
        began = time.monotonic()
        closes_s = PATIENCE_S
        most = self._settings.batch_readings
        # a message that is rejected has no readings, and takes room all the same
        while batch.readings < most and len(batch.messages) < most:
            if not self._taken:
                wait_s = began + closes_s - time.monotonic()
                free = self._batches.empty() and not self._writing
                if (wait_s <= 0 and free) or self._inbox.finished:
                    break
                self._taken.extend(self._inbox.take(max(wait_s, BUSY_S), at_most=TAKE))
                continue
            if not batch.messages:
                began = time.monotonic()
            while self._taken and batch.readings < most and len(batch.messages) < most:
                collector.add(batch, self._taken.popleft())
            fuller = min(FULLER, 1 + len(batch.messages) / MANY)
            closes_s = fuller * self._settings.linger_ms / 1000
        if self._writing:
            # else the writer, which waits, does it while the next one is collected
            batch.packed()
        return Collected(batch, collector)

    def _write(self, collected: Collected) -> None:
        batch, collector = collected
        # registered a moment ago, perhaps: the registry may have been read since the
        # batch was collected, and if that does not tell either, it is read once more
        while any(reject.reason in UNKNOWN for reject in batch.rejects):
            if collector.registry is self._registry and not self._look_again():
                break
            collector = collector.with_registry(self._registry)
            batch = collector.collect(batch.messages)
        if beyond := self._rate.beyond(batch):
            log.warning("rate_limited", extra={"sensors": sorted(beyond)})
            collector = collector.limited(batch.messages, beyond)
            batch = collector.collect(batch.messages)
        self._writer.write(batch, collector)
        if batch.ahead:
            self._say_ahead(batch)
        # room first: the receiver, woken, looks whether there is some
        self._inbox.release(batch.messages)
        self._receiver.committed(batch.messages)
        self.written += len(batch.messages)
        self._readings += batch.readings

    def _say_ahead(self, batch: Batch) -> None:
        """Say whose clock is ahead: at its first message, and once an hour."""
        now = time.monotonic()
        keys = {sensor.sensor_id: key for key, sensor in self._registry.items()}
        for sensor_id, ended in batch.ahead.items():
            if now - self._said_ahead.get(sensor_id, -math.inf) < SAY_AHEAD_S:
                continue
            self._said_ahead[sensor_id] = now
            minutes = round((ended - datetime.now(UTC)).total_seconds() / 60)
            log.warning(
                "clock_ahead",
                extra={
                    "sensor": "/".join(keys.get(sensor_id, ())),
                    "reason": ahead(minutes, "en"),
                },
            )

    def _look_again(self) -> bool:
        """Read the registry because of an unknown sensor, but not at each of a flood.

        However new what was read is: the sensor may have been registered since.
        """
        now = time.monotonic()
        if now - self._looked_again <= UNKNOWN_SENSOR_S:
            return False
        self._looked_again = now
        self._read_registry()
        return True

    def _read_registry(self) -> None:
        self._registry = self._writer.registry()
        if self._settings.share:
            self._rate.workers = self._writer.workers()
        self._registry_read = time.monotonic()
        municipalities = self._settings.municipalities
        # where the work is parted, others hear their sensors themselves
        wide = self._settings.unregistered and not municipalities
        self._receiver.listen(
            filters(self._registry, municipalities),
            beside=beside(self._registry) if wide else (),
        )
