"""Several workers: shares, partitions, a slot that is given up; row 24."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from tests import parts
from tests.faults.test_worker import send
from tests.faults.world import (
    OUTPUTS,
    PATIENCE_S,
    START,
    Sender,
    Server,
    Worker,
    World,
    world,
)
from tests.towns import TOWN
from verkehrspuls import mqtt
from verkehrspuls.registry.towns import register
from verkehrspuls.storage.slots import slots


def another(it: World, slot: int, **settings: object) -> Worker:
    made = Worker(
        it.directory / f"worker-{slot}.log",
        **it.worker.all_settings(ingest__slot=slot, **settings),
    )
    made.restart()
    return made


@contextmanager
def sharing(server: Server) -> Iterator[tuple[World, Sender]]:
    """A world whose worker has slot 0 of a shared subscription."""
    with (
        world(server, "mosquitto", ingest__share="ingest") as it,
        Sender(it.broker.publish_url) as sender,
    ):
        yield it, sender


def received_by(it: World, slot: int) -> int:
    ((count,),) = it.query(
        "select coalesce(sum(messages_received), 0)::int from ledger "
        f"where slot = {slot}"
    )
    return int(count)


def stranded(it: World) -> list[int]:
    return [one.slot for one in slots(it.rows) if one.stranded]


def test_share_of_a_worker_that_is_gone_is_drained(server: Server) -> None:
    with sharing(server) as (it, sender):
        second = another(it, 1)
        send(sender, range(200))
        it.wait_for_all(sender)
        assert received_by(it, 0) > 0
        assert received_by(it, 1) > 0
        assert received_by(it, 0) + received_by(it, 1) == 200
        assert stranded(it) == []
        second.end(signal.SIGKILL)
        parts.wait_for(lambda: stranded(it) == [1], PATIENCE_S)
        # half of them wait for the dead one
        send(sender, range(200, 600))
        sender.flush()
        parts.wait_for(lambda: it.received() >= 380, PATIENCE_S)
        assert it.stored() < 1200
        second.start("drain", "--slot", "1", "--idle", "2")
        # while it drains it takes no share of what arrives
        send(sender, range(600, 700))
        assert second.process.wait(PATIENCE_S) == 0
        assert second.count_logged("Slot 1 is closed")
        assert stranded(it) == []
        send(sender, range(700, 800))
        it.finish(sender)
        # nothing waits for it any more
        second.start("drain", "--slot", "1", "--idle", "2")
        assert second.process.wait(PATIENCE_S) == 0
        assert second.count_logged("Slot 1 is closed; 0 messages had waited")


def test_slot_is_taken_over_by_a_new_process(server: Server) -> None:
    """Elsewhere, with nothing but the number of the slot in common."""
    with sharing(server) as (it, sender):
        second = another(it, 1)
        send(sender, range(100))
        second.end(signal.SIGKILL)
        send(sender, range(100, 200))
        second = another(it, 1)
        it.wait_for_all(sender)
        assert second.end() == 0
        it.finish(sender)


def test_worker_leaves_the_group_of_an_older_version(server: Server) -> None:
    """Its session would get each message by both groups."""
    with sharing(server) as (it, sender):
        assert it.worker.end() == 0
        former = mqtt.client(it.broker.url, client_id=it.session, clean=False)
        joined = threading.Event()
        former.on_subscribe = lambda *_: joined.set()
        mqtt.connect(former, it.broker.url)
        former.loop_start()
        parts.wait_for(former.is_connected, PATIENCE_S)
        former.subscribe("$share/ingest/vp/v1/+/+/+", qos=1)
        assert joined.wait(PATIENCE_S)
        former.disconnect()
        former.loop_stop()
        it.worker.restart()
        send(sender, range(50))
        it.wait_for_all(sender)
        assert received_by(it, 0) == 50
        it.finish(sender)


def test_slot_with_a_worker_is_not_drained(server: Server) -> None:
    with world(server, "mosquitto") as it, Sender(it.broker.publish_url) as sender:
        second = Worker(it.directory / "drain.log", **it.worker.all_settings())
        second.start("drain", "--slot", "0")
        assert second.process.wait(PATIENCE_S) == 3
        assert second.count_logged("Another ingest worker serves slot 0")
        send(sender, range(20))
        it.finish(sender)
        assert it.worker.exits == [0]


def test_drain_that_does_not_come_to_an_end_says_so(server: Server) -> None:
    with world(server, "nats") as it, Sender(it.broker.publish_url) as sender:
        send(sender, range(20))
        it.wait_for_all(sender)
        assert it.worker.end() == 0
        drain = Worker(it.directory / "drain.log", **it.worker.all_settings())
        drain.start("drain", "--slot", "0", "--idle", "60", "--at-most", "3")
        assert drain.process.wait(PATIENCE_S) == 1
        assert drain.count_logged("Slot 0 still has messages")
        # its session stays
        send(sender, range(20, 40))
        sender.flush()
        it.worker.start()
        it.finish(sender)
        assert it.worker.count_logged("session_lost") == 0


@pytest.mark.parametrize("kind", ["nats", "mosquitto"])
def test_municipalities_are_parted_among_workers(server: Server, kind: str) -> None:
    """For brokers without shared subscriptions."""
    with (
        world(server, kind, ingest__municipalities="kusel") as it,
        Sender(it.broker.publish_url) as sender,
    ):
        register(it.rows, msgspec.structs.replace(TOWN, key="landau", name="Landau"))
        second = another(it, 1, ingest__municipalities="landau")
        send(sender, range(100))
        send_elsewhere(sender, range(50))
        parts.wait_for(lambda: it.stored() == 300, PATIENCE_S)
        assert (received_by(it, 0), received_by(it, 1)) == (100, 50)
        second.end(signal.SIGKILL)
        send_elsewhere(sender, range(50, 100))
        sender.flush()
        # its municipality is given to another slot, then what it left is drained
        third = another(it, 2, ingest__municipalities="landau")
        second.start("drain", "--slot", "1", "--idle", "3")
        assert second.process.wait(PATIENCE_S) == 0
        send_elsewhere(sender, range(100, 150))
        parts.wait_for(lambda: it.stored() == 500, PATIENCE_S)
        assert third.end() == 0
        assert it.worker.end() == 0
        assert it.imbalances() == []


def send_elsewhere(sender: Sender, numbers: range) -> None:
    for number in numbers:
        body = {
            "time": START.replace(hour=number // 60, minute=number % 60),
            "interval_s": 60,
            "counts": [{"channel": o, "classes": {"car": number}} for o in OUTPUTS],
        }
        sender.send("vp/v1/landau/camera-1/counts", msgspec.json.encode(body))
