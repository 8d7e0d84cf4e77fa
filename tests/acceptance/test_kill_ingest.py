"""Nothing is lost and nothing counted twice, whatever is killed.

The method: every message that the broker acknowledged is known; at the end the
database holds each of its readings once, and the ledger balances.
"""

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from tests.parts import PATIENCE_S, Broker, logins, wait_for
from tests.towns import COUNTS_TOPIC, TOWN
from verkehrspuls.model import Mapping, Profile
from verkehrspuls.mqtt import Publisher
from verkehrspuls.registry.towns import register
from verkehrspuls.storage.database import Connection, connect

START = datetime(2026, 9, 1, tzinfo=UTC)
MESSAGES = 3_000


class Ingest:
    """An ingest worker in a process of its own."""

    def __init__(self, database: str, broker: str, *, bulk: bool = False) -> None:
        self._environment = {
            "VERKEHRSPULS_INGEST__BULK": str(bulk),
            **logins(database),
            "VERKEHRSPULS_BROKER__URL": broker,
            "VERKEHRSPULS_INGEST__BATCH_READINGS": "200",
            "VERKEHRSPULS_INGEST__REGISTRY_S": "1",
        }
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "verkehrspuls", "ingest", "run"],
            env=self._environment,
            stdout=subprocess.PIPE,
        )

    def ready(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@contextmanager
def ingest(database: str, broker: str, *, bulk: bool = False) -> Iterator[Ingest]:
    worker = Ingest(database, broker, bulk=bulk)
    worker.ready()
    try:
        yield worker
    finally:
        if worker.process.poll() is None:
            worker.end(signal.SIGKILL)


@pytest.fixture
def town(plain_database: str) -> Iterator[Connection]:
    with connect(plain_database, autocommit=True) as connection:
        register(connection, TOWN)
        yield connection


def message(number: int) -> bytes:
    interval = {
        "time": START + timedelta(minutes=5 * number),
        "interval_s": 300,
        "seq": number,
        "counts": [{"channel": o, "classes": {"car": number}} for o in ("1", "2")],
    }
    return msgspec.json.encode(interval)


def stored(connection: Connection) -> int:
    ((count,),) = connection.execute("select count(*) from count_reading").fetchall()
    return int(count)


def assert_all_there_once(connection: Connection, messages: int) -> None:
    rows = connection.execute(
        "select time, car, revision from count_reading order by time, channel_id"
    ).fetchall()
    expected = [
        (START + timedelta(minutes=5 * number), number, 0)
        for number in range(messages)
        for _ in ("1", "2")
    ]
    assert rows == expected
    (sums,) = connection.execute(
        "select sum(readings_received), sum(readings_stored + readings_duplicate), "
        "sum(readings_stored), sum(messages_received - messages_accepted) from ledger"
    ).fetchall()
    assert sums[0] == sums[1]
    assert sums[2] == 2 * messages
    assert sums[3] == 0


@pytest.mark.parametrize("bulk", [False, True], ids=["standard", "bulk"])
def test_worker_killed_at_random_times(
    plain_database: str, broker: Broker, town: Connection, bulk: bool
) -> None:
    dice = random.Random(7)
    with ingest(plain_database, broker.url, bulk=bulk) as worker:
        with Publisher(broker.publish_url, "test") as publisher:
            kills = sorted(dice.sample(range(MESSAGES), 4))
            for number in range(MESSAGES):
                publisher.publish(COUNTS_TOPIC, message(number))
                if number in kills:
                    worker.end(signal.SIGKILL)
                    worker.start()
            publisher.flush()
        wait_for(lambda: stored(town) == 2 * MESSAGES)
        assert worker.end(signal.SIGTERM) == 0
    assert_all_there_once(town, MESSAGES)


def test_broker_restarted_in_order(
    plain_database: str, broker: Broker, town: Connection
) -> None:
    with (
        ingest(plain_database, broker.url),
        Publisher(broker.publish_url, "test") as publisher,
    ):
        for number in range(MESSAGES):
            publisher.publish(COUNTS_TOPIC, message(number))
            if number == MESSAGES // 2:
                broker.stop()
                broker.start()
        publisher.flush()
        wait_for(lambda: stored(town) == 2 * MESSAGES)
    assert_all_there_once(town, MESSAGES)


def test_worker_away_while_messages_arrive(
    plain_database: str, broker: Broker, town: Connection
) -> None:
    with ingest(plain_database, broker.url) as worker:
        assert worker.end(signal.SIGTERM) == 0
        with Publisher(broker.publish_url, "test") as publisher:
            for number in range(MESSAGES):
                publisher.publish(COUNTS_TOPIC, message(number))
            publisher.flush()
        assert stored(town) == 0
        worker.start()
        wait_for(lambda: stored(town) == 2 * MESSAGES)
    assert_all_there_once(town, MESSAGES)


def test_backlog_of_large_messages(
    plain_database: str, broker: Broker, town: Connection
) -> None:
    # more than a broker holds in memory for a client that does not keep up
    padding = b',"firmware-log":"' + b"x" * 200_000 + b'"}'
    messages = 500
    with ingest(plain_database, broker.url) as worker:
        assert worker.end(signal.SIGTERM) == 0
        with Publisher(broker.publish_url, "test", window=20) as publisher:
            for number in range(messages):
                publisher.publish(COUNTS_TOPIC, message(number)[:-1] + padding)
            publisher.flush()
        worker.start()
        wait_for(lambda: stored(town) == 2 * messages)
        assert worker.end(signal.SIGTERM) == 0
    assert_all_there_once(town, messages)


def test_sensor_of_a_foreign_format_is_heard_once_it_is_registered(
    plain_database: str, broker: Broker, town: Connection
) -> None:
    # under our prefix, because the brokers of the tests allow nothing else
    topic = "vp/v1/foreign/air/1/value"
    sensor = TOWN.sensors[1]
    installation = msgspec.structs.replace(
        sensor.installations[0], mapping=Mapping(field="value"), output="value"
    )
    foreign = msgspec.structs.replace(
        sensor,
        payload_format="scalar",
        topic=topic,
        profile=Profile(receipt_time=True),
        installations=(installation,),
    )
    with ingest(plain_database, broker.url):
        register(town, msgspec.structs.replace(TOWN, sensors=(foreign,)))
        with Publisher(broker.publish_url, "test") as publisher:

            def heard() -> bool:
                publisher.publish(topic, b"31.5")
                publisher.flush()
                rows = town.execute("select value from environment_reading")
                return rows.fetchall() != []

            wait_for(heard, every=1)


def test_second_worker_of_a_slot_ends_and_says_why(
    plain_database: str, broker: Broker, town: Connection
) -> None:
    with ingest(plain_database, broker.url) as worker:
        second = Ingest(plain_database, broker.url)
        assert second.process.wait(PATIENCE_S) == 3
        assert second.process.stdout is not None
        second.process.stdout.close()
        assert worker.process.poll() is None
