"""The command `simulate`, with a real database and broker."""

import os
import queue
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import paho.mqtt.client as paho
import pytest

from simulators.publish import backfill, sensors
from simulators.world import standard
from tests.parts import (
    PATIENCE_S,
    Broker,
    as_analytics,
    bound_s,
    logins,
    wait_for,
)
from verkehrspuls import mqtt, wire
from verkehrspuls.storage.database import Connection, connect, execute

UNTIL = datetime(2026, 11, 17, 0, 0, tzinfo=UTC)


def environment(database: str, broker: Broker) -> dict[str, str]:
    """Settings for the command."""
    return os.environ | {
        **logins(database),
        "VERKEHRSPULS_BROKER__URL": broker.url,
        "VERKEHRSPULS_BROKER__PUBLISH_URL": broker.publish_url,
    }


def simulate(*arguments: str, settings: dict[str, str]) -> str:
    """Run the command; returns what it said."""
    run = subprocess.run(
        [sys.executable, "-m", "verkehrspuls", "simulate", *arguments],
        env=settings,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout + run.stderr


@contextmanager
def listening(
    broker: Broker, pattern: str
) -> Iterator["queue.Queue[paho.MQTTMessage]"]:
    """Collect what is published."""
    found: queue.Queue[paho.MQTTMessage] = queue.Queue()
    subscribed: list[bool] = []
    client = mqtt.client(broker.url, client_id="test-listener")
    client.on_message = lambda _client, _data, message: found.put(message)
    client.on_subscribe = lambda *_: subscribed.append(True)
    mqtt.connect(client, broker.url)
    client.loop_start()
    client.subscribe(pattern, qos=1)
    wait_for(lambda: subscribed)
    try:
        yield found
    finally:
        client.disconnect()
        client.loop_stop()


def test_history_arrives_and_goes_on_where_it_stopped(
    plain_database: str, broker: Broker
) -> None:
    settings = environment(plain_database, broker)
    simulate("register", settings=settings)
    simulate("register", settings=settings)  # again changes nothing
    world = standard(1)
    with connect(plain_database) as connection:
        rows = execute(connection, "newest_of_sensors").fetchall()
        assert {(row["municipality"], row["sensor"]) for row in rows} == {
            (municipality, sensor.key) for municipality, sensor in sensors(world)
        }
        assert {row["newest"] for row in rows} == {None}
        _put_reading(connection, UNTIL - timedelta(hours=2))

    start = int((UNTIL - timedelta(weeks=1)).timestamp())
    end = int(UNTIL.timestamp())
    known = {("linz-am-rhein", "fuss-rheintor"): end - 7200}
    due = {one.topic: 0 for one in backfill(world, start, end, newest=known) if one}
    for one in backfill(world, start, end, newest=known):
        if one is not None:
            due[one.topic] += one.intervals
    with listening(broker, "vp/v1/+/+/+") as arrived:
        simulate(
            *("history", "--weeks", "1", "--until", UNTIL.isoformat()),
            # it reads as analytics does
            settings=settings
            | {"VERKEHRSPULS_DATABASE__URL": as_analytics(plain_database)},
        )
        got = dict.fromkeys(due, 0)

        def complete() -> bool:
            while not arrived.empty():
                message = arrived.get()
                found = msgspec.json.decode(message.payload)
                got[message.topic] += len(found) if isinstance(found, list) else 1
            return got == due

        wait_for(complete)
    # the sensor that has readings sent what is missing only: 23 of 24 in two hours
    topic = wire.topic("linz-am-rhein", "fuss-rheintor", "counts")
    assert got[topic] == 23


def _put_reading(connection: Connection, time: datetime) -> None:
    connection.execute("select vp.ensure_range('count_reading', %s, %s)", [time, time])
    connection.execute(
        "insert into vp.count_reading (channel_id, time, interval_s, sensor_id,"
        " received_at, pedestrian) select i.channel_id, %s, 300, s.sensor_id, now(), 1"
        " from vp.installation i join vp.sensor s using (sensor_id)"
        " where s.key = 'fuss-rheintor'",
        [time],
    )
    connection.commit()


def test_live_says_that_its_sensors_are_there_and_gone(
    plain_database: str, broker: Broker
) -> None:
    settings = environment(plain_database, broker)
    # it needs no database
    settings = {k: v for k, v in settings.items() if "DATABASE" not in k}
    number = sum(1 for _ in sensors(standard(1)))
    with listening(broker, "vp/v1/+/+/status") as arrived:
        process = subprocess.Popen(
            [sys.executable, "-m", "verkehrspuls", "simulate", "live"],
            env=settings,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            wait_for(lambda: arrived.qsize() == number)
            states = {
                msgspec.json.decode(
                    arrived.get().payload, type=wire.StatusMessage
                ).state
                for _ in range(number)
            }
            assert states == {"online"}
            process.terminate()
            assert process.wait(bound_s(5)) == 0
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        wait_for(lambda: arrived.qsize() == number)
        last = msgspec.json.decode(arrived.get().payload, type=wire.StatusMessage)
        assert last.state == "offline"


def test_the_truth_can_be_exported() -> None:
    printed = simulate(
        *("truth", "--json", "--weeks", "8", "--until", UNTIL.isoformat()),
        settings=dict(os.environ),
    )
    events = msgspec.json.decode(printed)
    assert {"key", "kind", "start", "end", "channels", "also"} <= events[0].keys()
    assert len(events) > 20


@pytest.mark.parametrize("until", ["yesterday", "2026-13-01", "3000-01-01"])
def test_a_time_that_is_none_is_a_usage_error(until: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "verkehrspuls", "simulate", "truth", "--until", until],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert run.returncode == 2
    assert until in run.stderr
