"""A worker that is killed, paused, stopped or crowded out; rows 1-5, 22, 30-35."""

import signal
import threading
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from ingest.worker import Worker
from tests import parts
from tests.faults.matrix import lasting
from tests.faults.proxy import DOWN, UP, Trap
from tests.faults.world import (
    PATIENCE_S,
    START,
    Sender,
    Server,
    World,
    events,
    world,
)
from tests.towns import AIR_TOPIC, COUNTS_TOPIC
from verkehrspuls import mqtt
from verkehrspuls.settings import Settings

KINDS = ("nats", "mosquitto")


def send(sender: Sender, numbers: range) -> None:
    for number in numbers:
        sender.counts(number)


def duplicates(it: World) -> int:
    ((count,),) = it.query("select coalesce(sum(readings_duplicate), 0) from ledger")
    return int(count)


@pytest.mark.parametrize("kind", KINDS)
def test_killed_between_commit_and_acknowledgement(server: Server, kind: str) -> None:
    with world(server, kind) as it, Sender(it.broker.publish_url) as sender:
        it.network.freeze(UP)  # no acknowledgement reaches the broker
        send(sender, range(50))
        parts.wait_for(lambda: it.stored() == 100, PATIENCE_S)
        it.worker.end(signal.SIGKILL)
        it.network.cut()
        it.network.thaw()
        it.worker.start()
        parts.wait_for(lambda: duplicates(it) >= 100, PATIENCE_S)
        it.finish(sender)


@pytest.mark.parametrize("kind", KINDS)
def test_killed_before_commit(server: Server, kind: str) -> None:
    with world(server, kind) as it, Sender(it.broker.publish_url) as sender:
        with lasting("ledger locked", it, sender):
            send(sender, range(50))
            parts.wait_for(lambda: waits_for_lock(it), PATIENCE_S)
            it.worker.end(signal.SIGKILL)
        assert it.stored() == 0
        it.worker.start()
        it.finish(sender)


def waits_for_lock(it: World) -> bool:
    with it.server.admin(it.name) as connection:
        found = connection.execute(
            "select from pg_locks where not granted and database = "
            "(select oid from pg_database where datname = current_database())"
        ).fetchone()
    return found is not None


def test_answer_to_the_commit_is_lost(server: Server) -> None:
    """What was committed is not counted twice, though nobody said that it was."""
    with world(server, "nats") as it, Sender(it.broker.publish_url) as sender:
        sender.counts(0)
        parts.wait_for(lambda: it.stored() == 2, PATIENCE_S)
        trap = it.wire.trap = Trap(UP, b"COMMIT", True)
        sender.counts(1)
        assert trap.sprung.wait(PATIENCE_S)
        sender.counts(2)
        it.finish(sender)
        assert it.received() == 3
        assert duplicates(it) == 0


def test_commit_that_does_not_reach_the_database(server: Server) -> None:
    with world(server, "nats") as it, Sender(it.broker.publish_url) as sender:
        sender.counts(0)
        parts.wait_for(lambda: it.stored() == 2, PATIENCE_S)
        trap = it.wire.trap = Trap(UP, b"COMMIT", False)
        sender.counts(1)
        assert trap.sprung.wait(PATIENCE_S)
        it.finish(sender)
        assert it.received() == 2


@pytest.mark.parametrize("kind", KINDS)
def test_told_to_stop_under_load(server: Server, kind: str) -> None:
    """It writes what it has, acknowledges it, and nothing of that comes again."""
    with world(server, kind) as it, Sender(it.broker.publish_url) as sender:
        send(sender, range(1000))
        parts.wait_for(lambda: it.stored() > 100, PATIENCE_S)
        assert it.worker.end(within=parts.bound_s(30)) == 0
        it.worker.start()
        it.finish(sender)
        assert duplicates(it) == 0
        assert it.received() == 1000


@pytest.mark.parametrize("hung", ["broker", "database"])
def test_told_to_stop_while_nothing_answers(server: Server, hung: str) -> None:
    with world(server, "nats") as it, Sender(it.broker.publish_url) as sender:
        {"broker": it.network, "database": it.wire}[hung].freeze()
        send(sender, range(100))
        sender.flush()
        assert it.worker.end(within=parts.bound_s(30)) == 0
        it.network.thaw()
        it.wire.cut()
        it.wire.thaw()
        it.worker.start()
        it.finish(sender)


@pytest.mark.parametrize("kind", KINDS)
def test_paused_until_the_broker_gives_it_up(server: Server, kind: str) -> None:
    with world(server, kind) as it, Sender(it.broker.publish_url) as sender:
        send(sender, range(50))
        it.worker.send(signal.SIGSTOP)
        send(sender, range(50, 500))
        # after one and a half of the 5 s that were agreed on
        parts.wait_for(lambda: it.network.open == 0 or closed_by_broker(it), PATIENCE_S)
        it.worker.send(signal.SIGCONT)
        it.finish(sender)
        assert it.worker.count_logged("broker_connected") == 2


def closed_by_broker(it: World) -> bool:
    links = it.network._links
    return bool(links) and all(
        stream.ended
        for link in links
        for stream in link.streams
        if stream.direction == DOWN
    )


def test_client_id_taken_by_somebody_else(server: Server) -> None:
    """Each throws the other out: the worker gives way more and more."""
    with world(server, "mosquitto") as it, Sender(it.broker.publish_url) as sender:
        taken = threading.Event()
        ended = threading.Event()

        def take_over() -> None:
            while not ended.wait(0.05):
                other = mqtt.client(it.broker.url, client_id=it.session, clean=False)
                mqtt.connect(other, it.broker.url)
                other.loop_start()
                parts.wait_for(other.is_connected, PATIENCE_S)
                taken.set()
                while other.is_connected() and not ended.wait(0.05):
                    pass
                other.disconnect()
                other.loop_stop()

        # it takes no messages: it never acknowledges what it was sent
        rival = threading.Thread(target=take_over)
        rival.start()
        try:
            assert taken.wait(PATIENCE_S)
            parts.wait_for(
                lambda: it.worker.count_logged("broker_lost") >= 5, PATIENCE_S
            )
        finally:
            ended.set()
            rival.join(PATIENCE_S)
        came = [
            datetime.fromisoformat(one["time"])
            for one in events(it.worker)
            if one["event"] == "broker_connected"
        ]
        # half a second at first, twice as long each time, less jitter of up to a half
        assert came[4] - came[3] > timedelta(seconds=0.75)
        parts.wait_for(lambda: it.network.open == 1, PATIENCE_S)
        send(sender, range(20))
        it.finish(sender)


def test_flood_from_one_sensor_does_not_delay_another(server: Server) -> None:
    with (
        world(
            server,
            "mosquitto",
            ingest__sensor_burst=1000,
            ingest__sensor_messages_per_minute=60,
        ) as it,
        Sender(it.broker.publish_url) as sender,
    ):
        flooding, heard = threading.Event(), threading.Event()

        def flood() -> None:
            with Sender(it.broker.publish_url) as flooder:
                for number in range(20_000):
                    flooder.send(COUNTS_TOPIC, b'{"flood": %d}' % number)
                    if number == 2_000:
                        flooding.set()
                    if number == 19_000:
                        heard.wait(PATIENCE_S)
                flooder.flush()

        thread = threading.Thread(target=flood)
        thread.start()
        try:
            assert flooding.wait(PATIENCE_S)
            body = {"time": START, "interval_s": 600, "values": {"no2_ugm3": 31.2}}
            sender.send(AIR_TOPIC, msgspec.json.encode(body))
            parts.wait_for(
                lambda: it.query("select from environment_reading"), PATIENCE_S
            )
            assert it.received() < 20_000  # before the flood was over
            heard.set()
        finally:
            thread.join(PATIENCE_S)
        parts.wait_for(lambda: it.received() >= 20_001, PATIENCE_S)
        ((limited,),) = it.query(
            "select sum(messages)::int from ledger_reject where reason = 'rate-limited'"
        )
        assert limited > 18_000
        assert it.worker.end() == 0


def test_flood_of_unknown_sensors_makes_no_rows_in_the_registry(
    server: Server,
) -> None:
    with world(server, "mosquitto") as it, Sender(it.broker.publish_url) as sender:
        before = it.query("select count(*) from sensor")
        for number in range(5_000):
            sender.send(f"vp/v1/kusel/unknown-{number}/counts", b"{}")
        sender.counts(0)
        parts.wait_for(lambda: it.received() >= 5_001, PATIENCE_S)
        assert it.query("select count(*) from sensor") == before
        ((rows,),) = it.query("select count(*) from ledger where sensor_id is null")
        assert rows <= 2  # two hours, at most
        it.wait_for_all(sender)
        assert it.worker.end() == 0


def memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (one for one in status.splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
@pytest.mark.parametrize("bulk", [False, True])
def test_memory_is_bounded_while_the_database_is_away(
    server: Server, bulk: bool
) -> None:
    with (
        world(server, "mosquitto", ingest__queue_mb=4, ingest__bulk=bulk) as it,
        Sender(it.broker.publish_url) as sender,
    ):
        sender.counts(0)
        parts.wait_for(lambda: it.stored() == 2, PATIENCE_S)
        before = memory_mb(it.worker.process.pid)
        it.wire.refusing = True
        it.wire.cut()
        padding = b" " * 500_000
        for number in range(1, 201):  # 100 MB
            body = {
                "time": START,
                "interval_s": 300,
                "counts": [{"channel": "1", "classes": {"car": number}}],
            }
            sender.send(AIR_TOPIC + "x", msgspec.json.encode(body) + padding)
        sender.flush()
        parts.wait_for(
            lambda: it.worker.count_logged("database_retry") >= 3, PATIENCE_S
        )
        grown = memory_mb(it.worker.process.pid) - before
        it.wire.thaw()
        assert grown < 20  # a queue of 4 MB, and what the allocator keeps
        parts.wait_for(lambda: it.received() >= 201, PATIENCE_S)
        assert it.worker.end() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_payload_too_large_for_the_broker_does_not_reach_the_worker(
    server: Server, kind: str
) -> None:
    with world(server, kind) as it, Sender(it.broker.publish_url) as sender:
        other = mqtt.client(it.broker.publish_url, client_id="large")
        gone = threading.Event()
        other.on_disconnect = lambda *_: gone.set()
        mqtt.connect(other, it.broker.publish_url)
        other.loop_start()
        parts.wait_for(other.is_connected, PATIENCE_S)
        other.publish(COUNTS_TOPIC, b"x" * (16 << 20), qos=0)
        assert gone.wait(PATIENCE_S)
        other.disconnect()
        other.loop_stop()
        send(sender, range(10))
        it.finish(sender)
        assert it.received() == 10


class Bug(Exception):
    """What a programming error raises."""


@pytest.mark.parametrize(("part", "method"), [("_writer", "write"), ("_inbox", "put")])
def test_error_in_the_writer_or_in_a_callback_ends_the_worker(
    plain_database: str,
    broker: parts.Broker,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    method: str,
) -> None:
    def fail(*_: object) -> None:
        raise Bug

    def publish() -> None:
        ready.wait(PATIENCE_S)
        with Sender(broker.publish_url) as sender:
            sender.counts(0)
            sender.flush()

    settings = Settings.model_validate(
        {
            "database": {"url": parts.as_ingest(plain_database)},
            "broker": {"url": broker.url},
        }
    )
    ready = threading.Event()
    worker = Worker(settings, on_ready=ready.set)
    monkeypatch.setattr(getattr(worker, part), method, fail)
    thread = threading.Thread(target=publish)
    thread.start()
    with pytest.raises(Bug):
        worker.run()
    thread.join(PATIENCE_S)


def test_comparison_finds_what_is_wrong(server: Server) -> None:
    """The harness itself: each kind of mistake is seen."""
    with world(server, "nats") as it, Sender(it.broker.publish_url) as sender:
        send(sender, range(5))
        it.finish(sender)
        for mistake, words in {
            "delete from count_reading where car = 3": "lost",
            "update count_reading set car = 9 where car = 2": "phantom",
            "update ledger set readings_stored = readings_stored - 1, "
            "readings_duplicate = readings_duplicate + 1": "ledger",
        }.items():
            with it.rows.transaction(force_rollback=True):
                it.rows.execute(mistake)
                with pytest.raises(AssertionError, match=words):
                    it.compare(sender)
