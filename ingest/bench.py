"""How fast readings get from the broker into the database, on parts of its own.

The database is the embedded one, the broker Mosquitto where it is installed, else the
embedded one. Everything shares the machine: load, broker, workers, database. Each
figure is of one run; compare ratios within it.

- backlog: published while no worker runs, then drained. Workers are held when they
  have their slots, just before they connect to the broker, and counting begins when
  all are let go: the start of a process is not meant.
- live: published while the worker runs, from the first message to the last commit
- latency: at a moderate rate, from publishing to the commit, by a connection that looks
  every few milliseconds; not in the first second, when everything is new to worker and
  database, the partition too
- cpu_us: CPU of worker, database and broker for a message of the backlog; it depends
  less on what else runs than the rates do
- outage: the worker's memory with the database down and its queue full, and how much
  that grows until the database is back
- copy_ratio: the bare COPY of the same rows, without key, ledger or broker, takes this
  share of the time of draining them; for messages with many readings, and with one
- timescale: the same backlog into TimescaleDB, where a checkout has one for its tests

Lost, duplicates and balance are of all runs together.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from ingest.batch import Collector, Message
from ingest.check import Limits
from ingest.formats import formats
from ingest.resolve import read_registry
from ingest.rows import copied
from verkehrspuls.model import Channel, Installation, Sensor, Site, Town
from verkehrspuls.settings import Ingest
from verkehrspuls.storage.database import Connection, connect, queries
from verkehrspuls.storage.migrate import migrate
from verkehrspuls.storage.registry import register

SENSORS: Final = 500
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE_S: Final = 300
#: per second, and for how long, when latency is measured; how often it is looked
MODERATE: Final = (5_000, 6)
LOOK_S: Final = 0.004
#: how long the database is down
OUTAGE_S: Final = 12
ROW_BATCH: Final = 20_000
_MOSQUITTO: Final = """
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {directory}/
autosave_interval 0
max_queued_messages 0
max_inflight_messages 0
"""


class Parts(NamedTuple):
    """Where the parts of a bench are, and their processes."""

    database: str
    broker: str
    publish: str
    broker_name: str
    pids: dict[str, int]
    #: stops and starts the database, where it is the embedded one
    server: Any = None


class Account(NamedTuple):
    """What became of the readings of a run."""

    lost: int
    duplicates: int
    balanced: bool


def run(messages: int, *, multi: int = 100) -> dict[str, Any]:
    """Measure; `messages` with one reading each, and fewer with `multi` each."""
    bench = Bench()
    found = bench.backlog(messages // 3, bulk=False)
    result: dict[str, Any] = {
        "messages": messages,
        "broker": bench.broker,
        "stock_per_s": found["per_s"],
    }
    found = bench.backlog(messages)
    result["backlog_1_per_s"] = found["per_s"]
    result |= {name: found[name] for name in found if name.startswith("cpu_us")}
    result["copy_ratio_single"] = found["copy_ratio"]
    result["backlog_2_per_s"] = bench.backlog(messages, workers=2)["per_s"]
    result |= bench.live(messages)
    found = bench.backlog(3 * messages // multi, readings=multi)
    result["readings_per_s"] = found["per_s"] * multi
    result["cpu_us_per_reading"] = round(found["cpu_us_worker"] / multi, 1)
    result["copy_ratio"] = found["copy_ratio"]
    result |= bench.latency()
    result |= bench.outage(OUTAGE_S)
    for workers in (1, 2):
        name = f"timescale_backlog_{workers}_per_s"
        result[name] = None
        if _has_timescale():
            found = bench.backlog(messages, workers=workers, timescale=True)
            result[name] = found["per_s"]
    result["lost"] = sum(account.lost for account in bench.accounts)
    result["duplicates"] = sum(account.duplicates for account in bench.accounts)
    result["balanced"] = all(account.balanced for account in bench.accounts)
    return result


class Bench:
    """Runs, each on new parts, and the accounts of all."""

    def __init__(self) -> None:
        self.broker = ""
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
            _parts(timescale=timescale) as parts,
            connect(parts.database, autocommit=True) as connection,
        ):
            self.broker = parts.broker_name
            with _ingest(parts, bulk=bulk, workers=workers) as processes:
                _ready(processes)  # the session is made, and the worker away again
            with _prepared(parts, messages, readings, rate=0) as publish:
                publish()
            with _ingest(parts, bulk=bulk, workers=workers) as processes:
                _hold(processes, connection)
                pids = parts.pids | {f"worker {p.pid}": p.pid for p in processes}
                before = _used(pids)
                began = time.perf_counter()
                for process in processes:
                    process.send_signal(signal.SIGCONT)
                _wait(lambda: _stored(connection) >= total)
                took = time.perf_counter() - began
                used = _used(pids)
            self.accounts.append(_account(connection, total))
            copy_s = _bare_copy(connection, messages, readings)
        return {
            "per_s": round(messages / took),
            "copy_ratio": round(copy_s / took, 3),
            **_cpu_us(before, used, messages),
        }

    def live(self, messages: int) -> dict[str, float]:
        """Receive while it is published."""
        with (
            _parts() as parts,
            connect(parts.database, autocommit=True) as connection,
            _ingest(parts) as processes,
            _prepared(parts, messages, 1, rate=0) as publish,
        ):
            _ready(processes)
            began = time.perf_counter()
            publish()
            published_s = time.perf_counter() - began
            _wait(lambda: _stored(connection) >= messages)
            took = time.perf_counter() - began
            self.accounts.append(_account(connection, messages))
        return {
            "publish_per_s": round(messages / published_s),
            "live_per_s": round(messages / took),
        }

    def latency(self) -> dict[str, float]:
        """Watch from a connection of its own how many are visible, and when."""
        rate, seconds = MODERATE
        messages = rate * seconds
        with (
            _parts() as parts,
            connect(parts.database, autocommit=True) as connection,
            _ingest(parts) as processes,
            _prepared(parts, messages, 1, rate=rate) as publish,
        ):
            _ready(processes)
            began = time.perf_counter()
            watched: list[tuple[float, int]] = []
            loader = publish(wait=False)
            while not watched or watched[-1][1] < messages:
                watched.append((time.perf_counter() - began, _stored(connection)))
                if watched[-1][0] > PATIENCE_S:
                    break
                time.sleep(LOOK_S)
            loader()
            self.accounts.append(_account(connection, messages))
        # message n is published at n / rate, and visible when n + 1 are
        delays: list[float] = []
        for at, visible in watched:
            delays += [at - n / rate for n in range(len(delays), visible)]
        delays = sorted(delays[rate:])
        return {
            "p50_ms": round(1000 * delays[len(delays) // 2], 1),
            "p99_ms": round(1000 * delays[len(delays) * 99 // 100], 1),
        }

    def outage(self, seconds: float) -> dict[str, float]:
        """Publish at a moderate rate while the database is down, then let it come back.

        The queue, made small for it, is full after two seconds; the broker holds the
        rest.
        """
        rate, _ = MODERATE
        messages = int(rate * seconds)
        with (
            _parts() as parts,
            _ingest(parts, queue=2 * rate) as processes,
            _prepared(parts, messages, 1, rate=rate) as publish,
        ):
            _ready(processes)
            (worker,) = processes
            parts.server.stop()
            began = time.perf_counter()
            finish = publish(wait=False)
            time.sleep(seconds * 0.4)
            full_mb = most_mb = _rss_mb(worker.pid)
            while time.perf_counter() - began < seconds:
                most_mb = max(most_mb, _rss_mb(worker.pid))
                time.sleep(0.1)
            finish()
            parts.server.start()
            with connect(parts.database, autocommit=True) as connection:
                _wait(lambda: _stored(connection) >= messages)
                self.accounts.append(_account(connection, messages))
            after_mb = _rss_mb(worker.pid)
        return {
            "outage_s": seconds,
            "outage_rss_mb": round(full_mb, 1),
            "outage_rss_growth_mb": round(most_mb - full_mb, 1),
            "after_outage_rss_mb": round(after_mb, 1),
        }


def message(number: int, readings: int) -> tuple[str, bytes]:
    """Make the message of a number: topic and payload."""
    sensor, batch = number % SENSORS, number // SENSORS
    intervals = [
        {
            "time": START + timedelta(minutes=batch * readings + i),
            "interval_s": 60,
            "seq": batch * readings + i,
            "counts": [
                {
                    "channel": "1",
                    "classes": {"car": number % 40, "truck": number % 5},
                    "speed_kmh": 47.3,
                }
            ],
        }
        for i in range(readings)
    ]
    body = intervals if readings > 1 else intervals[0]
    return f"vp/v1/bench/s{sensor}/counts", msgspec.json.encode(body)


def _rss_mb(pid: int) -> float:
    """Tell how much memory a process holds (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@contextmanager
def _parts(*, timescale: bool = False) -> Iterator[Parts]:
    """Start a database with the bench's town, and a broker."""
    from verkehrspuls.stack.broker import Broker
    from verkehrspuls.stack.postgres import PostgresServer

    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vp-")))
        directory.chmod(0o755)  # as root the servers run as another account
        pids = {}
        postgres = None
        if timescale:
            database = stack.enter_context(_timescale())
        else:
            postgres = stack.enter_context(PostgresServer(directory / "postgres"))
            lock = postgres.data / "postmaster.pid"
            pids["database"] = int(lock.read_text().split()[0])
            database = postgres.url
        migrate(database)
        with connect(database) as connection:
            register(connection, _town())
        mosquitto = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        if mosquitto:
            url, pids["broker"] = stack.enter_context(
                _mosquitto(mosquitto, directory / "mosquitto")
            )
            yield Parts(database, url, url, "mosquitto", pids, postgres)
            return
        broker = stack.enter_context(Broker(directory / "broker"))
        pids["broker"] = broker.process.pid  # type: ignore[union-attr]
        urls = broker.url, broker.publish_url
        yield Parts(database, *urls, "embedded", pids, postgres)


def _has_timescale() -> bool:
    """Whether this is a checkout with a TimescaleDB for its tests, and may start it."""
    try:
        parts: Any = import_module("tests.parts")
    except ImportError:
        return False
    return os.geteuid() == 0 and (parts.TIMESCALE_ROOT / "ready").exists()


@contextmanager
def _timescale() -> Iterator[str]:
    parts: Any = import_module("tests.parts")
    settings = {
        "shared_preload_libraries": "timescaledb",
        "timescaledb.telemetry_level": "off",
        "fsync": "on",
        "max_wal_size": "1GB",
    }
    with parts.DebianServer(parts.TIMESCALE_ROOT, 17, **settings) as server:
        yield server.url


@contextmanager
def _mosquitto(program: str, directory: Path) -> Iterator[tuple[str, int]]:
    directory.mkdir()
    directory.chmod(0o777)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = directory / "mosquitto.conf"
    settings.write_text(_MOSQUITTO.format(port=port, directory=directory))
    process = subprocess.Popen(  # noqa: S603
        [program, "-c", str(settings)], stderr=subprocess.DEVNULL
    )
    try:
        _wait(lambda: _listens(port))
        yield f"mqtt://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _ingest(
    parts: Parts, *, bulk: bool = True, workers: int = 1, queue: int = 40_000
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run workers until the block ends; several share the load."""
    with ExitStack() as stack:
        processes = []
        for slot in range(workers):
            process = subprocess.Popen(
                [sys.executable, "-m", "verkehrspuls", "ingest", "run"],
                env={
                    "VERKEHRSPULS_DATABASE__URL": parts.database,
                    "VERKEHRSPULS_BROKER__URL": parts.broker,
                    "VERKEHRSPULS_INGEST__BULK": str(bulk),
                    "VERKEHRSPULS_INGEST__QUEUE_MESSAGES": str(queue),
                    "VERKEHRSPULS_INGEST__SLOT": str(slot),
                    "VERKEHRSPULS_INGEST__SHARE": "bench" if workers > 1 else "",
                    "VERKEHRSPULS_LOG__LEVEL": "error",
                },
                stdout=subprocess.PIPE,
            )
            stack.callback(_end, process)
            processes.append(process)
        yield processes


def _ready(processes: list[subprocess.Popen[bytes]]) -> None:
    """Wait until the broker has answered all workers."""
    for process in processes:
        process.stdout.readline()  # type: ignore[union-attr]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.communicate()


@contextmanager
def _prepared(
    parts: Parts, messages: int, readings: int, *, rate: float
) -> Iterator[Callable[..., Any]]:
    """Prepare the load in a process of its own; what is given starts it."""
    process = subprocess.Popen(  # noqa: S603
        [
            *(sys.executable, "-m", "ingest.bench_load", parts.publish),
            *map(str, (messages, readings, 0, rate)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )

    def publish(*, wait: bool = True) -> Callable[[], None] | None:
        process.stdin.write(b"go\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
        if not wait:
            return finish
        finish()
        return None

    def finish() -> None:
        process.communicate()
        if process.returncode:
            raise RuntimeError("the load could not be published")

    process.stdout.readline()  # type: ignore[union-attr]
    yield publish


def _town() -> Town:
    channels = tuple(
        Channel(key=f"c{i}", name=f"c{i}", quantity="motor") for i in range(SENSORS)
    )
    return Town(
        key="bench",
        name="Bench",
        state="RP",
        sites=(Site(key="all", name="All", channels=channels),),
        sensors=tuple(
            Sensor(
                key=f"s{i}",
                name=f"s{i}",
                interval_s=60,
                class_scheme="tls-8+1",
                installations=(
                    Installation(site="all", channel=f"c{i}", output="1", since=START),
                ),
            )
            for i in range(SENSORS)
        ),
    )


def _bare_copy(connection: Connection, messages: int, readings: int) -> float:
    """COPY the same rows into a table without key; returns the seconds."""
    now = datetime.now(UTC)
    collector = Collector(
        read_registry(connection), formats(), Limits.at(now, Ingest())
    )
    batch = collector.collect(
        Message(*message(number, readings), now) for number in range(messages)
    )
    connection.execute(queries()["make_staging"])
    connection.execute("create table bare (like stage_count)")
    (rows,) = batch.counts
    keys = sorted(rows)
    began = time.perf_counter()
    for first in range(0, len(keys), ROW_BATCH):
        part = {key: rows[key] for key in keys[first : first + ROW_BATCH]}
        with connection.cursor().copy("copy bare from stdin (format binary)") as copy:
            copy.write(copied(part))
    return time.perf_counter() - began


def _hold(processes: list[subprocess.Popen[bytes]], connection: Connection) -> None:
    """Stop each worker as soon as it has its slot, until all have theirs."""
    held: set[int] = set()

    def hold() -> bool:
        for (slot,) in connection.execute(
            "select objid::int from pg_locks "
            "where locktype = 'advisory' and granted and objsubid = 2"
        ).fetchall():
            if slot not in held:
                processes[slot].send_signal(signal.SIGSTOP)
                held.add(slot)
        return len(held) == len(processes)

    _wait(hold)


def _stored(connection: Connection) -> int:
    row = connection.execute("select sum(readings_stored)::int from ledger").fetchone()
    return (row and row[0]) or 0


def _account(connection: Connection, readings: int) -> Account:
    """Tell what was lost, what came twice, and whether the ledger balances."""
    stored, duplicates, balanced = connection.execute(
        "select sum(readings_stored)::int, sum(readings_duplicate)::int, "
        "sum(readings_received) = sum(readings_stored + readings_duplicate "
        "+ readings_corrected + readings_rejected) from ledger"
    ).fetchone() or (0, 0, False)
    return Account(readings - stored, duplicates, balanced)


def _used(pids: dict[str, int]) -> dict[str, float]:
    """Tell the seconds of CPU of processes and of all that they started."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # ended meanwhile
            continue
        parents[int(folder.name)] = int(fields[1]), _ticks(fields)
    used = dict.fromkeys(pids, 0.0)
    for pid, (_, seconds) in parents.items():
        ancestor = pid
        while ancestor in parents and ancestor not in pids.values():
            ancestor = parents[ancestor][0]
        for name, root in pids.items():
            if ancestor == root:
                used[name] += seconds
    return used


def _ticks(fields: list[str]) -> float:
    """Tell the seconds of CPU of a process and of its children that have ended."""
    return sum(map(int, fields[11:15])) / 100


def _cpu_us(
    before: dict[str, float], after: dict[str, float], messages: float
) -> dict[str, float]:
    """Tell what a message cost each part; several workers together."""
    spent: defaultdict[str, float] = defaultdict(float)
    for name, seconds in after.items():
        spent[f"cpu_us_{name.split()[0]}"] += seconds - before[name]
    return {name: round(s / messages * 1e6, 1) for name, s in spent.items()}


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
