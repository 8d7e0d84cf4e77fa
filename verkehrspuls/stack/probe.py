"""Check whether the broker keeps messages for an ingest worker that is away.

Publishes more messages than a broker keeps by default for a separate session that is
away; the session then returns and counts. The topic has fewer levels than those of
readings, so that no worker receives it. The credential of ingest may publish only
there.
"""

import fcntl
import hmac
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as paho

from verkehrspuls import mqtt
from verkehrspuls.errors import BrokerUnavailable
from verkehrspuls.wire import PREFIX

TOPIC: Final = f"{PREFIX}/doctor/probe"
#: Mosquitto keeps 1000 by default, and 20 more in transit
MESSAGES: Final = 1200
#: silence after which no more messages are expected
SILENCE_S: Final = 3.0
#: the same where some are missing: what a broker still sent while the session left, it
#: sends again only later; NATS after 30 s by default
REDELIVERY_S: Final = 35.0
#: probes of a user on a machine at the same time whose sessions are numbered
_NUMBERED: Final = 8
_DROPPED: Final = "$SYS/broker/publish/messages/dropped"


@dataclass(frozen=True, slots=True)
class Probe:
    """Result of a probe."""

    sent: int
    returned: int
    #: since the broker started, for any client; None: the broker does not report it
    dropped: int | None


def probe(url: str, *, ca_file: Path | None, messages: int = MESSAGES) -> Probe | None:
    """Probe a broker; None if the credential may not publish under the topic."""
    with session_name(url) as name:
        listener = _Listener(url, ca_file, name)
        listener.forget()
        try:
            return _probe(listener, messages)
        finally:
            listener.forget()


def _probe(listener: "_Listener", messages: int) -> Probe | None:
    token = listener.token
    with mqtt.Publisher(
        listener.url, "verkehrspuls-doctor", ca_file=listener.ca_file
    ) as publisher:
        with listener:
            publisher.publish(TOPIC, token + b" first")
            if not listener.wait(lambda: listener.returned == {b"first"}):
                return None
        for number in range(messages):
            publisher.publish(TOPIC, b"%b %d" % (token, number))
        publisher.flush()
    with listener:
        for silence_s in (SILENCE_S, REDELIVERY_S):
            if listener.wait(lambda: len(listener.returned) > messages, silence_s):
                break
    return Probe(messages, len(listener.returned) - 1, listener.dropped)


def sessions_are_open(url: str, other_url: str, *, ca_file: Path | None) -> bool:
    """Return whether another credential can take over a session by its id.

    Most brokers allow that. Tested with a separate session with a random id.
    """
    name = f"verkehrspuls-doctor-{secrets.token_hex(16)}"
    try:
        _visit(url, name, ca_file, clean=False)
        _visit(other_url, name, ca_file, clean=True)
        return not _visit(url, name, ca_file, clean=False)
    finally:
        _visit(url, name, ca_file, clean=True)


def _visit(url: str, name: str, ca_file: Path | None, *, clean: bool) -> bool:
    """Connect and disconnect; return whether the broker knew the session."""
    made = mqtt.client(url, client_id=name, clean=clean, ca_file=ca_file)
    present: list[bool] = []

    def connected(_c: Any, _d: Any, flags: Any, reason: Any, _p: Any) -> None:
        if not reason.is_failure:
            present.append(bool(flags.session_present))
            answered.set()

    answered = threading.Event()
    made.on_connect = connected
    mqtt.connect(made, url)
    made.loop_start()
    try:
        if not answered.wait(10):
            raise BrokerUnavailable(reason="no CONNACK.")
    finally:
        made.disconnect()
        made.loop_stop()
        made.on_connect = None
    return present[0]


@contextmanager
def session_name(url: str) -> Iterator[str]:
    """Yield the client id of a session that no other probe uses at the same time.

    It has the first free number of this machine and user, so that the next probe ends
    the session of a killed one, and is derived from the password, so that it cannot be
    guessed.
    """
    password = unquote(urlsplit(url).password or "")
    with _free_number() as number:
        whose = f"{TOPIC} {socket.gethostname()} {os.getuid()} {number}"
        digest = hmac.digest(password.encode(), whose.encode(), "sha256")
        yield f"verkehrspuls-doctor-{digest.hex()[:32]}"


@contextmanager
def _free_number() -> Iterator[str]:
    """Lock the first number that no other probe holds; a random one if none is free."""
    for number in range(_NUMBERED):
        path = Path(gettempdir(), f"verkehrspuls-doctor-{os.getuid()}-{number}.lock")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            continue
        try:
            yield str(number)
        finally:
            os.close(descriptor)
        return
    yield secrets.token_hex(16)


class _Listener:
    """A session that connects and disconnects."""

    def __init__(self, url: str, ca_file: Path | None, client_id: str) -> None:
        self.url, self.ca_file = url, ca_file
        #: begins its own messages: other probes use the same topic
        self.token = secrets.token_hex(8).encode()
        self.returned: set[bytes] = set()
        self.dropped: int | None = None
        self._client_id = client_id
        self._client: paho.Client
        self._changed = threading.Condition()
        self._subscribed = False
        self._heard_at = 0.0

    def __enter__(self) -> "_Listener":
        self._subscribed = False
        self._connect(clean=False)
        if not self.wait(lambda: self._subscribed):
            self.__exit__()
            raise BrokerUnavailable(reason="it does not answer a subscription.")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def forget(self) -> None:
        """Delete the session at the broker."""
        self._connect(clean=True)
        self.wait(self._client.is_connected)
        self.__exit__()

    def wait(self, condition: Callable[[], bool], silence_s: float = SILENCE_S) -> bool:
        """Wait for a condition; give up when nothing is received for a while."""
        self._heard_at = time.monotonic()
        with self._changed:
            while not condition():
                left = self._heard_at + silence_s - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, 0.1))
        return True

    def _connect(self, *, clean: bool) -> None:
        self._client = mqtt.client(
            self.url, client_id=self._client_id, clean=clean, ca_file=self.ca_file
        )
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe
        if not clean:
            self._client.on_connect = self._on_connect
        mqtt.connect(self._client, self.url)
        self._client.loop_start()

    def _on_connect(
        self, client: paho.Client, _data: Any, _flags: Any, reason: Any, _p: Any
    ) -> None:
        if not reason.is_failure:
            client.subscribe(TOPIC, qos=1)
            client.subscribe(_DROPPED, qos=0)  # may be refused

    def _on_subscribe(self, *_: Any) -> None:
        with self._changed:
            self._subscribed = True
            self._changed.notify_all()

    def _on_message(self, _c: Any, _d: Any, message: paho.MQTTMessage) -> None:
        with self._changed:
            self._heard_at = time.monotonic()
            if message.topic == _DROPPED:
                if bytes(message.payload).isdigit():
                    self.dropped = int(message.payload)
            elif message.payload.startswith(self.token):
                self.returned.add(bytes(message.payload).partition(b" ")[2])
            self._changed.notify_all()
