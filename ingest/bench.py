"""How fast readings get from the broker into the database, on parts of its own.

Published is first, with no worker running, so that the worker then drains a backlog as
fast as it can. Everything shares the machine; the bare COPY of the same rows, without
key, ledger or broker, is what the figure is compared with, in the same run.
"""

import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from ingest.batch import Collector, Message
from ingest.check import Limits
from ingest.formats import formats
from ingest.resolve import read_registry
from ingest.store import TYPES
from ingest.worker import Worker
from verkehrspuls.model import Channel, Installation, Sensor, Site, Town
from verkehrspuls.mqtt import Publisher
from verkehrspuls.settings import Settings, load
from verkehrspuls.storage.database import Connection, connect, queries
from verkehrspuls.storage.migrate import migrate
from verkehrspuls.storage.registry import register

SENSORS = 500
START = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE_S = 300


def run(messages: int, readings_per_message: int) -> dict[str, Any]:
    """Measure with the embedded parts; rates per second of wall clock."""
    from verkehrspuls.stack.broker import Broker
    from verkehrspuls.stack.postgres import PostgresServer

    with tempfile.TemporaryDirectory(prefix="vp-bench-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # as root the servers run as another account
        with (
            PostgresServer(directory / "postgres") as postgres,
            Broker(directory / "broker") as broker,
        ):
            settings = load(
                {
                    "VERKEHRSPULS_DATABASE__URL": postgres.url,
                    "VERKEHRSPULS_BROKER__URL": broker.url,
                    "VERKEHRSPULS_BROKER__PUBLISH_URL": broker.publish_url,
                }
            )
            return _measure(settings, messages, readings_per_message)


def _measure(settings: Settings, messages: int, per_message: int) -> dict[str, Any]:
    url = settings.database.url.get_secret_value()
    migrate(url)
    payloads = [_message(number, per_message) for number in range(messages)]
    readings = messages * per_message
    with connect(url, autocommit=True) as connection:
        register(connection, _town())
        _work(settings, until=lambda: True)  # makes the session
        with Publisher(
            settings.broker.publish_url.get_secret_value(), "bench"
        ) as publisher:
            began = time.perf_counter()
            for topic, payload in payloads:
                publisher.publish(topic, payload)
            publisher.flush()
            publish_s = time.perf_counter() - began
        cpu = time.process_time()
        drain_s = _work(settings, until=lambda: _stored(connection) >= readings)
        cpu = time.process_time() - cpu
        copy_s = _bare_copy(connection, settings, payloads)
        duplicates, balanced = connection.execute(
            "select sum(readings_duplicate)::int, sum(readings_received) = "
            "sum(readings_stored + readings_duplicate + readings_corrected "
            "+ readings_rejected) from ledger"
        ).fetchone() or (0, False)
        stored = _stored(connection)
    return {
        "messages": messages,
        "readings": readings,
        "publish_per_s": round(messages / publish_s),
        "backlog_1_per_s": round(messages / drain_s),
        "readings_per_s": round(readings / drain_s),
        "cpu_us_per_message": round(cpu / messages * 1e6, 1),
        "copy_ratio": round(copy_s / drain_s, 3),
        "lost": readings - stored,
        "duplicates": duplicates,
        "balanced": balanced,
    }


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


def _message(number: int, per_message: int) -> tuple[str, bytes]:
    sensor, batch = number % SENSORS, number // SENSORS
    intervals = [
        {
            "time": START + timedelta(minutes=batch * per_message + i),
            "interval_s": 60,
            "seq": batch * per_message + i,
            "counts": [
                {
                    "channel": "1",
                    "classes": {"car": number % 40, "truck": number % 5},
                    "speed_kmh": 47.3,
                }
            ],
        }
        for i in range(per_message)
    ]
    body = intervals if per_message > 1 else intervals[0]
    return f"vp/v1/bench/s{sensor}/counts", msgspec.json.encode(body)


def _work(settings: Settings, *, until: Any) -> float:
    """Run a worker in this process until the condition holds; returns the seconds."""
    ready = threading.Event()
    worker = Worker(settings, on_ready=ready.set)
    thread = threading.Thread(target=worker.run, name="bench.worker")
    began = time.perf_counter()
    thread.start()
    ready.wait(PATIENCE_S)
    while not until() and time.perf_counter() - began < PATIENCE_S:
        time.sleep(0.05)
    took = time.perf_counter() - began
    worker.stop()
    thread.join()
    return took


def _stored(connection: Connection) -> int:
    row = connection.execute("select sum(readings_stored)::int from ledger").fetchone()
    return (row and row[0]) or 0


def _bare_copy(
    connection: Connection, settings: Settings, payloads: list[tuple[str, bytes]]
) -> float:
    """COPY the same rows into a table without key; returns the seconds."""
    now = datetime.now(UTC)
    collector = Collector(
        read_registry(connection), formats(), Limits.at(now, settings.ingest)
    )
    batch = collector.collect(Message(*each, now) for each in payloads)
    connection.execute(queries()["make_staging"])
    connection.execute("create table bare (like stage_count)")
    began = time.perf_counter()
    with (
        connection.cursor() as cursor,
        cursor.copy("copy bare from stdin (format binary)") as copy,
    ):
        copy.set_types(TYPES["counts"])
        for rows in batch.counts:
            for row in rows.values():
                copy.write_row(row)
    return time.perf_counter() - began
