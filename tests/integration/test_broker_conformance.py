"""What ingest needs of a broker, held against each one that is present.

NATS (embedded) and Mosquitto are started here; any other one is tested where
`VERKEHRSPULS_TEST_BROKER_URL` names it, with what needs no power over its process.
"""

import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests import parts
from verkehrspuls import mqtt
from verkehrspuls.errors import BrokerUnavailable
from verkehrspuls.stack.checks import OK, PROBLEM, _keeping
from verkehrspuls.stack.probe import (
    MESSAGES,
    Probe,
    probe,
    session_name,
    sessions_are_open,
)

PATIENCE_S = parts.PATIENCE_S


@dataclass
class Client:
    """A session at a broker, as the ingest worker has one."""

    url: str
    client_id: str
    manual: bool = False
    received: list[tuple[str, bytes]] = field(default_factory=list)
    repeated: int = 0
    mids: list[int] = field(default_factory=list)
    granted: list[bool] = field(default_factory=list)
    session_present: bool | None = None

    @contextmanager
    def connected(self, *, clean: bool = False) -> Iterator["Client"]:
        self.session_present = None
        made = mqtt.client(
            self.url,
            client_id=self.client_id,
            clean=clean,
            manual_ack=self.manual,
            ca_file=CA_FILE,
        )
        self.client = made
        made.on_connect = self._on_connect
        made.on_subscribe = self._on_subscribe
        made.on_message = self._on_message
        mqtt.connect(made, self.url, keepalive_s=20)
        made.loop_start()
        try:
            parts.wait_for(lambda: self.session_present is not None, PATIENCE_S)
            yield self
        finally:
            made.disconnect()
            made.loop_stop()

    def subscribe(self, *topics: str) -> list[bool]:
        before = len(self.granted)
        self.client.subscribe([(topic, 1) for topic in topics])
        parts.wait_for(lambda: len(self.granted) >= before + len(topics), PATIENCE_S)
        return self.granted[before:]

    def expect(self, count: int) -> list[bytes]:
        parts.wait_for(lambda: len(self.received) >= count, PATIENCE_S)
        return [payload for _, payload in self.received]

    def acknowledge(self, count: int) -> None:
        for mid in self.mids[:count]:
            self.client.ack(mid, 1)
        del self.mids[:count]

    def _on_connect(self, _c: Any, _d: Any, flags: Any, reason: Any, _p: Any) -> None:
        if not reason.is_failure:
            self.session_present = flags.session_present

    def _on_subscribe(self, _c: Any, _d: Any, _m: Any, codes: Any, _p: Any) -> None:
        self.granted += [not code.is_failure for code in codes]

    def _on_message(self, _c: Any, _d: Any, message: Any) -> None:
        self.received.append((message.topic, bytes(message.payload)))
        self.repeated += message.dup
        self.mids.append(message.mid)


CA_FILE = Path(parts.BROKER_CA_FILE) if parts.BROKER_CA_FILE else None


class Named:
    """A broker that somebody else runs."""

    process = None
    url = parts.BROKER_URL
    publish_url = parts.BROKER_PUBLISH_URL


@pytest.fixture(params=["nats", "mosquitto", *(["named"] * bool(parts.BROKER_URL))])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def present(kind: str) -> Iterator[Any]:
    if kind == "named":
        yield Named()
        return
    with parts.broker(kind) as found:
        yield found


@pytest.fixture
def own(present: Any, kind: str) -> Any:
    if kind == "named":
        pytest.skip("needs power over the broker's process")
    return present


@pytest.fixture
def sensor() -> str:
    """A sensor that nobody else uses."""
    return f"conformance-{secrets.token_hex(6)}"


@pytest.fixture
def ingest(present: Any) -> Iterator[Client]:
    client = Client(present.url, f"conformance-{secrets.token_hex(6)}")
    yield client
    with client.connected(clean=True):
        pass


@contextmanager
def publishing(broker: Any) -> Iterator[Callable[..., None]]:
    name = f"conformance-{secrets.token_hex(6)}"
    with mqtt.Publisher(broker.publish_url, name, ca_file=CA_FILE) as publisher:

        def publish(topic: str, *payloads: bytes, retain: bool = False) -> None:
            for payload in payloads:
                publisher.publish(topic, payload, retain=retain)
            publisher.flush(PATIENCE_S)

        yield publish


def numbered(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def topic_of(sensor: str, kind: str = "counts") -> str:
    return f"vp/v1/conformance/{sensor}/{kind}"


def test_messages_wait_for_a_session_that_is_away_in_order(
    present: Any, ingest: Client, sensor: str
) -> None:
    topic = topic_of(sensor)
    with ingest.connected() as it:
        assert it.session_present is False
        assert it.subscribe(topic) == [True]
    with publishing(present) as publish:
        publish(topic, *numbered(3000))
    with ingest.connected() as it:
        assert it.session_present is True
        assert it.expect(3000) == numbered(3000)


def test_live_messages_come_in_order(present: Any, ingest: Client, sensor: str) -> None:
    topic = topic_of(sensor)
    with ingest.connected() as it, publishing(present) as publish:
        it.subscribe(topic)
        publish(topic, *numbered(2000))
        assert it.expect(2000) == numbered(2000)


def test_what_was_not_acknowledged_comes_again(
    present: Any, ingest: Client, sensor: str
) -> None:
    topic = topic_of(sensor)
    ingest.manual = True
    with ingest.connected() as it, publishing(present) as publish:
        it.subscribe(topic)
        publish(topic, *numbered(10))
        it.expect(10)
        it.acknowledge(4)
        it.subscribe(topic)  # answered after the broker has read what went before
    ingest.received.clear()
    with ingest.connected() as it:
        # NATS waits for 20 s, Mosquitto not at all
        found = it.expect(6)
        assert sorted(set(found)) == numbered(10)[4:]
        assert it.repeated >= 6
        it.acknowledge(6)


def test_clean_session_forgets(present: Any, ingest: Client, sensor: str) -> None:
    topic = topic_of(sensor)
    with ingest.connected() as it:
        it.subscribe(topic)
    with ingest.connected(clean=True):
        pass
    with publishing(present) as publish:
        publish(topic, b"in vain")
        with ingest.connected() as it:
            assert it.session_present is False
            it.subscribe(topic)
            publish(topic, b"heard")
            assert it.expect(1) == [b"heard"]


def test_retained_status_is_given_to_whoever_comes_later(
    present: Any, ingest: Client, sensor: str
) -> None:
    topic = topic_of(sensor, "status")
    with publishing(present) as publish:
        publish(topic, b"old", b"new", retain=True)
        try:
            with ingest.connected() as it:
                it.subscribe(f"vp/v1/conformance/{sensor}/+")
                assert it.expect(1) == [b"new"]
        finally:
            publish(topic, b"", retain=True)


def test_last_will_is_published(present: Any, ingest: Client, sensor: str) -> None:
    topic = topic_of(sensor, "status")
    with ingest.connected() as it:
        it.subscribe(topic)
        will = mqtt.Will(topic, b"offline")
        made = mqtt.client(
            present.publish_url, client_id=sensor, will=will, ca_file=CA_FILE
        )
        mqtt.connect(made, present.publish_url)
        made.loop_start()
        parts.wait_for(made.is_connected, PATIENCE_S)
        made.loop_stop()
        connection = made.socket()
        assert connection is not None
        connection.close()  # without DISCONNECT
        assert it.expect(1) == [b"offline"]
    with publishing(present) as publish:
        publish(topic, b"", retain=True)


@pytest.mark.parametrize("name", ["zähler-süd", "zähler.süd.1", "Stra\u00dfe..7"])
def test_umlauts_and_dots_in_topics(present: Any, ingest: Client, name: str) -> None:
    topic = f"vp/v1/conformance-{secrets.token_hex(4)}/{name}/counts"
    with ingest.connected() as it, publishing(present) as publish:
        it.subscribe(topic.replace(name, "+"))
        publish(topic, b"here")
        it.expect(1)
        assert it.received == [(topic, b"here")]


def test_large_payload(present: Any, ingest: Client, sensor: str) -> None:
    payload = secrets.token_bytes(900_000)
    with ingest.connected() as it:
        it.subscribe(topic_of(sensor))
    with publishing(present) as publish:
        publish(topic_of(sensor), payload)
    with ingest.connected() as it:
        assert it.expect(1) == [payload]


def test_credentials_have_the_rights_that_they_need_and_no_more(
    own: Any, ingest: Client, sensor: str
) -> None:
    topic = topic_of(sensor)
    writer = Client(own.publish_url, f"writer-{sensor}")
    with ingest.connected() as it, writer.connected(clean=True) as other:
        it.subscribe("vp/v1/+/+/+")
        other.subscribe("vp/v1/+/+/+")
        it.client.publish(topic, b"forged", qos=1)
        other.client.publish("elsewhere/x", b"elsewhere", qos=1)
        other.client.publish(topic, b"right", qos=1)
        assert it.expect(1) == [b"right"]
        assert other.received == []
    with pytest.raises(BrokerUnavailable, match=r"(?i)not authori[sz]ed"):
        mqtt.Publisher(
            own.publish_url.replace("publish:", "publish:x"), sensor
        ).__enter__()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_broker_keeps_what_it_promises(
    own: Any, ingest: Client, sensor: str, kind: str, number: signal.Signals
) -> None:
    """Stopped: all. Killed: NATS all it acknowledged, Mosquitto what it has saved."""
    topic = topic_of(sensor)
    with ingest.connected() as it:
        it.subscribe(topic)
    with publishing(own) as publish:
        publish(topic, *numbered(500))
    if kind == "mosquitto" and number == signal.SIGKILL:
        own.wait_until_saved()
    assert own.process is not None
    own.process.send_signal(number)
    own.process.wait(PATIENCE_S)
    own.start()
    with ingest.connected() as it:
        assert it.session_present is True
        assert it.expect(500) == numbered(500)


def test_doctor_finds_that_the_broker_keeps_messages(own: Any) -> None:
    began = time.monotonic()
    found = probe(own.url, ca_file=None)
    assert found is not None
    assert (found.sent, found.returned, found.dropped or 0) == (MESSAGES, MESSAGES, 0)
    assert [one.state for one in _keeping(found)] == [OK]
    # nothing of it is left, and nothing of it is a reading
    with session_name(own.url) as name, Client(own.url, name).connected() as it:
        assert it.session_present is False
    assert time.monotonic() - began < PATIENCE_S


def test_two_doctors_at_once_end_no_session_of_each_other(own: Any) -> None:
    ended: list[object] = []
    with session_name(own.url) as name, Client(own.url, name).connected() as it:
        it.client.on_disconnect = lambda *given: ended.append(given)
        found = probe(own.url, ca_file=None)
        it.client.on_disconnect = None
    assert found is not None
    assert found.returned == MESSAGES
    assert ended == []


def test_next_doctor_ends_the_session_of_a_killed_one(own: Any) -> None:
    with session_name(own.url) as name, Client(own.url, name).connected():
        pass
    assert probe(own.url, ca_file=None)
    with Client(own.url, name).connected() as it:
        assert it.session_present is False


def test_doctor_finds_that_a_session_belongs_to_who_knows_its_name(own: Any) -> None:
    """At these brokers; so our names are random."""
    assert sessions_are_open(own.url, own.publish_url, ca_file=None)


def test_doctor_finds_a_broker_that_drops_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("verkehrspuls.stack.probe.REDELIVERY_S", 0.1)
    with parts.reachable_directory() as directory:
        broker = parts.Mosquitto(directory / "data", max_queued_messages=1000)
        broker.start()
        try:
            found = probe(broker.url, ca_file=None)
            assert found is not None
            assert found.returned < found.sent
            (finding,) = _keeping(found)
            assert finding.state == PROBLEM
            assert "lost" in finding.detail
            (finding,) = _keeping(Probe(sent=10, returned=10, dropped=180))
            assert finding.state == PROBLEM
        finally:
            broker.stop()


def test_doctor_says_where_it_may_not_try() -> None:
    with parts.broker("mosquitto") as broker:
        # this one may publish, not receive
        assert probe(broker.publish_url, ca_file=None) is None
    (finding,) = _keeping(None)
    assert "may not publish" in finding.detail
