"""A load of MQTT messages: packets made beforehand, written at full speed.

A client library would be slower than what is measured. Run it as a separate process:

    python -m benchmarks.ingest.publish URL MESSAGES READINGS FIRST RATE

It publishes the messages FIRST … FIRST + MESSAGES of `benchmarks.ingest.load` at QoS 1,
RATE per second (0: unlimited), and prints the duration. All packets are made, and the
broker has answered, before it prints "prepared" and waits for a line.
"""

import select
import socket
import sys
import time
from typing import Final
from urllib.parse import unquote, urlsplit

from ingest.bulk import packets

WINDOW: Final = 2_000
_PUBLISH_QOS1: Final = 0x32
_PUBACK: Final = 0x40


def length(size: int) -> bytes:
    """Encode a packet's remaining length."""
    encoded = bytearray()
    while True:
        size, byte = divmod(size, 128)
        encoded.append(byte | (0x80 if size else 0))
        if not size:
            return bytes(encoded)


def text(value: str) -> bytes:
    """Encode a string with its length."""
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


def connect(url: str, client_id: str) -> socket.socket:
    """Open a clean session."""
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname, parts.port or 1883))
    flags, login = 0x02, b""
    if parts.username:
        flags |= 0xC0
        login = text(unquote(parts.username)) + text(unquote(parts.password or ""))
    body = text("MQTT") + bytes([4, flags, 0, 60]) + text(client_id) + login
    connection.sendall(b"\x10" + length(len(body)) + body)
    answer = connection.recv(4)
    if answer[:2] != b"\x20\x02" or answer[3]:
        raise ConnectionError(f"the broker refused: {answer.hex()}")
    return connection


def packet(number: int, topic: str, payload: bytes) -> bytes:
    """Make the PUBLISH packet of a message at QoS 1."""
    body = text(topic) + (number % 65_535 + 1).to_bytes(2, "big") + payload
    return bytes([_PUBLISH_QOS1]) + length(len(body)) + body


def publish(
    connection: socket.socket, prepared: list[bytes], *, rate: float = 0
) -> float:
    """Publish packets until all are acknowledged; return the seconds it took."""
    connection.setblocking(False)
    sent = acknowledged = 0
    waiting, rest = b"", b""
    began = time.perf_counter()
    while acknowledged < len(prepared):
        allowed = len(prepared)
        if rate:
            allowed = min(allowed, int((time.perf_counter() - began) * rate) + 1)
        allowed = min(allowed, acknowledged + WINDOW)
        if not waiting and sent < allowed:
            upto = min(allowed, sent + 500)
            waiting = b"".join(prepared[sent:upto])
            sent = upto
        readable, writable, _ = select.select(
            [connection], [connection] if waiting else [], [], 0.005
        )
        if writable:
            waiting = waiting[connection.send(waiting) :]
        if readable:
            received = connection.recv(65_536)
            if not received:
                raise ConnectionError("the broker has closed the connection")
            rest += received
            end = 0
            for first, _, end in packets(rest):  # noqa: B007 - the last end is used
                acknowledged += first == _PUBACK
            rest = rest[end:]
    return time.perf_counter() - began


def main() -> None:
    """Publish according to the command line."""
    from benchmarks.ingest.load import message

    url, messages, readings, first, rate = sys.argv[1:]
    numbers = range(int(first), int(first) + int(messages))
    prepared = [packet(number, *message(number, int(readings))) for number in numbers]
    with connect(url, f"bench-{first}") as connection:
        print("prepared", flush=True)
        sys.stdin.readline()
        print(publish(connection, prepared, rate=float(rate)), flush=True)


if __name__ == "__main__":
    main()
