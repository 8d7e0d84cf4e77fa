"""Read and acknowledge messages in bulk: an optional, faster way through paho.

paho makes two or more socket calls to read a packet, and one to write each
acknowledgement. Here one read takes all available bytes, splits them into all complete
PUBLISH packets, and writes the acknowledgements of a batch at once. Everything else
(connecting, TLS, keep-alive, other packets) stays with paho.

This uses private names of paho. At start `missing` checks that they exist in this
version, which the contract test covers; otherwise ingest reads in the ordinary way.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt import __version__
from paho.mqtt.enums import MQTTErrorCode as Code
from paho.mqtt.exception import MalformedPacket

#: The paho version whose private names are used here.
VERSION: Final = "2.2."
_NAMES: Final = (
    "_in_packet",
    "_last_bytes_received",
    "_loop_rc_handle",
    "_msgtime_mutex",
    "_packet_handle",
    "_packet_queue",
    "_sock",
    "_sock_recv",
)
READ_CHUNK_BYTES: Final = 262_144
_PUBLISH: Final = 0x30
_PUBACK: Final = b"\x40\x02"


#: A PUBLISH packet at QoS 0 or 1: topic, payload, packet identifier (0 at QoS 0), and
#: whether it is a retained message.
Published = tuple[bytes, bytes, int, bool]


class Malformed(Exception):
    """The bytes are not MQTT."""


def missing(client: paho.Client) -> str:
    """Return the private names that this version of paho lacks; empty if none."""
    if not __version__.startswith(VERSION):
        return f"paho-mqtt {__version__}"
    lacking = [name for name in _NAMES if not hasattr(client, name)]
    return f"paho-mqtt without {', '.join(lacking)}" if lacking else ""


def packets(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Return the complete packets in `data`: first byte, start and end of the body."""
    position, size = 0, len(data)
    while position + 2 <= size:
        length = data[position + 1]
        start = position + 2
        if length & 0x80:
            length &= 0x7F
            shift = 7
            while True:
                if start >= size:
                    return
                byte = data[start]
                start += 1
                length |= (byte & 0x7F) << shift
                if not byte & 0x80:
                    break
                shift += 7
                if shift > 21:
                    raise Malformed
        if start + length > size:
            return
        yield data[position], start, start + length
        position = start + length


def published(data: bytes, first: int, start: int, end: int) -> Published:
    """Decode a PUBLISH packet at QoS 0 or 1."""
    topic_start = start + 2
    topic_end = topic_start + (data[start] << 8 | data[start + 1])
    if not first & 0x02:
        if topic_end > end:
            raise Malformed
        return data[topic_start:topic_end], data[topic_end:end], 0, first & 1 == 1
    if topic_end + 2 > end:
        raise Malformed
    mid = data[topic_end] << 8 | data[topic_end + 1]
    return data[topic_start:topic_end], data[topic_end + 2 : end], mid, first & 1 == 1


class BulkClient(paho.Client):
    """A paho client that delivers messages in lists, for `manual_ack` only."""

    _in_packet: Any

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._rest = b""
        self.on_messages: Callable[[Sequence[Published], datetime], None]

    def reconnect(self) -> Code:
        """Reconnect, and drop the incomplete packet of the lost connection."""
        self._rest = b""
        return super().reconnect()

    def loop_read(self, max_packets: int = 1) -> Code:
        """Read all available bytes once, and deliver all complete messages."""
        if self._sock is None:
            return Code.MQTT_ERR_NO_CONN
        try:
            chunk = self._sock_recv(READ_CHUNK_BYTES)
        except BlockingIOError:
            return Code.MQTT_ERR_SUCCESS
        except OSError:
            chunk = b""
        if not chunk:
            return self._loop_rc_handle(Code.MQTT_ERR_CONN_LOST)
        with self._msgtime_mutex:
            self._last_bytes_received = time.monotonic()
        try:
            code = self._take(self._rest + chunk if self._rest else chunk)
        except (Malformed, IndexError):
            code = Code.MQTT_ERR_PROTOCOL
        return code if code is Code.MQTT_ERR_SUCCESS else self._loop_rc_handle(code)

    def acknowledge(self, mids: Sequence[int]) -> None:
        """Acknowledge messages in this order with one write."""
        packet = b"".join([_PUBACK + mid.to_bytes(2, "big") for mid in mids])
        self._packet_queue(_PUBACK[0], packet, 0, 0)

    def _take(self, data: bytes) -> Code:
        now = datetime.now(UTC)
        messages: list[Published] = []
        end = 0
        for first, start, end in packets(data):
            if first & 0xF4 == _PUBLISH:  # QoS 0 or 1
                messages.append(published(data, first, start, end))
                continue
            if messages:
                self.on_messages(messages, now)
                messages = []
            code = self._handle(first, data[start:end])
            if code is not Code.MQTT_ERR_SUCCESS:
                return code
        self._rest = data[end:]
        if messages:
            self.on_messages(messages, now)
        return Code.MQTT_ERR_SUCCESS

    def _handle(self, first: int, body: bytes) -> Code:
        """Let paho handle a packet as if it had read it."""
        self._in_packet = {
            **self._in_packet,
            "command": first,
            "have_remaining": 1,
            "remaining_length": len(body),
            "packet": bytearray(body),
            "pos": 0,
        }
        try:
            return self._packet_handle()
        except MalformedPacket:
            return Code.MQTT_ERR_PROTOCOL
