"""A full disk: nothing ends, and what was acknowledged is stored."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from simulators.publish import backfill
from simulators.world import standard
from tests.acceptance.test_up import Up
from tests.parts import PATIENCE_S, missing, program, reachable_directory, wait_for
from verkehrspuls.mqtt import Publisher

PARTS = ("database", "broker", "credentials", "api", "analytics", "ingest")


@contextmanager
def small_disk(directory: Path, size: str) -> Iterator[None]:
    """Put a disk of so many bytes there."""
    if os.geteuid() != 0:
        missing("not root: a small disk is mounted")
    directory.mkdir()
    options = f"size={size},mode=0711"
    mount = program("mount", package="mount")
    subprocess.run(
        [mount, "-t", "tmpfs", "-o", options, "none", str(directory)], check=True
    )
    try:
        yield
    finally:
        umount = program("umount", package="mount")
        subprocess.run([umount, "--lazy", str(directory)], check=True)


@pytest.fixture
def up() -> Iterator[Up]:
    with reachable_directory() as directory, small_disk(directory / "state", "256m"):
        found = Up(directory)
        try:
            found.start("--no-simulator", parts=PARTS)
            yield found
        finally:
            if found.process is not None and found.process.poll() is None:
                found.stop(signal.SIGTERM)


def fill(file: Path) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for size in (1 << 20, 512):
        with suppress(OSError):
            while True:
                os.write(descriptor, b"x" * size)
    os.close(descriptor)


def stored(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select coalesce(sum(messages_accepted), 0)::int from vp.ledger"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_full_disk_ends_nothing_and_loses_nothing(up: Up) -> None:
    assert up.run("simulate", "register").returncode == 0
    running = up.running()
    until = int(time.time()) - 3600
    payloads = filter(None, backfill(standard(1), until - 86_400, until, newest={}))
    filler = up.directory / "state" / "filler"
    with Publisher(running["publish_url"], "test", window=10_000) as publisher:

        def publish(count: int) -> None:
            for _ in range(count):
                one = next(payloads)
                publisher.publish(one.topic, one.payload)

        publish(40)
        publisher.flush()
        wait_for(lambda: stored(running["database_url"]) == 40)

        ingest = up.pids()["ingest"]
        fill(filler)
        os.kill(ingest, signal.SIGKILL)
        publish(40)

        def is_full() -> bool:
            fill(filler)
            return "the state cannot be written (No space left" in up.output()

        wait_for(is_full, every=0.5)
        assert publisher.acknowledged < publisher.published
        assert up.process is not None
        assert up.process.poll() is None
        filler.unlink()

        wait_for(lambda: up.pids().get("ingest", ingest) != ingest, every=0.2)
        publish(40)
        publisher.flush(PATIENCE_S)
    wait_for(lambda: stored(running["database_url"]) == 120)
    wait_for(lambda: set(up.pids()) == set(PARTS), every=0.2)
    assert up.run("ledger", "check").returncode == 0
    assert "Traceback" not in up.output()
    code, _ = up.stop(signal.SIGTERM)
    assert code == 0
