"""A message too long to be kept, with parts that cannot be used, at a live worker."""

from datetime import timedelta

import msgspec
import pytest

from tests import parts
from tests.faults.world import PATIENCE_S, START, Sender, Server, world
from tests.towns import COUNTS_TOPIC

PARTS = 1_200
#: which of them cannot be used
BAD = (0, 600, 1_199)


def part(number: int) -> dict[str, object]:
    """Make a reading of the first output; three of them count below zero."""
    car = -1 if number in BAD else number
    return {
        "time": START + timedelta(minutes=5 * number),
        "interval_s": 300,
        "counts": [{"channel": "1", "classes": {"car": car}}],
    }


@pytest.mark.parametrize("kind", ["nats", "mosquitto"])
def test_good_parts_are_stored_and_bad_ones_kept(server: Server, kind: str) -> None:
    payload = msgspec.json.encode([part(number) for number in range(PARTS)])
    assert len(payload) > 65_536
    with world(server, kind) as it, Sender(it.broker.publish_url) as sender:
        sender.send(COUNTS_TOPIC, payload)
        parts.wait_for(lambda: it.stored() == PARTS - len(BAD), PATIENCE_S)
        assert it.query(
            "select readings_stored, readings_rejected, messages_partly_accepted "
            "from ledger"
        ) == [(PARTS - len(BAD), len(BAD), 1)]
        ((kept, number),) = it.query(
            "select payload, readings_rejected from rejected_message"
        )
        assert number == len(BAD)
        left = msgspec.json.decode(kept)
        assert [each["time"] for each in left] == [
            msgspec.to_builtins(part(number)["time"]) for number in BAD
        ]
        assert it.worker.end(within=parts.bound_s(10)) == 0
