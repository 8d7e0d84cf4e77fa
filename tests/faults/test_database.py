"""A database that dies, hangs, refuses or fills up; rows 6-13 and 36."""

import contextlib
import os
import signal
import subprocess
import threading
from pathlib import Path
from random import Random

import psycopg
import pytest

from tests import parts
from tests.faults.matrix import FAULTS, Injury, lasting
from tests.faults.test_worker import send, waits_for_lock
from tests.faults.world import (
    PATIENCE_S,
    Sender,
    Server,
    Worker,
    World,
    backends,
    world,
)
from tests.faults.world import server as start_server


@pytest.fixture(params=["nats", "mosquitto"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    "name",
    [
        "database killed",
        "backend terminated",
        "ledger locked",
        "database read-only",
        "database full of connections",
        "database role renamed",
        "database out of reach",
        "database connection cut",
        "column added",
    ],
)
def test_database_is_away_and_comes_back(server: Server, kind: str, name: str) -> None:
    """Nothing is acknowledged meanwhile; afterwards ingest catches up."""
    with world(server, kind) as it, Sender(it.broker.publish_url) as sender:
        send(sender, range(50))
        parts.wait_for(it.stored, PATIENCE_S)
        fault, injury = FAULTS[name], Injury(it, sender, Random(1))
        fault.inject(injury)
        send(sender, range(50, 200))
        sender.flush()
        if name not in ("backend terminated", "column added", "ledger locked"):
            # what cannot be stored is not taken for stored
            parts.wait_for(lambda: noticed(it, name), PATIENCE_S)
        if fault.heal:
            fault.heal(injury)
        it.finish(sender)


def noticed(it: World, name: str) -> bool:
    said = "refuses the login" if "role" in name else "database_retry"
    return name == "database out of reach" or bool(it.worker.count_logged(said))


def test_hung_backend_is_left_behind(server: Server) -> None:
    """A paused server answers nothing, not even that it is there."""
    with (
        world(server, "nats", ingest__database_s=1) as it,
        Sender(it.broker.publish_url) as sender,
    ):
        send(sender, range(50))
        parts.wait_for(it.stored, PATIENCE_S)
        it.wire.freeze()
        send(sender, range(50, 100))
        parts.wait_for(lambda: it.worker.count_logged("database_hangs"), PATIENCE_S)
        # half-open: the server still believes in the old connection
        it.wire.forget()
        it.wire.thaw()
        it.finish(sender)
        assert it.worker.exits == [0]  # the slot was taken over at once


def test_paused_backend_is_waited_for(server: Server) -> None:
    with (
        world(server, "mosquitto", ingest__database_s=1) as it,
        Sender(it.broker.publish_url) as sender,
    ):
        send(sender, range(50))
        parts.wait_for(it.stored, PATIENCE_S)
        with lasting("backend paused", it, sender):
            send(sender, range(50, 100))
            parts.wait_for(lambda: it.worker.count_logged("database_hangs"), PATIENCE_S)
        it.finish(sender)


def test_lock_is_not_waited_for_without_end(server: Server) -> None:
    with (
        world(server, "nats", ingest__database_s=1) as it,
        Sender(it.broker.publish_url) as sender,
    ):
        with lasting("ledger locked", it, sender):
            send(sender, range(50))
            parts.wait_for(lambda: it.worker.count_logged("lock timeout"), PATIENCE_S)
        it.finish(sender)


def test_worker_that_stands_still_keeps_no_lock(server: Server) -> None:
    """Paused within its transaction, it would hold up all others until it goes on."""
    with (
        world(server, "nats", ingest__database_s=2) as it,
        Sender(it.broker.publish_url) as sender,
        server.admin(it.name) as rival,
    ):
        rival.autocommit = False
        rival.execute("set search_path = vp")
        rival.execute("lock table ledger in access exclusive mode")
        sender.counts(0)
        parts.wait_for(lambda: waits_for_lock(it), PATIENCE_S, every=0.005)
        it.worker.send(signal.SIGSTOP)
        try:
            rival.commit()  # the worker has its lock, and does not go on
            rival.execute("set lock_timeout = '20s'")
            rival.execute("lock table ledger in access exclusive mode")
            rival.commit()
        finally:
            it.worker.send(signal.SIGCONT)
        it.finish(sender)


def test_backend_terminated_again_and_again(server: Server) -> None:
    with world(server, "nats") as it, Sender(it.broker.publish_url) as sender:
        ended = threading.Event()

        def terminate() -> None:
            with server.admin() as connection:
                while not ended.wait(0.1):
                    for pid in backends(it):
                        connection.execute("select pg_terminate_backend(%s)", [pid])

        thread = threading.Thread(target=terminate)
        thread.start()
        try:
            for number in range(5_000):
                sender.counts(number)
                if it.worker.count_logged("database_retry") >= 5:
                    break
                ended.wait(0.01)
        finally:
            ended.set()
            thread.join(PATIENCE_S)
        assert it.worker.count_logged("database_retry") >= 5
        it.finish(sender)


def test_deadlock_is_tried_again(server: Server) -> None:
    with world(server, "nats") as it, Sender(it.broker.publish_url) as sender:
        with server.admin(it.name) as rival:
            rival.autocommit = False
            rival.execute("set deadlock_timeout = '60s'")  # the worker is the victim
            rival.execute("set search_path = vp")
            rival.execute("lock table ledger in access exclusive mode")
            sender.counts(0)
            parts.wait_for(lambda: waits_for_lock(it), PATIENCE_S, every=0.005)
            rival.execute("lock table count_reading in access exclusive mode")
            rival.commit()
        it.finish(sender)
        assert it.worker.count_logged("deadlock detected")


def test_two_workers_that_share_all_rows(server: Server) -> None:
    """Each stores every message: rows and ledger meet, and nothing locks up."""
    with world(server, "mosquitto") as it, Sender(it.broker.publish_url) as sender:
        second = Worker(
            it.directory / "second.log", **it.worker.all_settings(ingest__slot=1)
        )
        second.restart()
        send(sender, range(600))
        it.wait_for_all(sender)
        parts.wait_for(lambda: it.received() >= 1200, PATIENCE_S)
        assert second.end() == 0
        it.finish(sender)


@pytest.mark.skipif(not Path("/proc/mounts").exists(), reason="Linux only")
def test_disk_of_the_database_is_full() -> None:
    if os.geteuid() != 0:
        parts.missing("not root: a small file system cannot be mounted")
    with parts.reachable_directory() as directory:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=300m,mode=755", "tmpfs", directory],
            capture_output=True,
            text=True,
        )
        if mounted.returncode:
            parts.missing(f"a small file system cannot be mounted: {mounted.stderr}")
        try:
            fill_and_recover(directory)
        finally:
            subprocess.run(["umount", "--lazy", directory], check=True)


def fill_and_recover(directory: Path) -> None:
    with (
        start_server(directory) as small,
        world(small, "nats") as it,
        Sender(it.broker.publish_url) as sender,
    ):
        send(sender, range(20))
        parts.wait_for(it.stored, PATIENCE_S)
        ballast = directory / "ballast"
        # without a buffer: what were left in it would fail once more on closing
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 65_536)
        send(sender, range(20, 3000))
        sender.flush()
        parts.wait_for(
            lambda: (
                it.worker.count_logged("No space left")
                or it.worker.count_logged("could not extend")
                or not running(small)
            ),
            PATIENCE_S,
        )
        ballast.unlink()
        if not running(small):
            small.server.start()
        it.finish(sender)


def running(server: Server) -> bool:
    """Tell whether it lets us in; a full disk for its log of changes ends it."""
    process = server.server.process
    if process is None or process.poll() is not None:
        return False
    try:
        server.admin().close()
    except psycopg.OperationalError:
        return False
    return True
