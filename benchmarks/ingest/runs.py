"""The runs of a bench, each on new parts, and the outcome of their readings."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from benchmarks.ingest.load import message, prepared
from benchmarks.ingest.parts import TIMEOUT_S, TooLate, start_parts, wait
from benchmarks.ingest.workers import cpu_s, cpu_us, hold, ready, rss_mb, start_workers
from ingest.batch import Collector, Message
from ingest.check import Limits
from ingest.formats import formats
from ingest.resolve import read_registry
from ingest.rows import copied
from verkehrspuls.settings import Ingest
from verkehrspuls.storage.database import Connection, connect
from verkehrspuls.storage.named import queries

#: messages per second and duration when latency is measured; interval of polling
LATENCY_LOAD: Final = (5_000, 6)
POLL_S: Final = 0.004
#: duration of the database outage
OUTAGE_S: Final = 12
#: messages per second and duration while a process is killed; times of the kills
KILL_LOAD: Final = (2_000, 8)
KILLS_S: Final = (2.5, 5.5)
ROW_BATCH: Final = 20_000


class Account(NamedTuple):
    """Outcome of the readings of a run."""

    lost: int
    duplicates: int
    balanced: bool


class Bench:
    """Runs on new parts, and the accounts of all runs.

    `most_per_s` bounds the rates of the runs that take a fixed time.
    """

    def __init__(self, *, most_per_s: int = LATENCY_LOAD[0]) -> None:
        self.broker = ""
        self._most_per_s = most_per_s
        self.accounts: list[Account] = []

    def backlog(
        self,
        messages: int,
        *,
        readings: int = 1,
        bulk: bool = True,
        workers: int = 1,
        timescale: bool = False,
    ) -> dict[str, float]:
        """Drain a backlog."""
        total = messages * readings
        with (
            start_parts(timescale=timescale) as parts,
            connect(parts.database, autocommit=True) as connection,
        ):
            self.broker = parts.broker_name
            with start_workers(parts, bulk=bulk, workers=workers) as processes:
                ready(processes)  # the session exists, and the worker is gone again
            with prepared(parts, messages, readings, rate=0) as publish:
                publish()
            with start_workers(parts, bulk=bulk, workers=workers) as processes:
                hold(processes, connection)
                pids = parts.pids | {f"worker {p.pid}": p.pid for p in processes}
                before = cpu_s(pids)
                began = time.perf_counter()
                for process in processes:
                    process.send_signal(signal.SIGCONT)
                wait(lambda: _missing(connection, total))
                took = time.perf_counter() - began
                used = cpu_s(pids)
            self.accounts.append(_account(connection, total))
            copy_s = _bare_copy(connection, messages, readings)
        return {
            "per_s": round(messages / took),
            "copy_ratio": round(copy_s / took, 3),
            **cpu_us(before, used, messages),
        }

    def live(self, messages: int) -> dict[str, float]:
        """Receive while messages are published."""
        with _receiving(messages) as (connection, publish):
            began = time.perf_counter()
            publish()
            published_s = time.perf_counter() - began
            wait(lambda: _missing(connection, messages))
            took = time.perf_counter() - began
            self.accounts.append(_account(connection, messages))
        return {
            "publish_per_s": round(messages / published_s),
            "live_per_s": round(messages / took),
        }

    def latency(self) -> dict[str, float]:
        """Poll from a separate connection how many rows are visible, and when."""
        rate, seconds = LATENCY_LOAD
        rate = min(rate, self._most_per_s)
        messages = rate * seconds
        with _receiving(messages, rate=rate) as (connection, publish):
            began = time.perf_counter()
            watched: list[tuple[float, int]] = []
            loader = publish(wait=False)
            while not watched or watched[-1][1] < messages:
                watched.append((time.perf_counter() - began, _stored(connection)))
                if watched[-1][0] > TIMEOUT_S:
                    raise TooLate(_missing(connection, messages))
                time.sleep(POLL_S)
            loader()
            self.accounts.append(_account(connection, messages))
        # message n is published at n / rate, and visible when n + 1 rows are
        delays: list[float] = []
        for at, visible in watched:
            delays += [at - n / rate for n in range(len(delays), visible)]
        delays = sorted(delays[rate:])
        return {
            "p50_ms": round(1000 * delays[len(delays) // 2], 1),
            "p99_ms": round(1000 * delays[len(delays) * 99 // 100], 1),
        }

    def outage(self, seconds: float) -> dict[str, float]:
        """Publish at a moderate rate while the database is down, then start it again.

        The queue, made small for this, is full after two seconds; the broker keeps the
        rest.
        """
        rate = min(LATENCY_LOAD[0], self._most_per_s)
        messages = int(rate * seconds)
        with (
            start_parts() as parts,
            start_workers(parts, queue=2 * rate) as processes,
            prepared(parts, messages, 1, rate=rate) as publish,
        ):
            ready(processes)
            (worker,) = processes
            parts.server.stop()
            began = time.perf_counter()
            finish = publish(wait=False)
            time.sleep(seconds * 0.4)
            full_mb = most_mb = rss_mb(worker.pid)
            while time.perf_counter() - began < seconds:
                most_mb = max(most_mb, rss_mb(worker.pid))
                time.sleep(0.1)
            finish()
            parts.server.start()
            with connect(parts.database, autocommit=True) as connection:
                wait(lambda: _missing(connection, messages))
                self.accounts.append(_account(connection, messages))
            after_mb = rss_mb(worker.pid)
        return {
            "outage_s": seconds,
            "outage_rss_mb": round(full_mb, 1),
            "outage_rss_growth_mb": round(most_mb - full_mb, 1),
            "after_outage_rss_mb": round(after_mb, 1),
        }

    def killed(self) -> dict[str, float]:
        """Kill the worker twice while messages are published; restart it at once."""
        rate, seconds = KILL_LOAD
        rate = min(rate, self._most_per_s)
        messages = rate * seconds
        with (
            start_parts() as parts,
            connect(parts.database, autocommit=True) as connection,
            prepared(parts, messages, 1, rate=rate) as publish,
            ExitStack() as stack,
        ):
            processes = stack.enter_context(start_workers(parts))
            ready(processes)
            began = time.perf_counter()
            finish = publish(wait=False)
            for kill_s in KILLS_S:
                time.sleep(max(0.0, began + kill_s - time.perf_counter()))
                processes[0].kill()
                processes = stack.enter_context(start_workers(parts))
            finish()
            wait(lambda: _missing(connection, messages))
            account = _account(connection, messages)
        return {f"killed_{name}": found for name, found in account._asdict().items()}


@contextmanager
def _receiving(
    messages: int, *, rate: float = 0
) -> Iterator[tuple[Connection, Callable[..., Any]]]:
    """Start new parts and a worker; yield a connection, and the load when it is ready.

    The load is a function that starts publishing messages with one reading each.
    """
    with (
        start_parts() as parts,
        connect(parts.database, autocommit=True) as connection,
        start_workers(parts) as processes,
        prepared(parts, messages, 1, rate=rate) as publish,
    ):
        ready(processes)
        yield connection, publish


def _bare_copy(connection: Connection, messages: int, readings: int) -> float:
    """COPY the same rows into a table without key; return the seconds."""
    now = datetime.now(UTC)
    collector = Collector(
        read_registry(connection), formats(), Limits.at(now, Ingest())
    )
    batch = collector.collect(
        Message(*message(number, readings), now) for number in range(messages)
    )
    connection.execute(queries()["make_staging"])
    connection.execute("create table bare (like stage_count)")
    rows = sorted(batch.counts)
    began = time.perf_counter()
    for first in range(0, len(rows), ROW_BATCH):
        with connection.cursor().copy("copy bare from stdin (format binary)") as copy:
            copy.write(copied(rows[first : first + ROW_BATCH]))
    return time.perf_counter() - began


def _stored(connection: Connection) -> int:
    row = connection.execute("select sum(readings_stored)::int from ledger").fetchone()
    return (row and row[0]) or 0


def _missing(connection: Connection, readings: int) -> str:
    missing = readings - _stored(connection)
    return f"{missing} of {readings} readings" if missing > 0 else ""


def _account(connection: Connection, readings: int) -> Account:
    """Return lost and duplicate readings, and whether the ledger balances."""
    stored, duplicates, balanced = connection.execute(
        "select sum(readings_stored)::int, sum(readings_duplicate)::int, "
        "sum(readings_received) = sum(readings_stored + readings_duplicate "
        "+ readings_corrected + readings_rejected) from ledger"
    ).fetchone() or (0, 0, False)
    return Account(readings - stored, duplicates, balanced)
