"""A broker that dies, forgets, refuses or sends too much; rows 14-16, 21-23, 43-44."""

import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import msgspec
import pytest

from ingest.receive import MAX_READ_PACKETS, Inbox, Receiver
from tests import parts
from tests.faults import world as harness
from tests.faults.matrix import lasting
from tests.faults.test_worker import duplicates, send
from tests.faults.world import OUTPUTS, PATIENCE_S, START, Sender, Server, World, world
from tests.towns import COUNTS_TOPIC
from verkehrspuls import mqtt
from verkehrspuls.settings import Broker, Ingest
from verkehrspuls.stack.checks import PROBLEM, _slots
from verkehrspuls.storage.database import connect
from verkehrspuls.storage.slots import slots

KINDS = ("nats", "mosquitto")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["broker killed", "broker restarted"])
def test_broker_is_away_and_comes_back(server: Server, kind: str, name: str) -> None:
    """NATS keeps what it acknowledged, Mosquitto what it has saved as well."""
    with world(server, kind) as it, Sender(it.broker.publish_url) as sender:
        # much is on its way, nothing written
        with lasting("ledger locked", it, sender):
            send(sender, range(200))
            sender.flush()
            with lasting(name, it, sender):
                pass
        send(sender, range(200, 300))
        it.finish(sender)
        assert it.worker.count_logged("session_lost") == 0


def test_what_the_broker_forgot_but_the_worker_has_is_stored(server: Server) -> None:
    """Mosquitto killed before it saved: what reached the worker is not lost."""
    with world(server, "mosquitto") as it, Sender(it.broker.publish_url) as sender:
        parts.wait_for(lambda: it.network.open, PATIENCE_S)
        with lasting("ledger locked", it, sender):
            send(sender, range(50))
            sender.flush()
            assert it.broker.process is not None
            it.broker.process.kill()
            it.broker.process.wait()
            it.broker.start()
            parts.wait_for(
                lambda: it.worker.count_logged("broker_connected") == 2, PATIENCE_S
            )
        it.finish(sender)


def test_loss_at_the_broker_shows_as_gaps(server: Server) -> None:
    """What a killed Mosquitto forgot is counted by the gaps in sequence numbers."""
    with world(server, "mosquitto") as it, Sender(it.broker.publish_url) as sender:
        numbered(sender, range(1, 11))
        sender.flush()
        parts.wait_for(lambda: it.stored() == 20, PATIENCE_S)
        assert it.worker.end() == 0
        mosquitto = it.broker
        assert isinstance(mosquitto, parts.Mosquitto)
        mosquitto.wait_until_saved()
        saved = mosquitto.database.read_bytes()
        numbered(sender, range(11, 41))
        sender.flush()
        assert mosquitto.process is not None
        mosquitto.process.kill()
        mosquitto.process.wait()
        mosquitto.database.write_bytes(saved)  # as if killed before the next save
        mosquitto.start()
        it.worker.start()
        numbered(sender, range(41, 51))
        sender.flush()
        parts.wait_for(lambda: it.stored() >= 40, PATIENCE_S)
        assert it.worker.end() == 0
        lost = len(sender.acknowledged) - it.stored()
        ((gaps,),) = it.query("select sum(sequence_lost) from ledger")
        assert lost == 2 * 30
        assert gaps == 30


def numbered(sender: Sender, numbers: range) -> None:
    for number in numbers:
        sender.counts(number, seq=number)


@pytest.mark.parametrize("kind", KINDS)
def test_session_that_the_broker_forgot_raises_an_alarm(
    server: Server, kind: str
) -> None:
    with world(server, kind) as it, Sender(it.broker.publish_url) as sender:
        send(sender, range(10))
        parts.wait_for(lambda: it.stored() == 20, PATIENCE_S)
        assert it.worker.end() == 0
        assert it.worker.count_logged("session_lost") == 0
        forget_session(it)
        it.worker.restart()
        assert it.worker.count_logged("session_lost") == 1
        parts.wait_for(
            lambda: it.query("select sessions_lost from ingest_slot") == [(1,)],
            PATIENCE_S,
        )
        send(sender, range(10, 20))
        it.finish(sender)


def forget_session(it: World) -> None:
    """Let the broker forget the worker's session, as if it had expired."""
    cheat(it.broker.url, [it.session], clean=True)


#: client identifiers that a cheater can guess: ours of older versions, and what else is
#: written in the code
GUESSES = (
    "verkehrspuls-ingest-0",
    "verkehrspuls-ingest",
    "verkehrspuls-doctor",
    "verkehrspuls-http",
    "verkehrspuls-simulate-live",
    "verkehrspuls-replay",
    "vp-probe",
    "ingest",
)


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_takes_over_a_session_by_guessing_its_name(
    server: Server, kind: str
) -> None:
    """A password that may publish only: a web server's, a simulator's."""
    with world(server, kind) as it, Sender(it.broker.publish_url) as sender:
        send(sender, range(100))
        parts.wait_for(lambda: it.stored() == 200, PATIENCE_S)
        for clean in (True, False):
            cheat(it.broker.publish_url, GUESSES, clean=clean)
        assert it.worker.count_logged("broker_lost") == 0
        assert it.worker.end() == 0
        send(sender, range(100, 300))
        sender.flush()
        for clean in (True, False):
            cheat(it.broker.publish_url, GUESSES, clean=clean)
        it.worker.restart()
        it.finish(sender)
        assert it.worker.count_logged("session_lost") == 0


def test_session_of_an_older_version_is_kept_and_told(server: Server) -> None:
    """What waits in it is not stranded by an upgrade; `doctor` says how to end it."""
    with world(server, "mosquitto") as it, Sender(it.broker.publish_url) as sender:
        send(sender, range(10))
        parts.wait_for(lambda: it.stored() == 20, PATIENCE_S)
        assert it.worker.end() == 0
        with connect(it.database, autocommit=True) as connection:
            connection.execute(
                "update ingest_session set client_id = 'verkehrspuls-ingest-0'"
            )
            it.worker.restart()
            assert [slot.guessable for slot in slots(connection)] == [True]
            (finding,) = _slots(slots(connection))
            assert finding.state == PROBLEM
            assert "ingest drain --slot 0" in finding.advice
            assert it.worker.end() == 0
            send(sender, range(10, 20))
            sender.flush()
            it.worker.start("drain", "--slot", "0", "--idle", "1")
            assert it.worker.process.wait(PATIENCE_S) == 0
            assert it.stored() == 40
            it.worker.restart()
            assert [slot.guessable for slot in slots(connection)] == [False]
        it.finish(sender)


def cheat(url: str, client_ids: Iterable[str], *, clean: bool) -> None:
    """Connect under client identifiers that belong to others, and take what comes."""
    for client_id in client_ids:
        other = mqtt.client(url, client_id=client_id, clean=clean)
        mqtt.connect(other, url)
        other.loop_start()
        parts.wait_for(other.is_connected, PATIENCE_S)
        other.disconnect()
        other.loop_stop()


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_password_is_told_and_tried_again(server: Server, kind: str) -> None:
    with world(server, kind) as it, Sender(it.broker.publish_url) as sender:
        assert it.worker.end() == 0
        ready = it.worker.count_logged("\nready\n")
        right = it.worker.all_settings()["broker__url"]
        it.worker.settings(broker__url=str(right).replace("ingest:", "ingest:x"))
        it.worker.start()
        parts.wait_for(
            lambda: it.worker.count_logged("broker_refused") >= 2, PATIENCE_S
        )
        assert it.worker.alive
        assert it.worker.count_logged("\nready\n") == ready
        assert it.worker.end() == 0
        it.worker.settings(broker__url=right)
        it.worker.restart()
        send(sender, range(10))
        it.finish(sender)


@pytest.mark.parametrize("kind", KINDS)
def test_refused_subscription_is_told_and_tried_again(
    server: Server, kind: str
) -> None:
    """Connected but not let read: that is not ready, and not healthy."""
    with world(server, kind) as it:
        assert it.worker.end() == 0
        ready = it.worker.count_logged("\nready\n")
        refuse = it.broker.publish_url
        port = it.network.port
        it.worker.settings(
            broker__url=harness.at_port(refuse, port), ingest__municipalities="x"
        )
        it.worker.start()
        parts.wait_for(
            lambda: it.worker.count_logged("subscription_refused") >= 2, PATIENCE_S
        )
        assert it.worker.count_logged("\nready\n") == ready
        assert it.worker.end() == 0


def test_messages_delivered_again_while_the_database_is_slow(server: Server) -> None:
    """NATS delivers again what is not acknowledged in time: absorbed, and it ends."""
    with world(server, "nats") as it, Sender(it.broker.publish_url) as sender:
        with lasting("ledger locked", it, sender):
            send(sender, range(300))
            sender.flush()
            # what is tested
            time.sleep(3 * float(harness.QuickNats.ack_wait.rstrip("s")))
        it.finish(sender)
        assert duplicates(it) > 0


class Fake:
    """A broker that sends as much as the network takes, without waiting for acks."""

    def __init__(self, messages: int) -> None:
        self._messages = messages
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.sent = 0
        self.acknowledged: list[int] = []
        self.garbage = b""
        self.connections = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Fake":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE_S)

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                try:
                    self._serve(connection)
                except OSError:
                    continue

    def _serve(self, connection: socket.socket) -> None:
        read_packet(connection)
        connection.sendall(b"\x20\x02\x01\x00")
        subscribe = read_packet(connection)
        connection.sendall(b"\x90\x03" + subscribe[:2] + b"\x00")
        if self.garbage:
            connection.sendall(self.garbage)
        reader = threading.Thread(target=self._read, args=(connection,), daemon=True)
        reader.start()
        while self.sent < self._messages:
            self.sent += 1
            connection.sendall(publish(self.sent))
        reader.join()

    def _read(self, connection: socket.socket) -> None:
        try:
            while body := read_packet(connection):
                self.acknowledged.append(int.from_bytes(body[:2], "big"))
        except OSError:
            return


def publish(number: int) -> bytes:
    body = {
        "time": START,
        "interval_s": 300,
        "counts": [{"channel": o, "classes": {"car": number}} for o in OUTPUTS],
    }
    topic = COUNTS_TOPIC.encode()
    rest = struct.pack("!H", len(topic)) + topic + struct.pack("!H", number)
    rest += msgspec.json.encode(body)
    length = bytes((len(rest) & 0x7F | 0x80, len(rest) >> 7))
    return b"\x32" + length + rest


def read_packet(connection: socket.socket) -> bytes:
    """Read a packet and give its body; empty at the end."""
    first = connection.recv(1)
    if not first:
        return b""
    length, shift = 0, 0
    while True:
        byte = connection.recv(1)[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    body = b""
    while len(body) < length:
        body += connection.recv(length - len(body))
    return body or b"\0"


@contextmanager
def receiving(
    port: int, *, bulk: bool, messages: int
) -> Iterator[tuple[Inbox, Receiver]]:
    inbox = Inbox(messages=messages, size_bytes=1 << 30)
    url = f"mqtt://127.0.0.1:{port}"
    receiver = Receiver(Broker.model_validate({"url": url}), Ingest(bulk=bulk), inbox)
    receiver.serve("session", expects_session=False)
    try:
        yield inbox, receiver
    finally:
        receiver.stop()


@pytest.mark.parametrize("bulk", [False, True], ids=["standard", "bulk"])
def test_broker_that_sends_more_than_agreed_is_not_read(bulk: bool) -> None:
    """The queue is bounded whatever the broker sends; acknowledged in order."""
    most, total = 500, 60_000
    with Fake(total) as fake, receiving(fake.port, bulk=bulk, messages=most) as both:
        inbox, receiver = both
        deadline = time.monotonic() + PATIENCE_S
        while not inbox.full and time.monotonic() < deadline:
            receiver.step(0.1)
        for _ in range(20):
            receiver.step(0.01)
        first = inbox.take(0, at_most=10**6)
        held = len(first)
        assert inbox.full  # until they are written
        inbox.release(first)
        # a chunk of 256 kB holds at most so many more
        assert most <= held <= most + (2_000 if bulk else MAX_READ_PACKETS)
        assert fake.sent < total
        taken = held
        while taken < total and time.monotonic() < deadline:
            receiver.step(0.05)
            found = inbox.take(0, at_most=10**6)
            taken += len(found)
            inbox.release(found)
            receiver.committed(found)
        for _ in range(10):
            receiver.step(0.05)
        parts.wait_for(lambda: len(fake.acknowledged) == total - held, PATIENCE_S)
        assert fake.acknowledged == list(range(held + 1, total + 1))


@pytest.mark.parametrize("bulk", [False, True], ids=["standard", "bulk"])
@pytest.mark.parametrize(
    "garbage",
    [
        b"\x32\x02\x00\xff",  # a topic that is longer than its packet
        b"\x32\x00",
        b"\xf0\x00",  # reserved
        b"\x40\x01\x00",
        b"\x90\x00",
        b"\x32\xff\xff\xff\xff\xff\x01",  # a length of five bytes
        b"\x20\x00",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
def test_broker_that_does_not_speak_mqtt_is_left(bulk: bool, garbage: bytes) -> None:
    """Bytes that are no packet end the connection, not the worker."""
    with Fake(10) as fake, receiving(fake.port, bulk=bulk, messages=500) as both:
        inbox, receiver = both
        fake.garbage = garbage
        deadline = time.monotonic() + PATIENCE_S
        while fake.connections < 2 and time.monotonic() < deadline:
            receiver.step(0.1)
            if len(inbox.take(0, at_most=100)) == 10:
                return  # understood, though it makes no sense
        assert fake.connections >= 2
