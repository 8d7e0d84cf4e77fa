"""Connection of the web server to the broker, made when first needed."""

import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from verkehrspuls.errors import BrokerUnavailable
from verkehrspuls.settings import Broker

if TYPE_CHECKING:
    from verkehrspuls.mqtt import Publisher

#: Maximum wait of a request for the broker's acknowledgement, and for its turn.
MAX_WAIT_S: Final = 5.0
#: Pause after a failure before the next connection attempt.
RETRY_PAUSE_S: Final = 1.0


class Outlet:
    """Publishes messages received over HTTP, for all requests of the process."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._lock = threading.Lock()
        self._open = ExitStack()
        self._publisher: Publisher | None = None
        self._next_attempt = 0.0

    def publish(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Publish all messages; return when the broker has acknowledged each.

        After `BrokerUnavailable` some may have arrived: it is safe to send them again,
        because repeated readings are stored once.
        """
        publisher = self._connected()
        try:
            _publish(publisher, messages)
        except BrokerUnavailable:
            # otherwise a message that the broker refuses would be sent again and again
            self._let_go(publisher)
            raise

    def close(self) -> None:
        """Disconnect."""
        self._open.close()

    def _let_go(self, publisher: "Publisher") -> None:
        with self._lock:
            if self._publisher is publisher:
                self._publisher = None
                self._open.close()

    def _connected(self) -> "Publisher":
        if not self._lock.acquire(timeout=MAX_WAIT_S):
            raise BrokerUnavailable(reason="another request still waits for it.")
        try:
            if self._publisher is None:
                self._publisher = self._connect()
        finally:
            self._lock.release()
        if not self._publisher.connected:  # it reconnects by itself
            raise BrokerUnavailable(reason="the connection is lost.")
        return self._publisher

    def _connect(self) -> "Publisher":
        from verkehrspuls.mqtt import Publisher

        url = (
            self._broker.publish_url.get_secret_value()
            or self._broker.url.get_secret_value()
        )
        if not url:
            raise BrokerUnavailable(reason="none is set.")
        if time.monotonic() < self._next_attempt:
            raise BrokerUnavailable(reason="it did not answer a moment ago.")
        try:
            return self._open.enter_context(
                Publisher(
                    url,
                    "verkehrspuls-http",
                    window=2000,
                    ca_file=self._broker.ca_file,
                )
            )
        except BrokerUnavailable:
            self._next_attempt = time.monotonic() + RETRY_PAUSE_S
            raise


def _publish(publisher: "Publisher", messages: Iterable[tuple[str, bytes]]) -> None:
    deadline = time.monotonic() + MAX_WAIT_S
    sent = [
        (topic, publisher.publish(topic, payload, timeout_s=_left(deadline)))
        for topic, payload in messages
    ]
    for topic, info in sent:
        try:
            info.wait_for_publish(_left(deadline))
        except (RuntimeError, ValueError) as error:
            raise BrokerUnavailable(reason=str(error)) from error
        if not info.is_published():
            raise BrokerUnavailable(reason=f"it did not acknowledge {topic!r} in time.")


def _left(deadline: float) -> float:
    return max(0.01, deadline - time.monotonic())
