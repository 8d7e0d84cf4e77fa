"""Clients that never end their requests take nobody's turn; over real sockets."""

import json
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from dashboards.assets import Assets
from tests.parts import PATIENCE_S, bound_s, free_port, wait_for

HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
BODY = (
    b"POST /api/v1/municipalities/x/short-count HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: application/json\r\n"
)
REQUEST_S = 1
FILES = 200


class Server:
    """A server whose database is away, with its port and what it logged."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

    def open(self, first: bytes = b"") -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)
        client.sendall(first)
        return client

    def is_alive(self) -> bool:
        address = f"http://127.0.0.1:{self.port}/healthz"
        with urlopen(address, timeout=bound_s(5)) as answer:
            return bool(json.load(answer)["status"] == "pass")

    def rss_mb(self) -> float:
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * resource.getpagesize() / 1e6

    def files(self) -> int:
        limits = Path(f"/proc/{self.process.pid}/limits").read_text()
        return int(limits.partition("Max open files")[2].split()[0])


@contextmanager
def serving(
    *, files: tuple[int, int] | None = None, **settings: str
) -> Iterator[Server]:
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "verkehrspuls", "api", "run"],
        env={
            "VERKEHRSPULS_DATABASE__URL": f"postgresql://vp@127.0.0.1:{free_port()}/vp",
            "VERKEHRSPULS_BROKER__URL": "mqtt://127.0.0.1:1",
            "VERKEHRSPULS_API__PORT": str(port),
            **{f"VERKEHRSPULS_API__{name}".upper(): v for name, v in settings.items()},
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=files
        and (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, files)),
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield Server(process, port)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(request_s=str(REQUEST_S)) as server:
        yield server


def is_dropped(client: socket.socket, *, every: bytes = b"") -> bool:
    """Whether the server ends a connection on which `every` is sent again and again."""
    began = time.monotonic()
    client.settimeout(0.05)
    while time.monotonic() - began < bound_s(8):
        try:
            if every:
                client.sendall(every)
            if client.recv(65_536) == b"":
                return True
        except TimeoutError:
            continue
        except ConnectionError:
            return True
    return False


#: what is sent first, and then again and again
UNENDING = [
    (b"", b""),
    (HEAD, b""),
    (HEAD, b"X"),
    (b"", b"\r\n"),
    (HEAD, b"X-Slow: 1\r\n"),
    (BODY + b"Content-Length: 1000\r\n\r\n", b""),
    (BODY + b"Content-Length: 100000\r\n\r\n", b" "),
    (BODY + b"Transfer-Encoding: chunked\r\n\r\n", b""),
    (BODY + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    # answered with 413, and goes on
    (BODY + b"Content-Length: 999999999\r\n\r\n", bytes(1000)),
    # the second request of a connection
    (HEAD + b"\r\n" + HEAD, b"X"),
    (HEAD + b"\r\n" + BODY + b"Content-Length: 100000\r\n\r\n", b" "),
    # the answer to the first is there, and nothing comes any more
    (HEAD + b"\r\n", b""),
]


def test_a_request_that_does_not_end_is_dropped(server: Server) -> None:
    def dropped(sent: tuple[bytes, bytes]) -> bool:
        with server.open(sent[0]) as client:
            return is_dropped(client, every=sent[1])

    with ThreadPoolExecutor(len(UNENDING)) as clients:
        found = list(clients.map(dropped, UNENDING))
    assert [
        sent for sent, is_so in zip(UNENDING, found, strict=True) if not is_so
    ] == []
    assert server.is_alive()


def test_a_client_that_does_not_read_is_dropped(server: Server) -> None:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", server.port))
    with client, urlopen(f"http://127.0.0.1:{server.port}/de/about") as page:
        script = next(
            part.split('"')[0]
            for part in page.read().decode().split('src="')[1:]
            if "charts" in part
        )
        asset = f"GET {script} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        client.settimeout(0.2)
        began = time.monotonic()

        def ended() -> bool:
            assert time.monotonic() - began < bound_s(20)
            try:
                client.sendall(asset * 50)
            except TimeoutError:
                return False
            except ConnectionError:
                return True
            return False

        wait_for(ended)


def asked_for_much(server: Server) -> socket.socket:
    """A client that asks for megabytes; it has little room for them."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(PATIENCE_S)
    client.connect(("127.0.0.1", server.port))
    address = Assets().addresses["plotly.js"]
    client.sendall(f"GET {address} HTTP/1.0\r\n\r\n".encode())
    return client


def test_answers_that_nobody_takes_use_little_memory_and_no_turn() -> None:
    with (
        serving(connections="50", request_s="60") as server,
        ExitStack() as stack,
    ):
        stack.enter_context(asked_for_much(server)).recv(1)
        before = server.rss_mb()
        for _ in range(100):
            stack.enter_context(asked_for_much(server))
            assert server.is_alive()
        assert server.rss_mb() - before < 50


def test_who_takes_an_answer_slowly_gets_all_of_it() -> None:
    """It takes longer than an answer may wait for somebody who takes nothing."""
    with serving(request_s="2") as server, asked_for_much(server) as client:
        began = time.monotonic()
        length = 0
        while part := client.recv(65_536):
            length += len(part)
            time.sleep(len(part) / 1_200_000)  # what is tested
        assert length > 4_000_000
        assert time.monotonic() - began > 3


def answered(client: socket.socket) -> bool:
    answer = b""
    while b'"pass"}' not in answer:
        answer += client.recv(65_536)
    return answer.startswith(b"HTTP/1.1 200")


def test_a_client_that_takes_its_time_but_sends_is_served() -> None:
    with serving(request_s="5") as server, server.open() as client:
        for byte in HEAD + b"\r\n":
            client.sendall(bytes([byte]))
        assert answered(client)
        # and again on the same connection
        client.sendall(HEAD + b"\r\n")
        assert answered(client)


def test_unfinished_requests_take_nobodys_turn() -> None:
    """More connections than are allowed, and more than there are file handles."""
    with (
        serving(files=(FILES, FILES), connections="1000", request_s="60") as server,
        ExitStack() as stack,
    ):
        for number in range(3 * FILES):
            client = server.open(HEAD if number % 2 else b"")
            stack.callback(client.close)
            if number % 50 == 0:
                assert server.is_alive()
        assert server.is_alive()
        server.process.terminate()
        _, errors = server.process.communicate(timeout=PATIENCE_S)
    lines = [line for line in errors.splitlines() if "api.connections" in line]
    assert len(lines) == 1, errors[-2000:]
    assert len(errors.splitlines()) < 10


def test_file_handles_that_are_used_up_are_told_once() -> None:
    """All but the connections need them too: then it is said once, and goes on."""
    with (
        serving(files=(60, 60), connections="1000", request_s="60") as server,
        ExitStack() as stack,
    ):
        # as few connections as ever are allowed, but for even these are no handles
        for _ in range(120):
            stack.callback(server.open(HEAD).close)
        assert server.is_alive()
        server.process.terminate()
        _, errors = server.process.communicate(timeout=PATIENCE_S)
    assert len(errors.splitlines()) < 10


def test_the_limit_of_file_handles_is_raised() -> None:
    with serving(files=(256, 4096)) as server:
        assert server.files() == 4096


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
        (b"GET /?" + b"a=1&" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (HEAD + b"X: " + b"x" * 40_000 + b"\r\n\r\n", 431),
        (HEAD + b"X: y\r\n" * 10_000 + b"\r\n", 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (BODY + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_is_a_problem(
    server: Server, request_: bytes, status: int
) -> None:
    with server.open() as client:
        client.sendall(request_[:33_000])
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"application/problem+json" in head
    assert json.loads(body)["type"] == "/api/v1/docs#not-http"


def test_a_chunked_body_ends_where_its_chunks_do(server: Server) -> None:
    """A length beside it hides no second request."""
    second = HEAD + b"Connection: close\r\n\r\n"
    length = b"Content-Length: %d\r\n" % (5 + len(second))
    chunked = BODY + length + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    with server.open(chunked + second) as client:
        answers = b"".join(iter(lambda: client.recv(65_536), b""))
    assert re.findall(rb"HTTP/1\.1 (\d+)", answers) == [b"422", b"200"]


@pytest.mark.parametrize("declared", [True, False])
def test_a_large_body_takes_no_memory(declared: bool) -> None:
    """240 MB, refused with 413, which the client gets though it goes on sending."""
    size = 240_000_000
    part = b"[" * 65_536
    with serving() as server, server.open() as client:
        before = server.rss_mb()
        answer: list[bytes] = []
        reader = threading.Thread(target=lambda: answer.append(client.recv(65_536)))
        reader.start()
        client.sendall(
            BODY
            + (
                b"Content-Length: %d\r\n\r\n" % size
                if declared
                else b"Transfer-Encoding: chunked\r\n\r\n"
            )
        )
        for _ in range(size // len(part)):
            client.sendall(part if declared else b"10000\r\n" + part + b"\r\n")
        after = server.rss_mb()
        reader.join()
        assert b" 413 " in answer[0].splitlines()[0]
        assert b"application/problem+json" in answer[0]
        assert after - before < 40
        assert server.is_alive()
