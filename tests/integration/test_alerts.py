"""Alerts to servers that answer anything but what they should, or nothing at all."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, Final

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from analytics.cases import alerts, sentences
from analytics.jobs import alert_sender
from analytics.jobs.worker import Worker
from api.app import create_app
from tests.integration.test_analytics import Bench
from tests.integration.test_cases import Inbox, now_open, unusual
from tests.parts import PATIENCE_S, bound_s, logins, wait_for
from verkehrspuls.cases import Case
from verkehrspuls.settings import Alerts, Analytics, Settings, load
from verkehrspuls.stack.checks import PROBLEM, examine
from verkehrspuls.storage.alerts import held_up

Talk = Callable[[socket.socket], None]


@pytest.fixture
def bench(plain_bench: Bench) -> Bench:
    return plain_bench


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_sender, "STEP_TIMEOUT_S", 0.5)
    monkeypatch.setattr(alert_sender, "MESSAGE_TIMEOUT_S", 1.0)


def answering(*pieces: bytes) -> Talk:
    """Say so much at once, and hang up after the other side did."""

    def talk(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)
        while connection.recv(65_536):
            pass

    return talk


def repeat(piece: bytes, *, first: bytes = b"", every_s: float = 0) -> Talk:
    """Say the same for ever, perhaps slowly."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(first)
        while True:
            connection.sendall(piece)
            time.sleep(every_s)

    return talk


def accept_mail(goodbye: bytes, taken: list[bytes]) -> Talk:
    """Take a message as a mail server does, and answering goodbye in some way."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"220 test\r\n")
        lines = connection.makefile("rb")
        for line in lines:
            if line.upper().startswith(b"DATA"):
                connection.sendall(b"354 go on\r\n")
                text = b""
                while not text.endswith(b"\r\n.\r\n"):
                    text += next(lines)
                taken.append(text)
            if line.upper().startswith(b"QUIT"):
                connection.sendall(goodbye)
                return
            connection.sendall(b"250 ok\r\n")

    return talk


@contextmanager
def server(talk: Talk) -> Iterator[int]:
    """Serve on a port, each connection by a thread, until the block ends."""
    connections: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            talk(connection)

    def accept(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connections.append(listening.accept()[0])
                started.append(threading.Thread(target=serve, args=connections[-1:]))
                started[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        started = [threading.Thread(target=accept, args=(listening,))]
        started[0].start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            started[0].join()
            for connection in connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in started:
                thread.join()


def webhook(port: int, *, scheme: str = "http") -> Alerts:
    url = SecretStr(f"{scheme}://127.0.0.1:{port}/hook")
    return Alerts(rules=("*:low",), webhook_url=url)


def mail(port: int) -> Alerts:
    return Alerts(
        rules=("*:low",),
        email_to=("planung@example.org",),
        smtp_host="127.0.0.1",
        smtp_port=port,
        smtp_security="none",
    )


def secure_mail(port: int) -> Alerts:
    return mail(port).model_copy(update={"smtp_security": "tls"})


def secure_webhook(port: int) -> Alerts:
    return webhook(port, scheme="https")


OK: Final = b"HTTP/1.1 200 OK\r\n"
FAILING: Final[list[tuple[Callable[[int], Alerts], Talk]]] = [
    (webhook, answering(b"SSH-2.0-OpenSSH_9.2\r\n")),
    (webhook, answering(b"\xff\xfe\x00" * 1000 + b"\r\n\r\n")),
    (webhook, answering(OK + b"X: " + b"a" * 100_000)),
    (webhook, answering(OK + b"X: a\r\n" * 1000)),
    (webhook, answering(b"HTTP/1.1 99999 Many\r\n\r\n")),
    (webhook, answering(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n")),
    (webhook, answering()),
    (webhook, lambda connection: None),
    (webhook, repeat(b"HTTP/1.1 100 Continue\r\n\r\n")),
    (webhook, repeat(b"H", every_s=0.2)),
    (secure_webhook, answering(b"220 plain\r\n")),
    (mail, answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
    (mail, answering(b"\xff" * 20_000)),
    (mail, answering(b"421 full\r\n")),
    (mail, lambda connection: None),
    (mail, repeat(b"250-more\r\n" * 1000, first=b"220 test\r\n")),
    (mail, repeat(b"2", every_s=0.2)),
    (secure_mail, answering(b"220 plain\r\n")),
]


def reset(bench: Bench) -> None:
    bench.rows("delete from alert returning 1")


@pytest.mark.usefixtures("_impatient")
def test_whatever_a_server_answers_is_a_failed_attempt(bench: Bench) -> None:
    unusual(bench)
    now = now_open(bench)
    for number, (settings, talk) in enumerate(FAILING):
        reset(bench)
        began = time.monotonic()
        with server(talk) as port:
            assert alert_sender.send(bench.store.connection, settings(port), now=now)
        took_s = time.monotonic() - began
        found = bench.rows(
            "select distinct attempts, sent_at, due_at > %s from alert", now
        )
        assert found == [(1, None, True)], f"server {number}"
        assert took_s < bound_s(4), f"server {number}"


def test_what_comes_after_the_answer_does_not_matter(bench: Bench) -> None:
    unusual(bench)
    now = now_open(bench)
    taken: list[bytes] = []
    for settings, talk in (
        (webhook, repeat(b"a" * 1000, first=OK + b"\r\n")),
        (webhook, answering(OK + b"Content-Length: 99999999999\r\n\r\n")),
        (mail, accept_mail(b"garbage\r\n", taken)),
        (mail, accept_mail(b"", taken)),
    ):
        reset(bench)
        with server(talk) as port:
            assert alert_sender.send(bench.store.connection, settings(port), now=now)
        assert bench.rows("select distinct sent_at is null from alert") == [(False,)]
    assert len(taken) == 2


def test_change_without_words_holds_up_no_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = unusual(bench)
    now = now_open(bench)
    right = sentences.sentence

    def sentence(found: Case, language: str) -> str:
        if found.anomaly_case_id == case:
            raise KeyError("reason")
        return right(found, language)

    monkeypatch.setattr(alerts, "sentence", sentence)
    with Inbox().open() as inbox:
        for _ in range(3):
            alert_sender.send(bench.store.connection, inbox.settings(), now=now)
    assert len(inbox.requests) == 1
    found = bench.rows(
        "select anomaly_case_id = %s, sent_at is null, attempts, given_up "
        "from alert group by 1, 2, 3, 4 order by 1",
        case,
    )
    assert found == [(False, False, 1, None), (True, True, 1, None)]


def test_slow_webhook_does_not_hold_up_mail(bench: Bench) -> None:
    unusual(bench)
    now_open(bench)
    taken: list[bytes] = []
    with (
        server(answering()) as hook,
        server(accept_mail(b"221 bye\r\n", taken)) as port,
    ):
        settings = mail(port).model_copy(
            update={"webhook_url": webhook(hook).webhook_url}
        )
        worker = Worker(of(bench, settings), on_ready=lambda: None)
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            wait_for(lambda: taken)
        finally:
            worker.stop()
            thread.join(PATIENCE_S)


def test_dead_sender_ends_the_worker(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise MemoryError("of the sender")

    monkeypatch.setattr(alert_sender, "run", die)
    worker = Worker(of(bench, webhook(9)), on_ready=lambda: None)
    with pytest.raises(MemoryError, match="of the sender"):
        worker.run()


def of(bench: Bench, settings: Alerts) -> Settings:
    given = load(logins(bench.url))
    return given.model_copy(
        update={"alerts": settings, "analytics": Analytics(poll_s=0.1)}
    )


def test_alerts_that_wait_too_long_are_reported(bench: Bench) -> None:
    unusual(bench)
    now = now_open(bench)
    connection = bench.connection
    settings = of(bench, webhook(9))

    def alert_state() -> tuple[str, bool, bool]:
        with TestClient(create_app(settings)) as client:
            check = client.get("/readyz").json()["checks"]["analytics:alerts"][0]
            metrics = client.get("/metrics").text
        (finding,) = [one for one in examine(settings) if one.part == "alerts"]
        quiet = (
            "verkehrspuls_alerts_waiting 0.0" in metrics
            and "verkehrspuls_alerts_given_up 0.0" in metrics
        )
        return check["status"], finding.state != PROBLEM, quiet

    alert_sender.send(bench.store.connection, settings.alerts, now=now)
    assert alert_state() == ("pass", True, True)  # a first failure is none yet
    alert_sender.send(
        bench.store.connection, settings.alerts, now=now + alerts.MAX_WAIT
    )
    assert alert_state() == ("warn", False, False)
    # nobody sends them
    bench.rows(
        "update alert set attempts = 0, due_at = now() - interval '1 h' returning 1"
    )
    assert alert_state() == ("warn", False, False)
    assert held_up(connection).waiting == len(bench.rows("select 1 from alert"))
    bench.rows("update alert set given_up = 'TimeoutError' returning 1")
    assert alert_state() == ("warn", False, False)
    # no address is set any more: nobody waits for them
    bench.rows("update alert set given_up = null returning 1")
    alert_sender.discard_unset(bench.store.connection, Alerts())
    assert alert_state() == ("pass", True, True)


def test_lost_case_holds_up_no_other(bench: Bench, monkeypatch: Any) -> None:
    unusual(bench)
    now: datetime = now_open(bench)
    monkeypatch.setattr(alert_sender, "list_cases", lambda *_, **__: [])
    with Inbox().open() as inbox:
        alert_sender.send(bench.store.connection, inbox.settings(), now=now)
    assert not inbox.requests
    assert bench.rows("select distinct given_up is null from alert") == [(False,)]
