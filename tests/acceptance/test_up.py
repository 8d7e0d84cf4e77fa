"""The whole way on one machine: `verkehrspuls up`, and everything that can die."""

import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.acceptance.test_commands import COMMAND, run
from tests.parts import PATIENCE_S, bound_s, free_port, reachable_directory, wait_for
from verkehrspuls.stack.process import command_line

PARTS = (
    *("database", "broker", "api", "analytics", "ingest", "credentials"),
    "simulator",
)


class Up:
    """A running `verkehrspuls up`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.settings = {
            "VERKEHRSPULS_STACK__DIRECTORY": str(directory / "state"),
            "VERKEHRSPULS_STACK__START_S": str(PATIENCE_S),
        }
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str, parts: Collection[str] = PARTS) -> None:
        with (self.directory / "err").open("ab") as errors:
            self.process = subprocess.Popen(
                [COMMAND, "up", "--weeks", "1", "--port", str(self.port), *arguments],
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=self.directory,
                env={**os.environ, **self.settings},
            )
        wait_for(lambda: set(self.pids()) == set(parts), every=0.2)

    def running(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(
                (self.directory / "state" / "running.json").read_text()
            )
        except FileNotFoundError:
            return {"parts": []}
        return found

    def pids(self) -> dict[str, int]:
        """The parts that answer."""
        return {p["name"]: p["pid"] for p in self.running()["parts"] if p["answers"]}

    def kill(self, name: str) -> None:
        """Kill a part, and wait until it answers under another pid."""
        wait_for(lambda: name in self.pids())
        pid = self.pids()[name]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.pids().get(name, pid) != pid, every=0.1)
        assert f"{name}: it was ended by SIGKILL. Starting it again" in self.output()

    def output(self) -> str:
        return (self.directory / "err").read_text()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(self.directory, *arguments, **self.settings)

    def stop(self, number: signal.Signals) -> tuple[int, float]:
        """Stop it by a signal; gives the exit code and how long it took, in s."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        return code, time.monotonic() - began

    def page(self, path: str = "/") -> int:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=PATIENCE_S
        )
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()


@pytest.fixture
def up() -> Iterator[Up]:
    with reachable_directory() as directory:
        found = Up(directory)
        try:
            found.start()
            yield found
        finally:
            if found.process is not None and found.process.poll() is None:
                found.stop(signal.SIGTERM)


def balance(url: str) -> tuple[int, int, int]:
    """Readings stored by the ledger, stored in fact, and messages out of balance."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select (select coalesce(sum(readings_stored), 0) from vp.ledger), "
            "(select count(*) from vp.count_reading) "
            "+ (select count(*) from vp.environment_reading), "
            "(select count(*) from vp.ledger where messages_received <> "
            "messages_accepted + messages_partly_accepted + messages_rejected "
            "+ messages_unknown_sensor)"
        ).fetchone()
    assert row is not None
    return row[0], row[1], row[2]


def test_everything_runs_dies_comes_back_and_stops(up: Up) -> None:
    assert up.page() < 400
    assert up.page("/de/") == 200

    # another terminal finds it
    assert up.run("site", "list", "--json").returncode == 0
    doctor = up.run("doctor", "--json")
    assert doctor.returncode == 0, doctor.stdout
    assert {one["part"] for one in json.loads(doctor.stdout)} >= set(PARTS)
    second = up.run("up")
    assert second.returncode == 3
    assert "runs already" in second.stderr

    # whatever is killed comes back under another pid
    for name in PARTS:
        up.kill(name)
    url = up.running()["database_url"]
    stored, there, unbalanced = balance(url)
    assert stored == there > 0
    assert unbalanced == 0

    # it stops in order, and leaves nothing running
    pids = up.pids()
    code, seconds = up.stop(signal.SIGTERM)
    assert code == 0
    assert seconds < bound_s(8)  # five, on a machine that does nothing else
    assert not [pid for pid in pids.values() if command_line(pid)]
    assert not (up.directory / "state" / "running.json").exists()

    # the data is kept, and a killed parent takes all parts with it
    up.start()
    assert balance(up.running()["database_url"])[1] >= there
    pids = up.pids()
    assert up.stop(signal.SIGKILL)[0] == -signal.SIGKILL
    wait_for(lambda: not [pid for pid in pids.values() if command_line(pid)])
