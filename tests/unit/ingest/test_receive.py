"""What a worker subscribes to, and how much it reads."""

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import MQTTErrorCode as Code
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from ingest.receive import MAX_READ_BYTES, Inbox, Receiver, native_topics, uncovered
from verkehrspuls.settings import Broker, Ingest


def test_a_worker_hears_all_municipalities_or_its_own() -> None:
    assert native_topics(Ingest()) == ["vp/v1/+/+/+"]
    assert native_topics(Ingest(municipalities=("kusel",))) == ["vp/v1/kusel/+/+"]


@pytest.mark.parametrize(
    ("topics", "left"),
    [
        ({"tele/a/SENSOR", "tele/b/SENSOR"}, {"tele/a/SENSOR", "tele/b/SENSOR"}),
        ({"tele/+/SENSOR", "tele/b/SENSOR"}, {"tele/+/SENSOR"}),
        ({"vp/v1/kusel/x/SENSOR", "vp/v1/kusel/x/1/y"}, {"vp/v1/kusel/x/1/y"}),
        ({"tele/+/+", "tele/b/#"}, {"tele/+/+", "tele/b/#"}),
        ({"tele/#", "tele/b/#"}, {"tele/#"}),
        (set(), set()),
    ],
)
def test_no_message_is_subscribed_to_twice(topics: set[str], left: set[str]) -> None:
    assert uncovered(topics, native_topics(Ingest())) == left


def test_without_the_right_to_the_topics_beside_the_registered_ones_are_heard() -> None:
    receiver = Receiver(
        Broker(url="mqtt://nowhere"), Ingest(), Inbox(messages=1, size_bytes=1)
    )
    receiver.listen({"tele/a/+", "luft/mast-3"}, beside={"tele/+/+", "luft/+"})
    assert receiver._foreign == {"tele/+/+", "luft/+"}
    refused = ReasonCode(PacketTypes.SUBACK, "Unspecified error")
    receiver._subscribed(None, None, 7, [refused], None)
    assert receiver._foreign == {"tele/a/+", "luft/mast-3"}
    receiver.listen({"tele/b/+"}, beside={"tele/+/+"})
    assert receiver._foreign == {"tele/b/+"}
    receiver.stop()


def test_large_messages_go_no_further_beyond_the_bound_than_one_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The broker has many of them ready when reading begins."""
    large = paho.MQTTMessage(topic=b"a/b")
    large.payload = bytes(100_000)
    inbox = Inbox(messages=1_000, size_bytes=1_000_000)
    receiver = Receiver(Broker(url="mqtt://nowhere"), Ingest(), inbox)
    receiver.serve("session", expects_session=False)

    def loop_read(max_packets: int = 1) -> Code:
        receiver._received(None, None, large)
        return Code.MQTT_ERR_SUCCESS

    monkeypatch.setattr(receiver._client, "loop_read", loop_read)
    while not inbox.full:
        receiver._read()
    receiver.stop()
    taken = inbox.take(0, at_most=1_000)
    read = sum(len(message.payload) for message in taken)
    assert read < 1_000_000 + MAX_READ_BYTES + 100_000
