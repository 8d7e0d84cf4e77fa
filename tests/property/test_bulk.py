"""The bulk way through paho sees the same messages as paho, however they are split."""

import socket
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

import paho.mqtt.client as paho
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.ingest.publish import length
from ingest.bulk import BulkClient, Published, missing

Seen = list[Published]

TOPICS = st.sampled_from(
    [b"a", b"vp/v1/kusel/camera-1/counts", "ü/ß".encode(), b"t" * 300]
)


def publish(topic: bytes, payload: bytes, qos: int, mid: int, dup: bool) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic
    body += mid.to_bytes(2, "big") if qos else b""
    body += payload
    first = 0x30 | qos << 1 | (dup and qos and 8)
    return bytes([first]) + length(len(body)) + body


PUBLISHES = st.builds(
    publish,
    TOPICS,
    st.one_of(st.binary(max_size=20), st.sampled_from([b"x" * 121, b"y" * 3_000])),
    st.sampled_from([0, 1]),
    st.integers(1, 65_535),
    st.booleans(),
)
OTHERS = st.sampled_from([b"\xd0\x00", b"\x90\x03\x00\x01\x01"])  # PINGRESP, SUBACK


def made(kind: type[paho.Client], peer: socket.socket) -> tuple[paho.Client, Seen]:
    client = kind(CallbackAPIVersion.VERSION2, manual_ack=True, protocol=paho.MQTTv311)
    peer.setblocking(False)
    client._sock = peer
    seen: Seen = []

    def on_message(_client: object, _data: object, message: paho.MQTTMessage) -> None:
        mid = message.mid if message.qos else 0
        seen.append((message._topic, bytes(message.payload), mid, message.retain))

    def on_messages(messages: Sequence[Published], _now: datetime) -> None:
        seen.extend(messages)

    client.on_message = on_message
    if isinstance(client, BulkClient):
        client.on_messages = on_messages
    return client, seen


def fed(kind: type[paho.Client], chunks: list[bytes]) -> tuple[Seen, int]:
    """Feed bytes in these pieces; returns what was seen, and how many SUBACKs."""
    ours, theirs = socket.socketpair()
    subscribed: list[object] = []
    with ours, theirs:
        client, seen = made(kind, ours)
        client.on_subscribe = lambda *found: subscribed.append(found)
        for chunk in chunks:
            theirs.sendall(chunk)
            for _ in range(len(chunk) + 1):
                client.loop_read()
        client._sock = None
        client._reset_sockets()
    return seen, len(subscribed)


@given(st.lists(st.one_of(PUBLISHES, OTHERS), max_size=6), st.data())
def test_the_same_messages_in_the_same_order(
    packets: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(packets)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=8)))
    edges = [0, *cuts, len(stream)]
    chunks = [stream[a:b] for a, b in pairwise(edges) if a < b]
    assert fed(BulkClient, chunks) == fed(paho.Client, chunks)


@given(st.lists(st.integers(1, 65_535), min_size=1, max_size=50))
def test_the_same_acknowledgements(mids: list[int]) -> None:
    sent = []
    for kind in (BulkClient, paho.Client):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            client, _ = made(kind, ours)
            if isinstance(client, BulkClient):
                client.acknowledge(mids)
            else:
                for mid in mids:
                    client.ack(mid, 1)
            sent.append(theirs.recv(65_536))
            client._sock = None
            client._reset_sockets()
    assert sent[0] == sent[1]


@pytest.mark.parametrize("bad", [b"\x32\xff\xff\xff\xff\x01", b"\x32\x03\x00\x09a"])
def test_bytes_that_are_not_mqtt_end_the_connection(bad: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client, seen = made(BulkClient, ours)
        theirs.sendall(bad)
        assert client.loop_read() != paho.MQTT_ERR_SUCCESS
        assert client.socket() is None
        assert seen == []
        client._reset_sockets()


def test_this_version_of_paho_has_what_is_used() -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    assert missing(client) == ""


def test_another_version_of_paho_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.bulk.VERSION", "9.9.")
    client = paho.Client(CallbackAPIVersion.VERSION2)
    assert "paho-mqtt" in missing(client)
