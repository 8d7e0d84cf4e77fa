"""Clocks that jump: the worker's, and those of sensors; row 27."""

from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
import pytest
import time_machine

from ingest.batch import Collector, Message
from ingest.check import Limits
from ingest.formats import formats
from ingest.resolve import read_registry
from ingest.worker import Worker
from ingest.write import Writer
from tests.towns import COUNTS_TOPIC, TOWN
from verkehrspuls.settings import Ingest, Settings
from verkehrspuls.storage.database import connect
from verkehrspuls.storage.registry import register

NOW = datetime(2026, 11, 21, 20, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def counts(received_at: datetime, time: datetime) -> Message:
    body = {
        "time": time,
        "interval_s": 300,
        "counts": [{"channel": "1", "classes": {"car": 3}}],
    }
    return Message(COUNTS_TOPIC, msgspec.json.encode(body), received_at)


def test_batch_closes_though_the_clock_stands_still(plain_database: str) -> None:
    settings = Settings.model_validate(
        {
            "database": {"url": plain_database},
            "broker": {"url": "mqtt://127.0.0.1:9"},
            "ingest": {"linger_ms": 20},
        }
    )
    worker = Worker(settings)
    with time_machine.travel(NOW, tick=False):
        worker._read_registry()
        for jump in (timedelta(0), HOUR, -HOUR):
            with time_machine.travel(NOW + jump, tick=False):
                worker._inbox.put([counts(NOW + jump, NOW)])
                batch, _ = worker._next_batch()
                assert len(batch.messages) == 1
    worker._writer.close()
    worker._receiver.stop()


def test_clock_of_the_worker_jumps(plain_database: str) -> None:
    """The hour of receipt follows it; each reading is stored once, and it balances."""
    with connect(plain_database, autocommit=True) as connection:
        register(connection, TOWN)
        writer = Writer(plain_database, Ingest(), pause=lambda _: True)
        for index, jump in enumerate((timedelta(0), HOUR, -HOUR, timedelta(0))):
            now = NOW + jump
            limits = Limits.at(now, Ingest())
            collector = Collector(read_registry(connection), formats(), limits)
            messages = [
                counts(now, NOW - 5 * index * timedelta(minutes=1)),
                counts(now, NOW - HOUR),
            ]
            writer.write(collector.collect(messages), collector)
        writer.close()
        found = connection.execute(
            "select hour, sum(readings_stored)::int, sum(readings_duplicate)::int "
            "from ledger group by 1 order by 1"
        ).fetchall()
        assert found == [
            (NOW.replace(hour=19, minute=0), 1, 1),
            (NOW.replace(hour=20, minute=0), 3, 1),
            (NOW.replace(hour=21, minute=0), 1, 1),
        ]
        assert stored(connection) == 5


@pytest.mark.parametrize(
    ("ahead", "rows"), [(2 * HOUR, 1), (47 * HOUR, 1), (72 * HOUR, 0)]
)
def test_clock_of_a_sensor_is_wrong(
    plain_database: str, ahead: timedelta, rows: int
) -> None:
    """A little ahead is stored, further ahead is kept as a reject."""
    with connect(plain_database, autocommit=True) as connection:
        register(connection, TOWN)
        writer = Writer(plain_database, Ingest(), pause=lambda _: True)
        limits = Limits.at(NOW, Ingest())
        collector = Collector(read_registry(connection), formats(), limits)
        writer.write(collector.collect([counts(NOW, NOW + ahead)]), collector)
        writer.close()
        assert stored(connection) == rows
        kept = connection.execute("select reason from rejected_message").fetchall()
        assert len(kept) == 1 - rows


def stored(connection: psycopg.Connection[tuple[int]]) -> int:
    row = connection.execute("select count(*) from count_reading").fetchone()
    assert row is not None
    return row[0]
