"""Mosquitto as it runs in production: its own configuration, secrets and account."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage

from tests import parts
from verkehrspuls import mqtt
from verkehrspuls.errors import BrokerUnavailable
from verkehrspuls.stack import process
from verkehrspuls.stack.account import Account
from verkehrspuls.stack.probe import probe

#: of the container
ACCOUNT = 1883


@dataclass
class Deployment:
    """The folder `deploy`, with secrets, and Mosquitto on it."""

    folder: Path
    port: int
    running: process.Process | None = None

    @property
    def ca_file(self) -> Path:
        return self.folder / "secrets" / "broker_ca"

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.running = process.leashed(
                [
                    parts.program("mosquitto", package="mosquitto"),
                    *("-c", str(self.folder / "mosquitto.conf")),
                ],
                when_left=signal.SIGTERM,
                # the container's account, so that file permissions count as well
                account=Account("mosquitto", ACCOUNT, ACCOUNT),
                output=log,
            )
        parts.wait_for(lambda: parts.answers(self.port) or self.has_ended())

    def has_ended(self) -> bool:
        """Tell whether it did; its log is shown then, by the failing test."""
        ended = self.running is not None and self.running.poll() is not None
        if ended:
            print((self.folder / "log").read_text())
        return ended

    def end(self, number: signal.Signals) -> None:
        assert self.running is not None
        self.running.send_signal(number)
        self.running.wait(10)

    def credential(self, user: str) -> str:
        made = subprocess.run(
            [self.folder / "credential", user],
            check=True,
            capture_output=True,
            text=True,
        )
        if self.running is not None:
            self.running.send_signal(signal.SIGHUP)
        return made.stdout.strip()

    def url(self, user: str, password: str) -> str:
        name = user.replace("/", "%2F")
        return f"mqtts://{name}:{password}@localhost:{self.port}"

    @property
    def ingest_url(self) -> str:
        return self._secret("broker_url")

    @property
    def publish_url(self) -> str:
        return self._secret("broker_publish_url")

    def _secret(self, name: str) -> str:
        made = (self.folder / "secrets" / name).read_text().strip()
        return made.replace("broker:8883", f"localhost:{self.port}")


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    if os.geteuid() != 0:
        parts.missing(
            "deploy/prepare gives files to the containers' accounts: not root"
        )
    parts.program("openssl", package="openssl")
    with parts.reachable_directory() as directory:
        folder = directory / "deploy"
        shutil.copytree(
            parts.PROJECT / "deploy", folder, ignore=shutil.ignore_patterns("secrets")
        )
        subprocess.run([folder / "prepare", "localhost"], check=True)
        made = Deployment(folder, parts.free_port())
        data = folder / "data"
        data.mkdir()
        shutil.chown(data, ACCOUNT, ACCOUNT)
        text = (folder / "mosquitto" / "mosquitto.conf").read_text()
        for there, here in {
            "listener 8883": f"listener {made.port} 127.0.0.1",
            "listener 1883": f"listener {parts.free_port()}",
            "/mosquitto/secrets": str(folder / "secrets" / "broker"),
            "/mosquitto/data": str(data),
        }.items():
            assert there in text
            text = text.replace(there, here)
        (folder / "mosquitto.conf").write_text(text)
        try:
            made.start()
            yield made
        finally:
            made.end(signal.SIGTERM)


@contextmanager
def listening(deployment: Deployment) -> Iterator[list[tuple[str, bytes]]]:
    """Listen as the ingest worker does, and give what arrives."""
    seen: list[tuple[str, bytes]] = []
    granted: list[object] = []

    def collect(_client: Client, _data: object, message: MQTTMessage) -> None:
        seen.append((message.topic, message.payload))

    url = deployment.ingest_url
    made = mqtt.client(url, client_id="ingest", clean=False, ca_file=deployment.ca_file)
    made.on_message = collect
    made.on_subscribe = lambda *args: granted.append(args)
    mqtt.connect(made, url)
    made.loop_start()
    parts.wait_for(made.is_connected)
    made.subscribe("vp/v1/+/+/+", qos=1)
    parts.wait_for(lambda: granted)
    try:
        yield seen
    finally:
        made.disconnect()
        made.loop_stop()


def test_sensor_publishes_under_its_own_topics_only(deployment: Deployment) -> None:
    user = "kaiserslautern/camera-1"
    url = deployment.url(user, deployment.credential(user))
    with (
        listening(deployment) as seen,
        mqtt.Publisher(url, "camera", ca_file=deployment.ca_file) as sensor,
    ):
        for topic in (
            "vp/v1/kaiserslautern/camera-2/counts",
            "vp/v1/landau/camera-1/counts",
            "vp/v1/kaiserslautern/camera-1",
            "vp/v1/kaiserslautern/camera-1/counts/more",
            "$SYS/broker/uptime",
            "vp/v1/kaiserslautern/camera-1/counts",
        ):
            sensor.publish(topic, topic.encode())
        sensor.flush(10)
        own = "vp/v1/kaiserslautern/camera-1/counts"
        parts.wait_for(lambda: (own, own.encode()) in seen)
        assert [topic for topic, _ in seen] == [own]


def test_web_server_publishes_for_all_sensors_and_reads_nothing(
    deployment: Deployment,
) -> None:
    url, ca_file = deployment.publish_url, deployment.ca_file
    with (
        listening(deployment) as seen,
        mqtt.Publisher(url, "web", ca_file=ca_file) as web,
    ):
        for topic in ("$SYS/broker/uptime", "vp/v1/landau/camera-1/counts"):
            web.publish(topic, b"{}")
        web.flush(10)
        parts.wait_for(lambda: seen)
        assert [topic for topic, _ in seen] == ["vp/v1/landau/camera-1/counts"]


def test_nobody_connects_without_a_password_that_is_right(
    deployment: Deployment,
) -> None:
    user = "kaiserslautern/camera-1"
    old = deployment.credential(user)
    new = deployment.credential(user)
    ca_file = deployment.ca_file
    with mqtt.Publisher(deployment.url(user, new), "camera", ca_file=ca_file):
        pass
    for name, password in ((user, old), (user, ""), ("ingest", new), ("other", new)):
        with pytest.raises(BrokerUnavailable, match=r"(?i)not authori[sz]ed"):
            mqtt.Publisher(
                deployment.url(name, password), "camera", ca_file=ca_file
            ).__enter__()


def test_broker_is_believed_only_by_its_certificate(deployment: Deployment) -> None:
    own = ssl.create_default_context(cafile=deployment.ca_file)
    shake_hands(deployment.port, "localhost", own)
    with pytest.raises(ssl.SSLCertVerificationError, match="issuer"):
        shake_hands(deployment.port, "localhost", ssl.create_default_context())
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(deployment.port, "elsewhere", own)


def shake_hands(port: int, host: str, context: ssl.SSLContext) -> None:
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname=host),
    ):
        pass


def test_what_the_broker_saved_outlives_it(deployment: Deployment) -> None:
    user = "kaiserslautern/camera-1"
    url = deployment.url(user, deployment.credential(user))
    saved = deployment.folder / "data" / "mosquitto.db"
    expected = [b"message %03d" % number for number in range(300)]
    with listening(deployment):
        pass
    with mqtt.Publisher(url, "camera", ca_file=deployment.ca_file) as sensor:
        for payload in expected:
            sensor.publish("vp/v1/kaiserslautern/camera-1/counts", payload)
        sensor.flush(20)
        # it acknowledges a moment before it saves
        parts.wait_for(lambda: expected[-1] in saved.read_bytes())
        deployment.end(signal.SIGKILL)
    deployment.start()
    with listening(deployment) as seen:
        parts.wait_for(lambda: len(seen) >= len(expected))
    assert [payload for _, payload in seen] == expected


def test_broker_keeps_messages_for_a_worker_that_is_away(
    deployment: Deployment,
) -> None:
    found = probe(deployment.ingest_url, ca_file=deployment.ca_file)
    assert found is not None
    assert (found.returned, found.dropped) == (found.sent, 0)
