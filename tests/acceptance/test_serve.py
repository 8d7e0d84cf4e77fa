"""The web server as a process: it says when it is ready, and stops when told to."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import psycopg
import pytest

from tests.parts import PATIENCE_S, PROJECT, as_web, bound_s, free_port, wait_for
from tests.world import build_autumn


@contextmanager
def server(url: str, port: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "verkehrspuls", "api", "run"],
        env={
            "VERKEHRSPULS_DATABASE__URL": as_web(url),
            "VERKEHRSPULS_BROKER__URL": "mqtt://127.0.0.1:1",
            "VERKEHRSPULS_API__PORT": str(port),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(
    plain_world: str, number: signal.Signals
) -> None:
    port = free_port()
    with server(plain_world, port) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with urlopen(f"http://127.0.0.1:{port}/api/v1/sites") as response:
            assert len(json.load(response)["sites"]) == 2
            assert response.headers["server"] is None
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 0
        assert time.monotonic() - began < bound_s(5)


def test_a_query_that_hangs_does_not_keep_it(plain_world: str) -> None:
    port = free_port()
    with (
        psycopg.connect(plain_world) as blocker,
        server(plain_world, port) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        blocker.execute("lock table vp.municipality in access exclusive mode")
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(
                b"GET /api/v1/municipalities HTTP/1.1\r\nHost: localhost\r\n\r\n"
            )
            wait_for(lambda: _waits(plain_world))
            began = time.monotonic()
            process.terminate()
            assert process.wait(PATIENCE_S) == 0
            assert time.monotonic() - began < bound_s(5)


def test_it_starts_without_a_database() -> None:
    port = free_port()
    with server(f"postgresql://vp@127.0.0.1:{free_port()}/vp", port) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(HTTPError) as caught:
            urlopen(f"http://127.0.0.1:{port}/api/v1/sites")
        with caught.value as answer:
            assert answer.status == 503
            assert answer.headers["retry-after"] == "5"


def test_an_address_that_is_taken_is_said_so(plain_database: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with server(plain_database, port) as process:
            _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 3
    assert f"127.0.0.1:{port} cannot be listened on" in errors
    assert "VERKEHRSPULS_API__PORT" in errors
    assert "Traceback" not in errors


def test_a_host_that_there_is_none_of_is_said_so(plain_database: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "verkehrspuls", "api", "run", "--host", "no.invalid"],
        env={**os.environ, "VERKEHRSPULS_DATABASE__URL": as_web(plain_database)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 3
    assert "not known" in done.stderr


def test_the_example_in_python_reads_the_series(plain_database: str) -> None:
    build_autumn(plain_database)
    guide = (PROJECT / "docs/how-to/export-data.md").read_text("utf-8")
    example = guide.partition("```python\n")[2].partition("```")[0]
    port = free_port()
    with server(plain_database, port) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        address = f"127.0.0.1:{port}"
        assert "127.0.0.1:8000" in example
        found: dict[str, Any] = {}
        exec(example.replace("127.0.0.1:8000", address), found)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    assert found["hours"]["volume"].sum() > 0


def _waits(url: str) -> bool:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select from pg_stat_activity where wait_event_type = 'Lock'"
            " and application_name = 'verkehrspuls api'"
        ).fetchone()
    return row is not None
