import os
import pwd
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest

from tests.parts import PATIENCE_S, reachable_directory, wait_for
from verkehrspuls import mqtt
from verkehrspuls.stack.broker import Broker, lets_in

TOPIC = "vp/v1/kaiserslautern/nord-1/counts"


@pytest.fixture
def broker() -> Iterator[Broker]:
    with reachable_directory() as directory, Broker(directory / "broker") as found:
        yield found


class Client:
    """An MQTT client that remembers what it was told."""

    def __init__(self, url: str, client_id: str, *, clean: bool = True) -> None:
        self.client: Any = mqtt.client(url, client_id=client_id, clean=clean)
        self.connected = threading.Event()
        self.session_present = False
        self.granted: list[bool] = []
        self.acknowledged: list[int] = []
        self.received: list[tuple[str, bytes | bytearray]] = []
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda _c, _u, _m, codes, _p: self.granted.extend(
            not code.is_failure for code in codes
        )
        self.client.on_publish = lambda _c, _u, mid, _r, _p: self.acknowledged.append(
            mid
        )
        self.client.on_message = lambda _c, _u, m: self.received.append(
            (m.topic, m.payload)
        )

    def _on_connect(
        self, _c: paho.Client, _u: object, flags: paho.ConnectFlags, *_: object
    ) -> None:
        self.session_present = flags.session_present
        self.connected.set()

    def subscribe(self, pattern: str) -> bool:
        before = len(self.granted)
        self.client.subscribe(pattern, 1)
        wait_for(lambda: len(self.granted) > before)
        return self.granted[-1]

    def publish(self, topic: str, payload: bytes) -> None:
        self.client.publish(topic, payload, qos=1).wait_for_publish(PATIENCE_S)


@contextmanager
def connected(url: str, client_id: str, *, clean: bool = True) -> Iterator[Client]:
    found = Client(url, client_id, clean=clean)
    mqtt.connect(found.client, url)
    found.client.loop_start()
    try:
        assert found.connected.wait(PATIENCE_S)
        yield found
    finally:
        found.client.disconnect()
        found.client.loop_stop()


def test_readings_get_from_publisher_to_ingest(broker: Broker) -> None:
    with (
        connected(broker.url, "ingest") as ingest,
        connected(broker.publish_url, "sensor") as sensor,
    ):
        assert ingest.subscribe("vp/v1/+/+/+")
        sensor.publish(TOPIC, b"{}")
        wait_for(lambda: ingest.received == [(TOPIC, b"{}")])


def test_foreign_topics_are_refused(broker: Broker) -> None:
    with (
        connected(broker.url, "ingest") as ingest,
        connected(broker.publish_url, "sensor") as sensor,
    ):
        assert not ingest.subscribe("#")
        assert not ingest.subscribe("elsewhere/#")
        assert not ingest.subscribe("$SYS/#")
        assert not sensor.subscribe("vp/v1/#")
        assert ingest.subscribe("vp/v1/#")
        # both are acknowledged, as MQTT 3.1.1 knows no refusal; nobody gets them
        sensor.publish("elsewhere/x", b"foreign")
        ingest.publish(TOPIC, b"forged")
        sensor.publish(TOPIC, b"right")
        wait_for(lambda: ingest.received)
        assert ingest.received == [(TOPIC, b"right")]


def test_wrong_password_is_refused(broker: Broker) -> None:
    assert lets_in(broker.url)
    assert lets_in(broker.publish_url)
    assert not lets_in(broker.url.replace("ingest:", "ingest:x"))
    assert not lets_in(broker.url.replace("ingest:", "somebody:"))


def test_acknowledged_messages_outlive_a_killed_broker(broker: Broker) -> None:
    url = broker.url
    with connected(url, "ingest", clean=False) as ingest:
        assert ingest.subscribe("vp/v1/#")
    with connected(broker.publish_url, "sensor") as sensor:
        for number in range(200):
            sensor.publish(TOPIC, b"%d" % number)
        assert len(sensor.acknowledged) == 200
    assert broker.process is not None
    broker.process.kill()
    broker.process.wait()
    broker.start()
    assert broker.url == url
    with connected(url, "ingest", clean=False) as ingest:
        assert ingest.session_present
        wait_for(lambda: len(ingest.received) >= 200)
    assert {int(payload) for _, payload in ingest.received} == set(range(200))


def test_broker_listens_on_loopback_only(broker: Broker) -> None:
    configuration = (broker.directory / "nats.conf").read_text()
    assert configuration.count('"listen": "127.0.0.1:') == 2
    assert '"listen"' not in configuration.replace('"listen": "127.0.0.1:', "")
    assert (broker.directory / "nats.conf").stat().st_mode & 0o777 == 0o600


def test_port_that_is_taken_before_the_first_start_is_left_alone() -> None:
    with reachable_directory() as directory, socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        broker = Broker(directory / "broker")
        (directory / "broker").mkdir()
        if os.geteuid() == 0:
            entry = pwd.getpwnam("nobody")
            os.chown(directory / "broker", entry.pw_uid, entry.pw_gid)
        (directory / "broker" / "port").write_text(f"{taken}\n")
        with broker:
            assert str(taken) not in broker.url
            assert lets_in(broker.url)


@pytest.mark.skipif(os.geteuid() != 0, reason="about what root does")
def test_root_drops_to_the_account(broker: Broker) -> None:
    assert broker.process is not None
    owner = Path(f"/proc/{broker.process.pid}").stat().st_uid
    assert owner == pwd.getpwnam("nobody").pw_uid
