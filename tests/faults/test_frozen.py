"""A database that stands still: pages, API and commands do not wait for it; row 7."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from email.message import Message
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import psycopg
import pytest

from tests import parts
from tests import world as figures
from tests.faults.proxy import Proxy
from tests.faults.world import Server, over_tcp

#: what an answer may take
BOUND_S = 20.0
SITE = "/api/v1/sites/kaiserslautern/pariser-strasse"
SPAN = "from=2026-03-01&to=2026-03-03"
ADDRESSES = (
    "/readyz",
    "/api/v1/municipalities",
    "/api/v1/sites",
    f"{SITE}/series?{SPAN}",
    f"{SITE}/series.csv?{SPAN}",
    f"{SITE}/air?{SPAN}",
    f"{SITE}/forecast",
    f"{SITE}/health?{SPAN}",
    "/api/v1/cases",
    f"/api/v1/ledger?{SPAN}",
    f"/api/v1/rejects?{SPAN}",
    f"/de/towns/kaiserslautern/pariser-strasse?{SPAN}",
    f"/en/towns/kaiserslautern/pariser-strasse?{SPAN}",
)
COMMANDS = (
    "analytics recompute",
    "analytics health",
    "export kaiserslautern/pariser-strasse --from 2026-03-01 --to 2026-03-03",
    "import messages recording.jsonl",
    "ledger check",
    "reject replay --all",
    "case list",
    "db status",
)


class Web:
    """The web server in a process of its own."""

    def __init__(self, port: int) -> None:
        self._port = port

    def get(self, address: str) -> tuple[int, Message, float]:
        """Ask; gives status, headers, and how long it took."""
        began = time.monotonic()
        try:
            found = urlopen(
                f"http://127.0.0.1:{self._port}{address}", timeout=parts.PATIENCE_S
            )
        except HTTPError as error:
            found = error
        with found:
            found.read()
        return found.status, found.headers, time.monotonic() - began

    def all_work(self) -> bool:
        return all(self.get(each)[0] == 200 for each in ADDRESSES)


@contextmanager
def web(url: str) -> Iterator[Web]:
    port = parts.free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "verkehrspuls", "api", "run"],
        env={
            "VERKEHRSPULS_DATABASE__URL": parts.as_web(url),
            "VERKEHRSPULS_API__PORT": str(port),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Web(port)
    finally:
        process.kill()
        process.communicate()


def family(pid: int) -> list[int]:
    """A process and what it started."""
    found = [pid]
    with suppress(FileNotFoundError):
        words = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in words:
            found += family(int(child))
    return found


@contextmanager
def standing_still(server: Server) -> Iterator[None]:
    """Stop the server's processes, and let them go on afterwards."""
    assert server.server.process is not None
    first = server.server.process.pid
    stopped = []
    try:
        # one after the other: who is stopped starts no more
        while each := next((pid for pid in family(first) if pid not in stopped), None):
            os.kill(each, signal.SIGSTOP)
            stopped.append(each)
        yield
    finally:
        for each in stopped:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGCONT)


def run(url: str, directory: Path, command: str) -> tuple[str, int, list[str], float]:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "verkehrspuls", *command.split()],
        env={"VERKEHRSPULS_DATABASE__URL": url, "VERKEHRSPULS_LOG__LEVEL": "error"},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=parts.PATIENCE_S,
    )
    lines = done.stderr.splitlines()
    return command, done.returncode, lines, time.monotonic() - began


@pytest.fixture
def url(server: Server) -> Iterator[str]:
    with server.databases.fresh(figures.build) as url:
        yield url


def test_nobody_waits_for_a_server_that_stands_still(
    server: Server, url: str, tmp_path: Path
) -> None:
    """Answers and commands end in bounded time, also those that were under way."""
    (tmp_path / "recording.jsonl").write_text(
        '{"topic": "vp/v1/kaiserslautern/none/counts", "payload": "{}"}\n'
    )
    with ExitStack() as stack:
        site = stack.enter_context(web(url))
        parts.wait_for(site.all_work)
        pool = stack.enter_context(ThreadPoolExecutor(32))
        blocker = stack.enter_context(psycopg.connect(url, autocommit=True))
        with blocker.transaction():
            blocker.execute("lock table vp.stale_bucket in access exclusive mode")
            under_way = pool.submit(run, url, tmp_path, "analytics recompute")
            parts.wait_for(lambda: waits(blocker))
            asked = [pool.submit(site.get, each) for each in ADDRESSES]
            with standing_still(server):
                asked += [pool.submit(site.get, each) for each in ADDRESSES]
                answers = [each.result() for each in asked]
                ended = [
                    under_way.result(),
                    *pool.map(lambda each: run(url, tmp_path, each), COMMANDS),
                ]
        late = answers[len(ADDRESSES) :]
        assert {status for status, _, _ in answers} <= {200, 503}
        assert [answer[0] for answer in late] == [503] * len(ADDRESSES)
        assert max(took for _, _, took in answers) < parts.bound_s(BOUND_S)
        for address, (_, headers, _) in zip(ADDRESSES, late, strict=True):
            assert headers["Retry-After"], address
            kind = (
                "application/problem+json"
                if address.startswith("/api")
                else "application/health+json"
                if address == "/readyz"
                else "text/html; charset=utf-8"
            )
            assert headers["Content-Type"] == kind, address
        for command, code, lines, took in ended:
            assert code == 3, (command, lines)
            assert len(lines) == 1, (command, lines)
            assert "The database does not answer" in lines[0]
            assert took < parts.bound_s(BOUND_S), command
        parts.wait_for(site.all_work)


def test_connections_that_nobody_answers_are_replaced(server: Server, url: str) -> None:
    """Half-open: the server is well, and knows nothing of what was asked."""
    with Proxy(server.socket) as wire, web(over_tcp(url, wire.port)) as site:
        parts.wait_for(site.all_work)
        wire.forget()
        with ThreadPoolExecutor(len(ADDRESSES)) as pool:
            answers = list(pool.map(site.get, ADDRESSES))
        assert {status for status, _, _ in answers} <= {200, 503}
        assert max(took for _, _, took in answers) < parts.bound_s(BOUND_S)
        parts.wait_for(site.all_work)


def waits(connection: psycopg.Connection[tuple[int]]) -> bool:
    row = connection.execute("select count(*) from pg_locks where not granted")
    return row.fetchall()[0][0] > 0
