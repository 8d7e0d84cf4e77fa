"""Receive over MQTT: one thread that reads, queues, and acknowledges.

The session is persistent, under a client id that belongs to the worker slot, so that
the broker keeps messages for a stopped worker. The id cannot be guessed, because a
client that connects with it takes over the session. A message is acknowledged after its
transaction has committed, in order of receipt, and only over the connection that
delivered it; after a reconnect the broker delivers it again, and the key (channel,
time) makes it a duplicate.
"""

import contextlib
import logging
import random
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as paho

from ingest.batch import Message
from ingest.bulk import BulkClient, Published, missing
from verkehrspuls import mqtt
from verkehrspuls.errors import BrokerUnavailable
from verkehrspuls.settings import Broker, Ingest
from verkehrspuls.wire import PREFIX

log = logging.getLogger(__name__)


class Inbox:
    """Queue of received messages until they are written, bounded by count and bytes.

    When it is full the network thread stops reading, and the broker keeps the rest.
    Messages taken out count until they are released, so the bound covers all that are
    held.
    """

    def __init__(self, *, messages: int, size_bytes: int) -> None:
        self._messages: deque[Message] = deque()
        self._limit, self._size_limit = messages, size_bytes
        self._count = self._size = 0
        self._changed = threading.Condition()
        self._closed = False

    @property
    def full(self) -> bool:
        """Whether to stop reading."""
        return self._count >= self._limit or self._size >= self._size_limit

    def put(self, messages: Sequence[Message]) -> None:
        """Add messages; never refuses: the receiver keeps the bound by not reading."""
        size = _size(messages)
        with self._changed:
            self._messages.extend(messages)
            self._count += len(messages)
            self._size += size
            self._changed.notify()

    def take(self, timeout_s: float, *, at_most: int) -> list[Message]:
        """Take the oldest messages; empty after the timeout or when closed."""
        with self._changed:
            if not self._messages and not self._closed:
                self._changed.wait(timeout_s)
            count = min(at_most, len(self._messages))
            return [self._messages.popleft() for _ in range(count)]

    def release(self, messages: Sequence[Message]) -> None:
        """Make room: these messages are written."""
        size = _size(messages)
        with self._changed:
            self._count -= len(messages)
            self._size -= size

    def close(self) -> None:
        """Close it: no more messages follow."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def finished(self) -> bool:
        """Whether it is closed and empty."""
        return self._closed and not self._messages


def _size(messages: Sequence[Message]) -> int:
    return sum([len(message.payload) for message in messages])


def native_topics(settings: Ingest) -> list[str]:
    """Return the topics under which sensors of the native format publish.

    Without shared subscriptions at the broker, each worker serves its own
    municipalities.
    """
    return [f"{PREFIX}/{key}/+/+" for key in settings.municipalities or ("+",)]


def uncovered(topics: Iterable[str], others: Collection[str]) -> frozenset[str]:
    """Remove topic filters that are covered by others, or by one another.

    A broker may deliver a message once for each matching subscription.
    """
    wanted = frozenset(topics)
    return frozenset(
        topic
        for topic in wanted
        if not any(_covers(other, topic) for other in (*others, *(wanted - {topic})))
    )


def _covers(one: str, other: str) -> bool:
    """Return whether a topic filter covers all topics of another."""
    deep = one.endswith("#") or not other.endswith("#")
    return deep and bool(paho.topic_matches_sub(one, other))


MAX_RECONNECT_PAUSE_S: Final = 30.0
#: A shorter connection counts as a failure: another client may have our client id, so
#: that each disconnects the other.
MIN_STABLE_S: Final = 2.0
#: wait on stopping for acknowledgements that the network does not accept
FLUSH_TIMEOUT_S: Final = 0.5
#: packets and bytes read before the socket is checked again: they may exceed the bound
#: of the inbox
MAX_READ_PACKETS: Final = 200
MAX_READ_BYTES: Final = 262_144
#: Pause before reading in bulk, so that several packets are available.
BULK_READ_PAUSE_S: Final = 0.002
_FAILURE: Final = 0x80
_DISCONNECT: Final = b"\xe0\x00"


class Receiver:
    """The MQTT session of a worker slot."""

    def __init__(
        self,
        broker: Broker,
        settings: Ingest,
        inbox: Inbox,
        *,
        on_ready: Callable[[], None] = lambda: None,
        draining: bool = False,
    ) -> None:
        """Prepare; with `draining`, receive only what waits for the slot."""
        self._draining = draining
        self._url = broker.url.get_secret_value()
        self._keepalive_s = broker.keepalive_s
        self._topics = native_topics(settings)
        #: Workers of a group share the load, if the broker supports it.
        self._group = ""
        #: name that earlier versions gave the group; a session may still be in it
        self._former_group = f"$share/{settings.share}/" if settings.share else ""
        self._foreign: frozenset[str] = frozenset()
        self._registered: frozenset[str] = frozenset()
        self._beside_refused = False
        self._foreign_subscribed: frozenset[str] = frozenset()
        self._inbox = inbox
        self._on_ready = on_ready
        self._ca_file = broker.ca_file
        self._bulk = settings.bulk
        #: created by `serve`
        self._client: paho.Client
        #: messages just read, and their size in bytes
        self._arrived: list[Message] = []
        self._arrived_bytes = 0
        self._committed: deque[Sequence[Message]] = deque()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._serving = False
        self._connection = 0
        self._next_attempt = 0.0
        self._pause_s = 0.5
        self._subscribed_at: float | None = None
        self._native_mid: int | None = None
        self._stopping = threading.Event()
        self.received = 0
        #: Whether the broker should know our session; if it does not, messages may be
        #: missing.
        self.expects_session = False
        self.sessions_lost = 0
        #: of the broker's certificate at the last connection; None: no TLS
        self.certificate_ends: datetime | None = None

    def serve(self, client_id: str, *, group: str = "", expects_session: bool) -> None:
        """Set the slot's client identifier and group; once, before `step`."""
        self._group = f"$share/{group}/" if group else ""
        made = _client(self._url, client_id, self._ca_file, bulk=self._bulk)
        if isinstance(made, BulkClient):
            made.on_messages = self._received_many
        made.on_connect = self._connected
        made.on_subscribe = self._subscribed
        made.on_unsubscribe = self._unsubscribed
        made.on_disconnect = self._disconnected
        made.on_message = self._received
        # with an external loop, paho queues packets instead of writing each at once
        made.on_socket_register_write = lambda *_: None
        self.expects_session = expects_session
        self._client = made
        self._serving = True

    def committed(self, messages: Sequence[Message]) -> None:
        """Acknowledge messages whose transaction has committed; from any thread."""
        self._committed.append(messages)
        self.wake()

    def listen(self, topics: Iterable[str], *, beside: Iterable[str] = ()) -> None:
        """Subscribe also to the topics of foreign formats; from any thread.

        Topics `beside` them are skipped if the broker does not permit reading them.
        """
        self._registered = uncovered(topics, self._topics)
        wide = () if self._beside_refused else beside
        self._foreign = uncovered({*self._registered, *wide}, self._topics)
        self.wake()

    def wake(self) -> None:
        """Interrupt the wait for the network; from any thread."""
        with contextlib.suppress(OSError):  # waking up already, or stopped
            self._wake_write.send(b"\0")

    def step(self, timeout_s: float = 0.5) -> None:
        """Perform what is due: read, write, acknowledge, keep alive, reconnect."""
        self._acknowledge()
        connection = self._client.socket()
        if connection is None:
            self._reconnect(timeout_s)
            return
        if self._subscribed_at is not None and not self._draining:
            foreign = self._foreign
            self._subscribe(foreign - self._foreign_subscribed)
            self._foreign_subscribed = foreign
        # a full inbox means back-pressure: the broker keeps unread messages
        reading = [] if self._inbox.full else [connection]
        decrypted = isinstance(connection, ssl.SSLSocket) and connection.pending()
        readable, writable, _ = select.select(
            [*reading, self._wake_read],
            [connection] if self._client.want_write() else [],
            [],
            0 if decrypted and reading else timeout_s,
        )
        if self._wake_read in readable:
            self._wait(0)
        if connection in readable or (decrypted and reading):
            self._read()
        if connection in writable:
            self._client.loop_write()
        if reading:  # a PINGRESP is seen only while reading
            self._client.loop_misc()
        self._acknowledge()

    def stop(self) -> None:
        """Disconnect; the session remains, and the broker keeps messages for it."""
        self._acknowledge()
        self._stopping.set()
        if self._serving and self._client.socket() is not None:
            self._flush()
            self._hang_up()
            self._client.disconnect()
        self._wake_read.close()
        self._wake_write.close()

    def _flush(self) -> None:
        """Write pending bytes; do not wait for a peer that is gone."""
        deadline = time.monotonic() + FLUSH_TIMEOUT_S
        while self._client.want_write() and time.monotonic() < deadline:
            connection = self._client.socket()
            if connection is None:
                return
            select.select([], [connection], [], FLUSH_TIMEOUT_S)
            self._client.loop_write()

    def _hang_up(self) -> None:
        """Send DISCONNECT, and wait until the broker has closed the connection.

        Closing with unread bytes would reset the connection, and the broker might never
        read our last acknowledgements.
        """
        connection: Any = self._client.socket()  # plain or TLS
        if connection is None:
            return
        deadline = time.monotonic() + FLUSH_TIMEOUT_S
        with contextlib.suppress(OSError):
            connection.sendall(_DISCONNECT)
            connection.shutdown(socket.SHUT_WR)
            while (left := deadline - time.monotonic()) > 0:
                readable, _, _ = select.select([connection], [], [], left)
                if readable and not connection.recv(65_536):
                    return

    def _wait(self, timeout_s: float) -> None:
        """Wait to be woken, and clear the signal."""
        if select.select([self._wake_read], [], [], timeout_s)[0]:
            self._wake_read.recv(4096)

    def _read(self) -> None:
        if isinstance(self._client, BulkClient):
            time.sleep(BULK_READ_PAUSE_S)
        for _ in range(MAX_READ_PACKETS):
            before = self.received
            if self._client.loop_read() != paho.MQTT_ERR_SUCCESS:
                break
            if self.received == before or self._inbox.full:
                break
            if self._arrived_bytes >= MAX_READ_BYTES:
                break
        if self._arrived:
            self._inbox.put(self._arrived)
            self._arrived, self._arrived_bytes = [], 0

    def _acknowledge(self) -> None:
        while self._committed:
            # messages of an earlier connection are delivered again over this one
            mids = [
                message.mid
                for message in self._committed.popleft()
                if message.mid and message.connection == self._connection
            ]
            if not mids:
                continue
            if isinstance(self._client, BulkClient):
                self._client.acknowledge(mids)
            else:
                for mid in mids:
                    self._client.ack(mid, 1)
            with _corked(self._client.socket()):
                self._client.loop_write()

    def _reconnect(self, timeout_s: float) -> None:
        wait = self._next_attempt - time.monotonic()
        if wait > 0:
            self._wait(min(wait, timeout_s))
            return
        jitter = random.uniform(0.5, 1)  # noqa: S311 - spreads load, hides nothing
        self._next_attempt = time.monotonic() + self._pause_s * jitter
        self._pause_s = min(2 * self._pause_s, MAX_RECONNECT_PAUSE_S)
        try:
            mqtt.connect(self._client, self._url, keepalive_s=self._keepalive_s)
        except BrokerUnavailable as error:
            log.warning("broker_retry", extra={"reason": str(error)})

    def _connected(
        self, client: Any, _data: Any, flags: Any, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            log.error("broker_refused", extra={"reason": str(reason)})
            return
        self._connection += 1
        self.certificate_ends = mqtt.certificate_ends(client)
        log.info("broker_connected", extra={"session_present": flags.session_present})
        if self.expects_session and not flags.session_present:
            self.sessions_lost += 1
            log.error(
                "session_lost",
                extra={"advice": "messages may be missing: see the gaps in the ledger"},
            )
        self.expects_session = True
        self._foreign_subscribed = frozenset()
        if not self._draining:
            self._native_mid = self._subscribe(self._topics)
            if self._group and flags.session_present:
                self._leave(self._former_group)
        elif self._group:
            # from now on the other members of the group receive its share
            self._leave(self._former_group, self._group)
        else:
            # some brokers drop waiting messages of a subscription that ends
            self._ready()

    def _leave(self, *groups: str) -> None:
        topics = [*self._topics, *sorted(self._foreign)]
        self._client.unsubscribe(
            [group + topic for group in groups for topic in topics]
        )

    def _unsubscribed(self, *_: Any) -> None:
        if self._draining:
            self._ready()

    def _ready(self) -> None:
        self._subscribed_at = time.monotonic()
        self._on_ready()

    def _subscribe(self, topics: Collection[str]) -> int | None:
        if not topics:
            return None
        wanted = [(self._group + topic, 1) for topic in sorted(topics)]
        return self._client.subscribe(wanted)[1]

    def _subscribed(
        self, client: Any, _data: Any, mid: int, reasons: Any, _properties: Any
    ) -> None:
        refused = any(reason.value >= _FAILURE for reason in reasons)
        if mid != self._native_mid:
            # one forbidden topic of a sensor must not stop all others
            if refused:
                topics = sorted(self._foreign)
                log.error("subscription_refused", extra={"topics": topics})
                self._beside_refused = True
                self._foreign = self._registered
                if self._foreign != frozenset(topics):
                    self._foreign_subscribed = frozenset()
            return
        if refused:
            log.error("subscription_refused", extra={"topics": self._topics})
            client.disconnect()
            return
        self._ready()

    def _disconnected(
        self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        # messages received over this connection can no longer be acknowledged
        self._connection += 1
        since, self._subscribed_at = self._subscribed_at, None
        if since is not None and time.monotonic() - since >= MIN_STABLE_S:
            self._pause_s = 0.5
        if not self._stopping.is_set():
            log.warning("broker_lost", extra={"reason": str(reason)})

    def _received(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        self.received += 1
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = repr(message._topic)
        self._arrived_bytes += len(message.payload)
        self._arrived.append(
            Message(
                topic,
                bytes(message.payload),
                datetime.now(UTC),
                message.mid if message.qos else 0,
                self._connection,
                message.retain,
            )
        )

    def _received_many(self, found: Sequence[Published], now: datetime) -> None:
        self.received += len(found)
        connection = self._connection
        self._inbox.put(
            [
                Message(
                    topic.decode("utf-8", "replace"),
                    payload,
                    now,
                    mid,
                    connection,
                    retained,
                )
                for topic, payload, mid, retained in found
            ]
        )


@contextlib.contextmanager
def _corked(connection: Any) -> Iterator[None]:
    """Combine small writes into one packet, where the system supports it (Linux)."""
    option = getattr(socket, "TCP_CORK", None)
    if connection is None or option is None:
        yield
        return
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, option, 1)
    yield
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, option, 0)


def _client(
    url: str, client_id: str, ca_file: Path | None, *, bulk: bool
) -> paho.Client:
    """Create the client: the bulk client if requested and supported by this paho."""
    kind = BulkClient if bulk else paho.Client
    made = mqtt.client(
        url,
        client_id=client_id,
        clean=False,
        manual_ack=True,
        ca_file=ca_file,
        kind=kind,
    )
    lacking = missing(made) if bulk else ""
    if not lacking:
        return made
    log.warning("bulk_unavailable", extra={"reason": lacking})
    return _client(url, client_id, ca_file, bulk=False)
