"""The commands with which a sensor is brought into service, as processes."""

import json
import os
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs
from psycopg.rows import scalar_row

from ingest.batch import Message
from ingest.files.write import write
from ingest.trial import attempt
from tests.parts import PROJECT, logins
from tests.towns import AIR_TOPIC, COUNTS_TOPIC, TOWN
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import Ingest, load
from verkehrspuls.storage.database import connect

Row = dict[str, Any]


@pytest.fixture
def url(plain_database: str) -> str:
    with connect(plain_database) as connection:
        register(connection, TOWN)
    return plain_database


def run(
    url: str, *arguments: str, code: int = 0, stdin: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    done = subprocess.run(
        [sys.executable, "-m", "verkehrspuls", *arguments],
        env={**os.environ, **logins(url)},
        input=stdin,
        capture_output=True,
        check=False,
    )
    assert done.returncode == code, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    return done


def run_json(url: str, *arguments: str, code: int = 0, stdin: bytes = b"") -> Any:
    return json.loads(run(url, *arguments, "--json", code=code, stdin=stdin).stdout)


def counts(time: datetime, *outputs: str, **classes: int) -> bytes:
    counts = [{"channel": output, "classes": classes} for output in outputs]
    return msgspec.json.encode({"time": time, "interval_s": 300, "counts": counts})


def rows_of_all_tables(url: str) -> dict[str, int]:
    """Count the rows of every table but the registry's."""
    with connect(url, row_factory=scalar_row) as connection:
        names = connection.execute(
            "select relname from pg_class where relnamespace = 'vp'::regnamespace"
            " and relkind in ('r', 'p')"
        ).fetchall()
        return {
            name: connection.execute(
                f'select count(*) from vp."{name}"'.encode()
            ).fetchone()
            or 0
            for name in names
        }


def test_sensor_is_shown_with_what_became_of_its_messages(url: str) -> None:
    # a full interval ago, so that its end is no later than now
    time = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=310)
    known = counts(time, "1", "2", car=4)
    later = counts(time + timedelta(seconds=1), "1", "9", car=4)
    slow = known.replace(b'"classes"', b'"speed_kmh":-1,"classes"')
    sent = [known, slow, counts(time, "1", lorry=4), later, b"{"]
    now = datetime.now(UTC)
    write(
        load(logins(url)),
        [Message(COUNTS_TOPIC, each, now) for each in sent],
    )
    found = run_json(url, "sensor", "show", "kusel/camera-1")
    assert found["topics"] == [COUNTS_TOPIC, "vp/v1/kusel/camera-1/status"]
    outcomes = [
        (m["outcome"], m["readings"], m["readings_rejected"], m["reason"])
        for m in found["messages"]
    ]
    assert outcomes == [
        ("rejected", 0, 0, "unreadable"),
        ("partly accepted", 1, 1, "unknown-output"),
        ("rejected", 0, 1, "unknown-class"),
        ("accepted", 2, 0, None),
        ("accepted", 2, 0, None),
    ]
    assert found["messages"][2]["why"].startswith("The payload names a class that")
    assert (found["messages_accepted"], found["readings_stored"]) == (2, 3)
    assert found["readings_duplicate"] == 2
    assert 0 < found["clock"]["offset_s"] < 60
    first, second = found["installations"]
    assert (first["output"], first["site"], first["channel"]) == ("1", "b420", "in")
    assert second["last"]["car"] == 4
    assert "truck" not in second["last"]
    by_reason = {row["reason"]: row["messages"] for row in found["rejects"]}
    assert by_reason == {"unreadable": 1, "unknown-output": 1, "unknown-class": 1}
    for row in found["rejects"]:
        program, *arguments = row["see"].split()
        assert program == "verkehrspuls"
        (listed,) = run_json(url, *arguments)
        assert listed["reason"] == row["reason"]
    shown = run(url, "sensor", "show", "kusel/camera-1").stdout.decode()
    for words in (COUNTS_TOPIC, "partly accepted", "unknown-class", "after the end"):
        assert words in shown
    (field,) = found["left_out"]
    assert (field["field"], field["fields"], field["value"]) == ("speed_kmh", 2, "-1")
    assert "speed_kmh\t2\tsmaller than it can be" in shown


def test_only_the_newest_ten_messages_are_kept(url: str) -> None:
    settings = load(logins(url))
    now = datetime.now(UTC)
    for batch in range(3):
        write(
            settings,
            [
                Message(COUNTS_TOPIC, b"{" * n, now + timedelta(seconds=10 * batch + n))
                for n in range(1, 8)
            ],
        )
    (found,) = [run_json(url, "sensor", "show", "kusel/camera-1")["messages"]]
    assert len(found) == 10
    times = [datetime.fromisoformat(message["received_at"]) for message in found]
    assert times == sorted(times, reverse=True)
    assert times[0] == now + timedelta(seconds=27)


def test_sensor_that_never_sent_is_shown(url: str) -> None:
    found = run_json(url, "sensor", "show", "kusel/air-1")
    assert found["topics"] == [AIR_TOPIC, "vp/v1/kusel/air-1/status"]
    assert (found["messages"], found["rejects"]) == ([], [])
    assert found["clock"] is found["last_received_at"] is None
    run(url, "sensor", "show", "kusel/air-1")
    run(url, "sensor", "show", "kusel/air-9", code=2)


def test_message_is_tried_and_nothing_is_stored(url: str, tmp_path: Any) -> None:
    before = rows_of_all_tables(url)
    time = datetime(2026, 11, 21, 20, tzinfo=UTC)
    path = tmp_path / "payload"
    path.write_bytes(counts(time, "1", "2", car=4))
    under = ("--topic", COUNTS_TOPIC, "--at", "2026-11-21T20:06:00Z")
    found = run_json(url, "sensor", "try", str(path), *under)
    assert (found["outcome"], found["sensor"]) == ("accepted", "kusel/camera-1")
    assert found["problem"] is None
    assert found["readings"] == [
        {
            "site": "b420",
            "channel": channel,
            "time": "2026-11-21T20:00:00Z",
            "interval_s": 300,
            "values": {"car": 4},
            "outcome": "stored",
        }
        for channel in ("in", "out")
    ]
    assert rows_of_all_tables(url) == before
    shown = run(url, "sensor", "try", "-", *under, stdin=path.read_bytes()).stdout
    assert b'{"car":4}' in shown
    # and what it comes to once it is known
    settings = load(logins(url))
    write(settings, [Message(COUNTS_TOPIC, path.read_bytes(), time)])
    path.write_bytes(
        b"[" + counts(time, "1", car=4) + b"," + counts(time, "2", car=5) + b"]"
    )
    found = run_json(url, "sensor", "try", str(path), *under)
    outcomes = [row["outcome"] for row in found["readings"]]
    assert outcomes == ["known already", "corrects what is known"]


AT = datetime(2026, 11, 21, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("topic", "payload", "outcome", "reason", "advice"),
    [
        (
            "vp/v1/kusel/camera-l/counts",
            counts(AT, "1", car=4),
            *("unknown sensor", "unknown-sensor", "kusel/camera-1"),
        ),
        ("a/b", b"1", "rejected", "unknown-topic", "register the sensor"),
        (COUNTS_TOPIC, b"{", "rejected", "unreadable", "topics-and-payloads.md"),
        (
            COUNTS_TOPIC,
            counts(AT, "1", "7", car=4),
            *("partly accepted", "unknown-output", "'2' (2000-01-01 –)"),
        ),
        (
            COUNTS_TOPIC,
            counts(AT, "1", bicycle=4),
            *("rejected", "class-not-in-scheme", "scheme has articulated"),
        ),
        (
            COUNTS_TOPIC,
            counts(AT + timedelta(days=3), "1", car=4),
            *("rejected", "too-new", "Set the device's clock"),
        ),
        (
            AIR_TOPIC,
            b'{"time":"2026-11-21T20:00:00Z","interval_s":600,'
            b'"values":{"no2_ugm3":-9000}}',
            *("rejected", "out-of-range", "unit or factor"),
        ),
        (COUNTS_TOPIC, b"x" * 3_000_000, "rejected", "too-large", "fewer intervals"),
    ],
)
def test_message_that_cannot_be_used_is_told_why_and_what_to_do(
    url: str, topic: str, payload: bytes, outcome: str, reason: str, advice: str
) -> None:
    with connect(url) as connection:
        message = Message(topic, payload, AT + timedelta(minutes=6))
        found = attempt(connection, Ingest(), message)
    assert found.problem is not None
    assert (found.outcome, found.problem.reason) == (outcome, reason)
    assert advice in found.problem.advice


def test_trial_names_fields_that_would_be_left_out(url: str) -> None:
    payload = counts(datetime(2026, 11, 21, 20, tzinfo=UTC), "1", car=4).replace(
        b'"classes"', b'"speed_kmh": -1, "classes"'
    )
    under = ("--topic", COUNTS_TOPIC, "--at", "2026-11-21T20:06:00Z")
    shown = run(url, "sensor", "try", "-", *under, stdin=payload).stdout.decode()
    assert "left out: speed_kmh\t1 times, smaller than it can be" in shown
    assert "the last was -1" in shown


def test_trial_is_by_the_clock_of_the_town(url: str) -> None:
    """A reading may be 48 hours ahead: from 21:00 on in Berlin, 20:00 in Greenwich."""
    payload = counts(datetime(2026, 11, 21, 20, tzinfo=UTC), "1", car=4)
    for at, outcome, code in (("21:10", "accepted", 0), ("20:40", "rejected", 4)):
        under = ("--topic", COUNTS_TOPIC, "--at", f"2026-11-19T{at}", "--json")
        shown = run(url, "sensor", "try", "-", *under, stdin=payload, code=code).stdout
        assert json.loads(shown)["outcome"] == outcome


def test_trial_ends_with_4_where_the_message_cannot_be_used(url: str) -> None:
    arguments = ("sensor", "try", "-", "--topic", COUNTS_TOPIC)
    shown = run(url, *arguments, code=4, stdin=b"{").stdout.decode()
    assert "what to do\tCompare the payload" in shown


def test_commands_that_remove_say_what_went_and_ask_first(url: str) -> None:
    settings = load(logins(url))
    write(settings, [Message(COUNTS_TOPIC, counts(AT, "1", "2", car=4), AT)])
    refused = run(url, "site", "remove", "kusel/b420", code=2).stderr.decode()
    assert "site kusel/b420 has 2 readings and 0 cases" in refused
    assert "verkehrspuls sensor end" in refused
    run(url, "sensor", "end", "kusel/camera-1", "--at", "2026-11-22")
    shown = run_json(url, "sensor", "show", "kusel/camera-1")
    assert shown["installations"][0]["until"] == "2026-11-21T23:00:00Z"
    done = run(
        url, "sensor", "remove", "kusel/camera-1", "--with-readings", "--yes"
    ).stderr.decode()
    assert "with 2 readings and 0 cases; 1 messages stay counted" in done
    run(url, "site", "remove", "kusel/b420")
    assert [row["town"] for row in run_json(url, "town", "list")] == ["kusel"]
    run(url, "town", "remove", "kusel")
    assert run_json(url, "town", "list") == []
    assert run_json(url, "ledger", "check")["holds"]
    run(url, "town", "remove", "kusel", code=2)


def test_from_an_unknown_sensor_to_the_record(
    plain_database: str, tmp_path: Path
) -> None:
    url = plain_database
    with connect(url) as connection:
        register(connection, structs.replace(TOWN, sensors=()))
    now = datetime.now(UTC)
    quarter = timedelta(minutes=15)
    end = now - (now - datetime.min.replace(tzinfo=UTC)) % quarter
    sender, sensor = "vp/v1/kusel/radar-9", "kusel/radar-9"
    # the sensor misses a quarter of the trucks
    sent = [
        Message(
            f"{sender}/counts",
            counts(end - timedelta(minutes=5 * n), "1", "2", car=8, truck=2),
            end - timedelta(minutes=5 * (n - 1)),
        )
        for n in range(18, 0, -1)
    ]
    write(load(logins(url)), sent)
    (unknown,) = run_json(url, "sensor", "unknown", "--municipality", "kusel")
    assert sender in json.dumps(unknown)
    where = ("--site", "kusel/b420", "--output", "1=in", "--output", "2=out")
    assert run_json(url, "sensor", "adopt", sender, *where)["used"] == len(sent)
    assert run_json(url, "sensor", "unknown", "--municipality", "kusel") == []
    checked = run_json(url, "sensor", "check", sensor)
    states = {one["key"]: one["state"] for one in checked}
    assert states["first-message"] == "done"

    begin = end - 4 * quarter
    name = (
        run(url, "count", "start", "kusel/b420", "--at", begin.isoformat())
        .stdout.decode()
        .strip()
    )
    tally = tmp_path / "tally.csv"
    tally.write_text(
        "at,direction,vehicle,vehicles\n"
        + "".join(
            f"{(begin + n * quarter).isoformat()},{way},{vehicle},{vehicles}\n"
            for n in range(4)
            for way in ("in", "out")
            for vehicle, vehicles in (("car", 24), ("truck", 8))
        )
    )
    run(url, "count", "add", name, str(tally))
    run(url, "count", "end", name, "--at", end.isoformat())
    compared = run_json(url, "count", "show", name)
    assert {
        (one["direction"], one["counted"], one["measured"])
        for one in compared["sums"]
        if one["name"] == "all"
    } == {("in", 128, 120), ("out", 128, 120)}
    run(url, "count", "accept", name, "--calibrate", "--remark", "dry")
    with connect(url, row_factory=scalar_row) as connection:
        factors = connection.execute(
            "select (calibrations -> 0 ->> 'factor')::float from installation"
        ).fetchall()
    assert factors == [1.0667, 1.0667]
    record = tmp_path / "record.pdf"
    run(url, "count", "record", name, str(record))
    assert b"/MarkInfo" in record.read_bytes()


PAGE = PROJECT / "docs/how-to/register-sensors.md"


def section(title: str) -> str:
    """Return a section of the page."""
    (found,) = re.findall(
        rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.M | re.S
    )
    return str(found)


def block(text: str, language: str) -> str:
    return str(re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)[0])


def commands(text: str) -> list[list[str]]:
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    lines = [line for each in blocks for line in each.splitlines()]
    return [shlex.split(line) for line in lines]


def test_page_on_bringing_a_sensor_into_service_holds(
    plain_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    service = section("Bring a sensor into service")
    Path("landau.toml").write_text(block(section("Describe the municipality"), "toml"))
    Path("payload.json").write_text(block(service, "json"))
    run(plain_database, "import", "town", "landau.toml")
    tried, *after = commands(service)
    assert tried[:3] == ["verkehrspuls", "sensor", "try"]
    found = run_json(plain_database, *tried[1:])
    assert [row["outcome"] for row in found["readings"]] == ["stored", "stored"]
    payload = Path("payload.json").read_bytes()
    settings = load(logins(plain_database))
    write(settings, [Message(tried[-1], payload, datetime.now(UTC))])
    for program, *arguments in after:
        assert program == "verkehrspuls"
        run(plain_database, *arguments)
    end, sensor, site, town = commands(section("End or remove"))
    run(plain_database, *end[1:])
    for program, *arguments in (sensor, site, town):
        assert program == "verkehrspuls"
        refused = run(plain_database, *arguments, code=2).stderr.decode()
        assert "2 readings" in refused
    for _, *arguments in (sensor, site, town):
        run(plain_database, *arguments, "--with-readings", "--yes")
    assert run_json(plain_database, "ledger", "check")["holds"]
