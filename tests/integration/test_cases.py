"""Cases from readings to what persons decide of them, and alerts about them."""

import json
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from analytics.cases import alerts, casework
from analytics.cases.states import TransitionNotAllowed
from analytics.jobs import alert_sender, case_days, claims
from api.app import create_app
from tests.integration.test_analytics import HOUR, NOW, WEEK, Bench, T
from tests.parts import as_web
from verkehrspuls.access import tokens
from verkehrspuls.errors import UnknownKey
from verkehrspuls.settings import Alerts, load
from verkehrspuls.storage.case_lists import CURRENT, list_cases

MINUTE = timedelta(minutes=1)
ALL = Alerts(rules=("*:low",), webhook_url=SecretStr("http://127.0.0.1:9/"))


@pytest.fixture
def bench(plain_bench: Bench) -> Bench:
    return plain_bench


def unusual(bench: Bench) -> int:
    """Let an hour with much too much traffic be a case; its number."""
    bench.usual_weeks()
    bench.count([400, 90])
    bench.compute()
    rows = bench.rows(
        "select anomaly_case_id from anomaly_case where reason = 'above-usual'"
    )
    return int(rows[0][0])


def history(bench: Bench, case: int) -> list[tuple[str, str, str]]:
    rows = casework.show(bench.connection, case).history
    return [(row.kind, row.who, row.comment) for row in rows]


def test_two_directions_that_show_the_same_are_one_case(bench: Bench) -> None:
    other = bench.channel("out")
    for n in range(1, 6):
        bench.count([100], start=T - n * WEEK)
        bench.count([100], start=T - n * WEEK, channel=other)
    bench.count([400])
    bench.compute()
    bench.count([500], channel=other)
    bench.compute()
    found = list_cases(bench.connection, standing=None)
    both = [case for case in found if case.reason == "above-usual"]
    assert [(case.channels, case.observed) for case in both] == [(2, 500)]
    case = casework.show(bench.connection, both[0].anomaly_case_id)
    assert {member.channel for member in case.members} == {"in", "out"}
    # what is no cause any more leaves the case, and the case stays
    bench.count([105], channel=other)
    bench.compute()
    again = casework.show(bench.connection, case.anomaly_case_id)
    assert (again.channels, again.observed, again.withdrawn_at) == (
        1,
        400,
        None,
    )


def test_a_case_has_a_history(bench: Bench) -> None:
    case = unusual(bench)
    bench.count([105])
    bench.compute()
    bench.count([400])
    bench.compute()
    with bench.connection.transaction():
        casework.change(
            bench.connection, case, who="Ada", state="explained", comment="Markt"
        )
    assert history(bench, case) == [
        ("opened", "detectors", ""),
        ("withdrawn", "detectors", ""),
        ("returned", "detectors", ""),
        ("decided", "Ada", "Markt"),
    ]


def test_what_is_withdrawn_cannot_be_confirmed(bench: Bench) -> None:
    case = unusual(bench)
    bench.count([105])
    bench.compute()
    with (
        pytest.raises(TransitionNotAllowed, match="withdrawn"),
        bench.connection.transaction(),
    ):
        casework.change(bench.connection, case, who="Ada", state="confirmed")


def test_figures_follow_a_decision_at_once(bench: Bench) -> None:
    case = unusual(bench)

    def decide(**decision: Any) -> tuple[Any, ...]:
        with bench.connection.transaction():
            casework.change(bench.connection, case, who="Ada", **decision)
        bench.compute()
        query = (
            "select volume, excluded > 0 from daily_figure "
            "where day = %s and direction = 'in'"
        )
        return bench.rows(query, date(2026, 9, 16))[0]

    assert decide(state="confirmed") == (490, False)
    assert decide(effect="exclude") == (90, True)
    assert decide(state="rejected") == (490, False)
    assert decide(state="explained") == (90, True)
    with bench.connection.transaction():
        casework.undo(bench.connection, case, who="Ada")
    assert decide(comment="undone") == (490, False)
    assert decide(state="explained", effect="exclude") == (90, True)
    assert decide(state="suspected", effect="caveat") == (490, False)


def test_a_case_that_is_given_back_is_the_detectors_again(bench: Bench) -> None:
    case = unusual(bench)
    with bench.connection.transaction():
        casework.change(bench.connection, case, who="Ada", state="explained")
    bench.count([105])
    bench.compute()
    assert casework.show(bench.connection, case).withdrawn_at is None
    with bench.connection.transaction():
        casework.change(bench.connection, case, who="Ada", state="suspected")
    bench.compute()
    assert casework.show(bench.connection, case).withdrawn_at is not None


def test_a_finished_quarter_hour_is_judged_while_its_hour_runs(bench: Bench) -> None:
    for n in range(1, 6):
        for hour in (-1, 0, 1):
            bench.count([1200], start=T - n * WEEK + hour * HOUR)
    bench.count([100] * 12, start=T - HOUR, interval_s=300)
    bench.count([0] * 6, interval_s=300)
    bench.compute(now=T + 29 * MINUTE)
    assert not [case for case in bench.cases() if case["reason"] == "no-traffic"]
    bench.mark(bench.channel(), T)
    bench.compute(now=T + 31 * MINUTE)
    (case,) = [case for case in bench.cases() if case["reason"] == "no-traffic"]
    assert (case["began"], case["ended"]) == (T, T + 30 * MINUTE)
    # and again when late data says otherwise
    bench.count([100] * 6, interval_s=300)
    bench.compute(now=T + 45 * MINUTE)
    (case,) = [case for case in bench.cases() if case["reason"] == "no-traffic"]
    assert case["withdrawn"]


def test_live_and_batch_find_the_same(bench: Bench) -> None:
    for n in range(1, 6):
        bench.count([1200] * 8, start=T - n * WEEK - HOUR)
    series = [100] * 12 + [20, 25, 0, 0, 0, 0, 0, 0, 30] + [100] * 27 + [900] * 3
    series += [100] * 9
    query = (
        "select channel_id, detector, reason, began, ended, observed, score "
        "from case_member where withdrawn_at is null order by 1, 2, 4"
    )
    for n in range(0, len(series), 2):
        start = T - HOUR + n * 5 * MINUTE
        bench.count(series[n : n + 2], start=start, interval_s=300)
        bench.compute(now=start + 10 * MINUTE)
    live = bench.rows(query)
    assert {"drop-out", "spike"} <= {row[1] for row in live}
    claims.mark_stale(bench.store, claims.Choice())
    bench.compute(now=start + 10 * MINUTE)
    assert bench.rows(query) == live


def test_days_are_judged_once_they_ended(bench: Bench) -> None:
    start = T - 6 * WEEK
    days = int((T - start) / timedelta(days=1))
    for day in range(days):
        bench.count([100] * 24, start=start + timedelta(days=day))
    midnight = datetime(2026, 9, 15, 22, tzinfo=UTC)
    bench.count([170] * 24, start=midnight)
    noon = midnight + 12 * HOUR
    bench.compute(now=midnight + 25 * HOUR)
    while case_days.judge(bench.store, now=noon):
        pass
    assert "unusual-day" not in {case["detector"] for case in bench.cases()}
    while case_days.judge(bench.store, now=midnight + 25 * HOUR):
        pass
    members = bench.rows(
        "select began, ended from case_member where detector = 'unusual-day'"
    )
    assert members == [(midnight, midnight + 24 * HOUR)]
    assert case_days.judge(bench.store, now=midnight + 25 * HOUR) == 0


def test_old_cases_are_history(bench: Bench) -> None:
    case = unusual(bench)
    connection = bench.connection

    def current(now: datetime) -> list[int]:
        found = list_cases(connection, standing=CURRENT, now=now)
        return [row.anomaly_case_id for row in found if row.current]

    assert case in current(NOW)
    assert current(NOW + timedelta(days=10)) == []
    still = list_cases(connection, now=NOW + timedelta(days=10))
    assert case in [row.anomaly_case_id for row in still if row.open]


def test_a_token_for_cases_decides_and_one_for_readings_does_not(bench: Bench) -> None:
    case = unusual(bench)
    connection = bench.connection
    deciding = tokens.create(connection, "kusel", permissions=["cases"], name="Planung")
    sending = tokens.create(connection, "kusel")
    settings = load({"VERKEHRSPULS_DATABASE__URL": as_web(bench.url)})
    address = f"/api/v1/cases/{case}"
    with TestClient(create_app(settings)) as client:

        def send(token: str, body: dict[str, Any], path: str = "") -> Any:
            verb = "POST" if path else "PATCH"
            return client.request(
                verb,
                address + path,
                json=body,
                headers={"Authorization": f"Bearer {token}"} if token else {},
            )

        confirm = {"state": "confirmed", "effect": "exclude", "comment": "Unfall"}
        assert send("", confirm).status_code == 401
        assert send(sending, confirm).status_code == 403
        assert send(deciding, {}).status_code == 422
        answer = send(deciding, confirm)
        assert answer.status_code == 200, answer.text
        assert answer.json()["state"] == "confirmed"
        assert answer.json()["history"][-1]["who"] == "Planung"
        assert bench.rows("select hour from stale_bucket") == [(T,)]
        answer = send(deciding, {"comment": "B 420 gesperrt"}, "/comments")
        assert answer.status_code == 201
        assert answer.json()["history"][-1]["comment"] == "B 420 gesperrt"
        shown = client.get(address).json()
        assert shown["members"][0]["detector"] == "unusual-volume"
        assert "mehr als üblich, 400 statt 100" in shown["sentence_de"]
        assert client.get("/api/v1/cases/999999").status_code == 404
        assert client.get(f"/api/v1/cases/{2**63}").status_code == 422
        headers = {"Authorization": f"Bearer {deciding}"}
        refused = client.post("/api/v1/readings", json=[], headers=headers)
        assert refused.status_code == 403
        listed = client.get("/api/v1/cases?current=true").json()["cases"]
        assert all(row["current"] for row in listed)
    with pytest.raises(UnknownKey):
        casework.change(connection, 999999, who="x", state="rejected")


def test_cases_are_decided_on_the_command_line(bench: Bench) -> None:
    case = unusual(bench)

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "verkehrspuls", "case", *map(str, arguments)],
            env={"VERKEHRSPULS_DATABASE__URL": bench.url},
            capture_output=True,
            text=True,
        )

    listed = run("list", "--all", "--json")
    assert case in [row["anomaly_case_id"] for row in json.loads(listed.stdout)]
    done = run(
        "explain", case, "--comment", "Markt", "--effect", "exclude", "--by", "A"
    )
    assert "hours to recompute: 1" in done.stderr
    assert run("comment", case, "jedes Jahr", "--by", "A").returncode == 0
    shown = run("show", case, "--language", "en")
    assert "more than usual, 400 instead of 100" in shown.stdout
    assert "explained, exclude" in shown.stdout
    assert "jedes Jahr" in shown.stdout
    assert run("confirm", 999999).returncode == 2
    assert run("confirm", case, "--effect", "maybe").returncode == 2
    assert run("undo", case).returncode == 0
    several = run("reject", case, 999999, "--by", "A")
    assert several.returncode == 4
    assert "case 999999: There is no case 999999" in several.stderr
    assert run("assign", case).returncode == 2
    unknown = run("assign", case, "--person", "nobody@example.org")
    assert "cannot be assigned" in unknown.stderr
    assert run("undo", case).returncode == 0
    assert "suspected, caveat" in run("show", case).stdout


class Inbox:
    """A web server that keeps what is posted, and answers as it is told."""

    def __init__(self) -> None:
        self.status = 200
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.port = 0

    @contextmanager
    def open(self) -> Iterator["Inbox"]:
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                inbox.requests.append((dict(self.headers), body))
                self.send_response(inbox.status)
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        with HTTPServer(("127.0.0.1", 0), Handler) as server:
            self.port = server.server_address[1]
            thread = threading.Thread(target=server.serve_forever, name="inbox")
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()

    def settings(self, **more: Any) -> Alerts:
        url = SecretStr(f"http://127.0.0.1:{self.port}/hook")
        secret = SecretStr("geheim")
        return ALL.model_copy(
            update={"webhook_url": url, "webhook_secret": secret, **more}
        )


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox().open() as found:
        yield found


def now_open(bench: Bench) -> datetime:
    """When the events of the cases were noted; their causes end then, too."""
    bench.rows("update anomaly_case set ended = now() returning 1")
    found = bench.rows("select max(at) from case_event")[0][0]
    assert isinstance(found, datetime)
    return found


def test_one_message_tells_of_all_new_cases(bench: Bench, inbox: Inbox) -> None:
    case = unusual(bench)
    now = now_open(bench)
    assert alert_sender.send(bench.store.connection, inbox.settings(), now=now)
    assert not alert_sender.send(bench.store.connection, inbox.settings(), now=now)
    ((headers, body),) = inbox.requests
    sent = json.loads(body)
    assert case in [change["case"] for change in sent["changes"]]
    assert len(sent["changes"]) == len(bench.cases())
    stamp = datetime.fromtimestamp(
        int(headers["Verkehrspuls-Signature"].split(",")[0][2:]), UTC
    )
    assert headers["Verkehrspuls-Signature"] == alerts.signature(
        body, "geheim", now=stamp
    )


def test_the_next_message_waits_for_the_digest(bench: Bench, inbox: Inbox) -> None:
    case = unusual(bench)
    now = now_open(bench)
    connection = bench.connection
    alert_sender.send(bench.store.connection, inbox.settings(), now=now)
    with connection.transaction():
        casework.change(connection, case, who="Ada", state="explained")
    later = now + MINUTE
    assert not alert_sender.send(bench.store.connection, inbox.settings(), now=later)
    assert alert_sender.send(
        bench.store.connection, inbox.settings(), now=now + 15 * MINUTE
    )
    (change,) = json.loads(inbox.requests[1][1])["changes"]
    assert (change["change"], change["by"], change["state"]) == (
        "decided",
        "Ada",
        "explained",
    )


def test_a_server_that_fails_is_asked_again_later(bench: Bench, inbox: Inbox) -> None:
    unusual(bench)
    now = now_open(bench)
    settings = inbox.settings(attempts=3)
    inbox.status = 500
    for _ in range(6):
        alert_sender.send(bench.store.connection, settings, now=now)
        now += alerts.MAX_WAIT
    assert len(inbox.requests) == 3
    assert len({headers["Idempotency-Key"] for headers, _ in inbox.requests}) == 1
    given_up = bench.rows("select distinct given_up from alert")
    assert given_up == [("HTTPError 500",)]


def test_redirects_are_not_followed(bench: Bench, inbox: Inbox) -> None:
    unusual(bench)
    inbox.status = 307
    alert_sender.send(bench.store.connection, inbox.settings(), now=now_open(bench))
    assert len(inbox.requests) == 1
    assert bench.rows("select distinct attempts from alert") == [(1,)]


def test_nothing_is_told_of_what_was_withdrawn_before(
    bench: Bench, inbox: Inbox
) -> None:
    unusual(bench)
    bench.count([105, 90])
    bench.compute()
    left = bench.rows("select 1 from anomaly_case where withdrawn_at is null")
    alert_sender.send(bench.store.connection, inbox.settings(), now=now_open(bench))
    changes = [json.loads(body)["changes"] for _, body in inbox.requests]
    assert sum(map(len, changes)) == len(left)


def test_history_rules_and_quiet_times_hold_messages_back(
    bench: Bench, inbox: Inbox
) -> None:
    unusual(bench)
    noted = bench.rows("select max(at) from case_event")[0][0]
    # the cases of September ended long before they were noted
    bench.rows("update anomaly_case set ended = '2026-09-17' returning 1")
    assert not alert_sender.send(
        bench.store.connection, inbox.settings(), now=datetime(2026, 9, 20, tzinfo=UTC)
    )
    now = now_open(bench)
    off = inbox.settings(rules=("*:low", "kusel:off"))
    assert not alert_sender.send(bench.store.connection, off, now=now)
    quiet = inbox.settings(quiet="00:00-23:59")
    assert alert_sender.send(bench.store.connection, quiet, now=noted)
    assert inbox.requests == []


class Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as a client needs to be rid of a message."""

    messages: list[str]

    def handle(self) -> None:
        self.wfile.write(b"220 test\r\n")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                text = b""
                while not text.endswith(b"\r\n.\r\n"):
                    text += self.rfile.readline()
                self.messages.append(text.decode())
            if verb == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 ok\r\n")


def test_an_email_tells_of_new_cases(bench: Bench) -> None:
    case = unusual(bench)
    now = now_open(bench)
    messages: list[str] = []
    handler = type("Handler", (Mail,), {"messages": messages})
    with socketserver.TCPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="mail")
        thread.start()
        settings = Alerts(
            rules=("*:low",),
            email_to=("planung@example.org",),
            smtp_host="127.0.0.1",
            smtp_port=server.server_address[1],
            smtp_security="none",
        )
        try:
            assert alert_sender.send(bench.store.connection, settings, now=now)
        finally:
            server.shutdown()
            thread.join()
    (message,) = messages
    assert "To: planung@example.org" in message
    assert f"#{case} [neu]" in message
