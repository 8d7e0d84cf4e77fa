"""How fast readings get from the broker into the database, on parts of its own.

The database is the embedded one, the broker Mosquitto where it is installed, else the
embedded one. Everything shares the machine: load, broker, workers, database. Each
figure is of one run; compare ratios within it.

- backlog: published while no worker runs, then drained
- live: published while the worker runs, from the first message to the last commit
- latency: at a moderate rate, from publishing to the commit, by the receipt's clock
- copy_ratio: the bare COPY of the same rows, without key, ledger or broker, takes this
  share of the time of draining them
"""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
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
#: per second, and for how long, when latency is measured
MODERATE: Final = (5_000, 4)
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


class Urls(NamedTuple):
    """Where the parts of a bench are."""

    database: str
    broker: str
    publish: str


def run(messages: int, *, multi: int = 100) -> dict[str, Any]:
    """Measure; `messages` with one reading each, and fewer with `multi` each."""
    result: dict[str, Any] = {"messages": messages}
    for name, bulk, workers in (
        ("stock", False, 1),
        ("backlog_1", True, 1),
        ("backlog_2", True, 2),
    ):
        with _parts(workers) as (urls, broker):
            result["broker"] = broker
            result[f"{name}_per_s"] = _backlog(
                urls, messages, 1, bulk=bulk, workers=workers
            )["per_s"]
    with _parts(1) as (urls, _):
        result |= _live(urls, messages)
    with _parts(1) as (urls, _):
        found = _backlog(urls, 3 * messages // multi, multi, bulk=True, workers=1)
        result["readings_per_s"] = found["per_s"] * multi
        result["cpu_us_per_reading"] = found["cpu_us"] / multi
        result["copy_ratio"] = found["copy_ratio"]
    with _parts(1) as (urls, _):
        result |= _latency(urls)
    return result


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


def _backlog(
    urls: Urls, messages: int, readings: int, *, bulk: bool, workers: int
) -> dict[str, float]:
    with connect(urls.database, autocommit=True) as connection:
        with _ingest(urls, bulk=bulk, workers=workers):
            pass  # the session is made, and the worker away again
        _load(urls, messages, readings)
        began = time.perf_counter()
        with _ingest(urls, bulk=bulk, workers=workers) as processes:
            _wait(lambda: _stored(connection) >= messages * readings)
            took = time.perf_counter() - began
            cpu = sum(_cpu(process.pid) for process in processes)
        _assert_whole(connection, messages * readings)
        copy_s = _bare_copy(connection, messages, readings)
    return {
        "per_s": round(messages / took),
        "cpu_us": round(cpu / messages * 1e6, 1),
        "copy_ratio": round(copy_s / took, 3),
    }


def _live(urls: Urls, messages: int) -> dict[str, float]:
    with (
        connect(urls.database, autocommit=True) as connection,
        _ingest(urls, bulk=True, workers=1),
        _prepared(urls, messages, 1, rate=0) as publish,
    ):
        began = time.perf_counter()
        publish()
        published_s = time.perf_counter() - began
        _wait(lambda: _stored(connection) >= messages)
        took = time.perf_counter() - began
        _assert_whole(connection, messages)
    return {
        "publish_per_s": round(messages / published_s),
        "live_per_s": round(messages / took),
    }


def _latency(urls: Urls) -> dict[str, Any]:
    """Watch from a connection of its own how many are visible, and when."""
    rate, seconds = MODERATE
    messages = rate * seconds
    with (
        connect(urls.database, autocommit=True) as connection,
        _ingest(urls, bulk=True, workers=1),
        _prepared(urls, messages, 1, rate=rate) as publish,
    ):
        began = time.perf_counter()
        watched: list[tuple[float, int]] = []
        loader = publish(wait=False)
        while not watched or watched[-1][1] < messages:
            watched.append((time.perf_counter() - began, _stored(connection)))
            if watched[-1][0] > PATIENCE_S:
                break
        loader()
        lost, duplicates, balanced = _account(connection, messages)
    # message n is published at n / rate, and visible when n + 1 are
    delays: list[float] = []
    for at, visible in watched:
        delays += [at - n / rate for n in range(len(delays), visible)]
    delays.sort()
    return {
        "p50_ms": round(1000 * delays[len(delays) // 2], 1),
        "p99_ms": round(1000 * delays[len(delays) * 99 // 100], 1),
        "lost": lost,
        "duplicates": duplicates,
        "balanced": balanced,
    }


@contextmanager
def _parts(workers: int) -> Iterator[tuple[Urls, str]]:
    """Start a database with the bench's town, and a broker."""
    from verkehrspuls.stack.broker import Broker
    from verkehrspuls.stack.postgres import PostgresServer

    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vp-")))
        directory.chmod(0o755)  # as root the servers run as another account
        postgres = stack.enter_context(PostgresServer(directory / "postgres"))
        migrate(postgres.url)
        with connect(postgres.url) as connection:
            register(connection, _town())
        mosquitto = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        if mosquitto:
            url = stack.enter_context(_mosquitto(mosquitto, directory / "mosquitto"))
            yield Urls(postgres.url, url, url), "mosquitto"
            return
        broker = stack.enter_context(Broker(directory / "broker"))
        yield Urls(postgres.url, broker.url, broker.publish_url), "embedded"


@contextmanager
def _mosquitto(program: str, directory: Path) -> Iterator[str]:
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
        yield f"mqtt://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _ingest(
    urls: Urls, *, bulk: bool, workers: int
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run workers until the block ends; several share the load."""
    with ExitStack() as stack:
        processes = []
        for slot in range(workers):
            process = subprocess.Popen(
                [sys.executable, "-m", "verkehrspuls", "ingest", "run"],
                env={
                    "VERKEHRSPULS_DATABASE__URL": urls.database,
                    "VERKEHRSPULS_BROKER__URL": urls.broker,
                    "VERKEHRSPULS_INGEST__BULK": str(bulk),
                    "VERKEHRSPULS_INGEST__SLOT": str(slot),
                    "VERKEHRSPULS_INGEST__SHARE": "bench" if workers > 1 else "",
                    "VERKEHRSPULS_LOG__LEVEL": "error",
                },
                stdout=subprocess.PIPE,
            )
            stack.callback(_end, process)
            processes.append(process)
        for process in processes:
            process.stdout.readline()  # type: ignore[union-attr]
        yield processes


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.communicate()


def _load(urls: Urls, messages: int, readings: int) -> None:
    with _prepared(urls, messages, readings, rate=0) as publish:
        publish()


@contextmanager
def _prepared(
    urls: Urls, messages: int, readings: int, *, rate: float
) -> Iterator[Callable[..., Any]]:
    """Prepare the load in a process of its own; what is given starts it."""
    process = subprocess.Popen(  # noqa: S603
        [
            *(sys.executable, "-m", "ingest.bench_load", urls.publish),
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


def _stored(connection: Connection) -> int:
    row = connection.execute("select sum(readings_stored)::int from ledger").fetchone()
    return (row and row[0]) or 0


def _account(connection: Connection, readings: int) -> tuple[int, int, bool]:
    """Tell what was lost, what came twice, and whether the ledger balances."""
    stored, duplicates, balanced = connection.execute(
        "select sum(readings_stored)::int, sum(readings_duplicate)::int, "
        "sum(readings_received) = sum(readings_stored + readings_duplicate "
        "+ readings_corrected + readings_rejected) from ledger"
    ).fetchone() or (0, 0, False)
    return readings - stored, duplicates, balanced


def _assert_whole(connection: Connection, readings: int) -> None:
    lost, _, balanced = _account(connection, readings)
    if lost or not balanced:
        raise RuntimeError(f"{lost} readings lost, balanced: {balanced}")


def _cpu(pid: int) -> float:
    """Tell the seconds of CPU that a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
