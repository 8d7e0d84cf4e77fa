"""Bad input through real brokers and a real worker into a real database."""

import base64
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString

import msgspec
import pytest
from psycopg.rows import dict_row

from tests.corpus import Case, cases, town
from tests.integration.test_send_readings import Sender, serving, settings_of
from tests.parts import PATIENCE_S, Broker, Mosquitto, logins, wait_for
from tests.parts import broker as start_broker
from tests.towns import COUNTS_TOPIC
from verkehrspuls.access import tokens
from verkehrspuls.mqtt import Publisher
from verkehrspuls.registry.towns import register
from verkehrspuls.storage.database import connect

LAST = {
    "time": "2025-01-01T00:00:00Z",
    "interval_s": 300,
    "counts": [{"channel": "2", "classes": {"car": 1}}],
}


@contextmanager
def worker(database: str, broker: str) -> Iterator[None]:
    """A worker process that must still run at the end, and end in order."""
    process = subprocess.Popen(
        [sys.executable, "-m", "verkehrspuls", "ingest", "run"],
        env={
            **os.environ,
            **logins(database),
            "VERKEHRSPULS_BROKER__URL": broker,
        },
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"ready\n"
        yield
        assert process.poll() is None
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Outcome:
    """What the database holds."""

    def __init__(self, url: str) -> None:
        self.connection = connect(url, row_factory=dict_row, autocommit=True)
        register(self.connection, town())

    def query(self, text: LiteralString) -> list[Any]:
        return self.connection.execute(text).fetchall()

    def messages(self) -> int:
        (row,) = self.query(
            "select coalesce(sum(messages_received), 0)::int as n from ledger"
        )
        return int(row["n"])

    def reasons(self) -> Counter[str]:
        return Counter(
            row["reason"] for row in self.query("select reason from rejected_message")
        )

    def rows(self) -> int:
        (row,) = self.query(
            "select (select count(*) from count_reading) "
            "+ (select count(*) from environment_reading) as n"
        )
        return int(row["n"])


@pytest.fixture
def outcome(plain_database: str) -> Iterator[Outcome]:
    found = Outcome(plain_database)
    yield found
    found.connection.close()


def test_every_case_that_a_broker_delivers_ends_as_it_should(
    plain_database: str, broker: Broker, outcome: Outcome
) -> None:
    kind = "mosquitto" if isinstance(broker, Mosquitto) else "nats"
    sent = [c for c in cases() if c.passes(kind) and not c.fixed_clock]
    assert len(sent) > 80
    messages = sum(len(case.payloads()) for case in sent)
    with worker(plain_database, broker.url):
        with Publisher(broker.publish_url, "corpus") as publisher:
            for case in sent:
                for payload in case.payloads():
                    publisher.publish(case.topics(), payload, retain=case.retain)
            publisher.flush()
            wait_for(lambda: outcome.messages() >= messages)
            # and the flow goes on
            publisher.publish(COUNTS_TOPIC, msgspec.json.encode(LAST))
            publisher.flush()
        wait_for(lambda: outcome.messages() > messages)
    assert_balanced(outcome, sent)
    assert outcome.messages() == messages + 1


def assert_balanced(outcome: Outcome, sent: list[Case]) -> None:
    """One good reading came after the cases."""
    assert outcome.rows() == sum(case.rows for case in sent) + 1
    assert outcome.reasons() == Counter(case.reason for case in sent if case.reason)
    (sums,) = outcome.query(
        "select sum(messages_rejected + messages_partly_accepted "
        "+ messages_unknown_sensor)::int as kept, sum(readings_rejected)::int as "
        "refused, sum(readings_stored)::int as stored, sum(readings_received "
        "- readings_stored - readings_duplicate - readings_corrected "
        "- readings_rejected)::int as missing from ledger"
    )
    kept = sum(len(case.payloads()) for case in sent if case.reason)
    assert (sums["kept"], sums["missing"]) == (kept, 0)
    assert sums["stored"] == outcome.rows()
    refused = outcome.query(
        "select coalesce(sum(readings_rejected), 0)::int as n from rejected_message"
    )
    assert refused == [{"n": sums["refused"]}]
    # only the months that the cases are of: no partition for the year 9999
    years = outcome.query(
        "select distinct substr(relname, 15, 4) as year from pg_class "
        "where relkind = 'r' and relname like 'count\\_reading\\_2%'"
    )
    assert {int(row["year"]) for row in years} <= {2025, 2026, 2027}
    (row,) = outcome.query(
        "select s.firmware from sensor_status s join sensor using (sensor_id) "
        "where key = 'camera-1'"
    )
    assert row == {"firmware": '=HYPERLINK("http://x")'}
    values = outcome.query(
        "select revision from environment_reading where revision > 0"
    )
    assert values == [{"revision": 999}]


def recorded(topic: str, payload: bytes) -> bytes:
    return msgspec.json.encode(
        {
            "tst": datetime.now(UTC),
            "topic": topic,
            "base64": base64.b64encode(payload).decode(),
        }
    )


def test_every_case_of_a_recording_ends_as_it_should(
    plain_database: str, outcome: Outcome, tmp_path: Path
) -> None:
    sent = [case for case in cases() if not case.fixed_clock]
    lines = [recorded(case.topics(), p) for case in sent for p in case.payloads()]
    last = recorded(COUNTS_TOPIC, msgspec.json.encode(LAST))
    path = tmp_path / "recording.ndjson"
    path.write_bytes(b"\n".join([*lines, last]))
    result = subprocess.run(
        [sys.executable, "-m", "verkehrspuls", "import", "messages", str(path)],
        env={**os.environ, **logins(plain_database)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert f"{len(lines) + 1} messages" in result.stderr
    assert_balanced(outcome, sent)
    assert outcome.messages() == len(lines) + 1


def expected_over_http(case: Case) -> tuple[int, str | None]:
    """Status and reason of the answer."""
    if "+" in case.topic or len(case.topics()) > 1024:
        return 422, None
    if case.reason == "unknown-topic" or "/landau/" in case.topic:
        return 403, None  # nobody may send for a sensor that is not theirs
    if case.name.startswith("27-"):
        return 413, None
    if case.outcome == "rejected":
        return 422, case.reason
    return 202, case.reason


def test_every_case_over_http_ends_as_it_should(
    plain_database: str, outcome: Outcome
) -> None:
    sent = [case for case in cases() if not case.fixed_clock]
    with (
        start_broker("nats") as broker,
        worker(plain_database, broker.url),
        serving(
            settings_of(
                plain_database,
                broker.publish_url,
                VERKEHRSPULS_API__INGEST_PER_MINUTE="100000",
            )
        ) as client,
    ):
        sender = Sender(client, tokens.create(outcome.connection, "kusel"))
        taken = []
        for case in sent:
            status, reason = expected_over_http(case)
            for payload in case.payloads():
                body = base64.b64encode(payload).decode()
                answer = sender.send({"topic": case.topics(), "base64": body})
                assert answer.status_code == status, (case.name, answer.text[:300])
                if reason and "items" in answer.json():
                    (item,) = answer.json()["items"]
                    assert item["reason"] == reason, case.name
            if status == 202:
                taken.append(case)
        last = base64.b64encode(msgspec.json.encode(LAST)).decode()
        answer = sender.send({"topic": COUNTS_TOPIC, "base64": last})
        assert answer.status_code == 202
        messages = sum(len(case.payloads()) for case in taken) + 1
        wait_for(lambda: outcome.messages() >= messages)
    assert_balanced(outcome, taken)
    assert outcome.messages() == messages
