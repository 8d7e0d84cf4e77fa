"""MQTT 3.1.1 through paho: connect by URL, and publish without loss."""

import logging
import secrets
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from verkehrspuls.errors import BrokerUnavailable, UsageError
from verkehrspuls.wire import is_topic
from verkehrspuls.wording import some

log = logging.getLogger(__name__)

#: Topics listed in an error.
_MAX_TOPICS_LISTED: Final = 3


class Will(NamedTuple):
    """The message that the broker publishes, retained, when the connection breaks."""

    topic: str
    payload: bytes


def client(
    url: str,
    *,
    client_id: str,
    clean: bool = True,
    manual_ack: bool = False,
    will: Will | None = None,
    ca_file: Path | None = None,
    kind: type[paho.Client] = paho.Client,
) -> paho.Client:
    """Create a client for an `mqtt://` or `mqtts://` URL, not yet connected."""
    parts = urlsplit(url)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise UsageError(
            reason="the broker's URL has the form mqtt://user:password@host:port, "
            "or mqtts:// for TLS."
        )
    made = kind(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=clean,
        protocol=paho.MQTTv311,
        manual_ack=manual_ack,
    )
    if parts.username:
        made.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
    if parts.scheme == "mqtts":
        made.tls_set_context(ssl.create_default_context(cafile=ca_file))
    if will is not None:
        made.will_set(will.topic, will.payload, qos=1, retain=True)
    return made


def connect(made: paho.Client, url: str, *, keepalive_s: int = 60) -> None:
    """Connect to the URL's host; raise `BrokerUnavailable` on failure."""
    parts = urlsplit(url)
    port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
    try:
        made.connect(parts.hostname or "", port, keepalive=keepalive_s)
    except (OSError, ValueError) as error:
        reason = f"{parts.hostname}:{port}: {error}."
        raise BrokerUnavailable(reason=reason) from error


def certificate_ends(connected: paho.Client) -> datetime | None:
    """Return when the broker's certificate expires; None without TLS."""
    connection = connected.socket()
    if not isinstance(connection, ssl.SSLSocket):
        return None
    ends = str((connection.getpeercert() or {})["notAfter"])
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC)


class Publisher:
    """Publishes at QoS 1 across reconnects, and records acknowledgements.

    At most `window` messages are in transit; then `publish` waits. A message counts as
    published when its PUBACK has arrived.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        window: int = 200,
        will: Will | None = None,
        ca_file: Path | None = None,
    ) -> None:
        # random, because a client with the same id would disconnect this one
        client_id = f"{name}-{secrets.token_hex(8)}"
        self._client: paho.Client = client(
            url, client_id=client_id, will=will, ca_file=ca_file
        )
        self._client.max_inflight_messages_set(window)
        self._client.reconnect_delay_set(min_delay=1, max_delay=10)
        self._client.on_publish = self._on_publish
        self._client.on_connect = self._on_connect
        self._url = url
        self._window = window
        self._changed = threading.Condition()
        self._refused: str | None = None
        self._connected = False
        #: topics of unacknowledged messages by packet identifier; also identifiers that
        #: were acknowledged before `publish` had recorded them
        self._waiting: dict[int, str] = {}
        self._early: set[int] = set()
        self.published = 0
        self.acknowledged = 0

    def __enter__(self) -> Self:
        """Connect, and wait until the broker accepts."""
        try:
            connect(self._client, self._url)
        except BrokerUnavailable:
            self._release()
            raise
        self._client.loop_start()
        with self._changed:
            self._changed.wait_for(lambda: self._connected or self._refused, 10)
        if not self._connected:
            self.__exit__()
            raise BrokerUnavailable(reason=f"{self._refused or 'no CONNACK'}.")
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect; unacknowledged messages may or may not have arrived."""
        self._client.disconnect()
        self._client.loop_stop()
        self._release()

    def _release(self) -> None:
        """Let the client close its sockets as soon as it is no longer used.

        Its callbacks refer to this object, so it would wait for the garbage collector.
        """
        self._client.on_publish = None
        self._client.on_connect = None

    @property
    def connected(self) -> bool:
        """Whether it is connected now; messages published meanwhile wait."""
        return self._client.is_connected()

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        timeout_s: float | None = None,
    ) -> paho.MQTTMessageInfo:
        """Send a message; wait while the window is full.

        The result says whether the message was acknowledged. Raise `UsageError` for a
        message that no broker accepts: the broker would close the connection each time
        it is repeated, and nothing else would arrive.
        """
        if not is_topic(topic):
            raise UsageError(reason=f"{topic[:200]!r} is no topic to publish under.")
        with self._changed:
            if not self._changed.wait_for(
                lambda: self._pending < self._window, timeout_s
            ):
                raise self._unacknowledged()
            self.published += 1
        # paho keeps it over a lost connection, and sends it again
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        with self._changed:
            if info.mid in self._early:
                self._early.remove(info.mid)
            else:
                self._waiting[info.mid] = topic
        return info

    def flush(self, timeout_s: float = 60) -> None:
        """Wait for all acknowledgements; `BrokerUnavailable` after the timeout."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._pending == 0, timeout_s):
                raise self._unacknowledged()

    def _unacknowledged(self) -> BrokerUnavailable:
        """Describe the unacknowledged messages: the first one may be the cause."""
        topics = dict.fromkeys(self._waiting.values())
        named = some((repr(topic[:200]) for topic in topics), most=_MAX_TOPICS_LISTED)
        return BrokerUnavailable(
            reason=f"{self._pending} messages were not acknowledged, under {named}."
        )

    @property
    def _pending(self) -> int:
        return self.published - self.acknowledged

    def _on_publish(self, _client: Any, _data: Any, mid: int, *_: Any) -> None:
        with self._changed:
            self.acknowledged += 1
            if self._waiting.pop(mid, None) is None:
                self._early.add(mid)
            self._changed.notify_all()

    def _on_connect(
        self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        with self._changed:
            self._connected = not reason.is_failure
            self._refused = str(reason) if reason.is_failure else None
            self._changed.notify_all()
        if reason.is_failure:
            log.error("broker_refused", extra={"reason": str(reason)})
