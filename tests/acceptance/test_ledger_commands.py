"""The commands `ledger`, `reject` and `token` as processes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from ingest.batch import Message
from tests.integration.test_ledger import NOW, UNKNOWN_TOPIC, World, counts
from tests.parts import logins, wait_for
from tests.towns import COUNTS_TOPIC

DAY = ("--from", "2026-11-21", "--to", "2026-11-22")


@pytest.fixture
def world(plain_database: str) -> Iterator[World]:
    with World(plain_database, keep_flood_per_minute=100_000) as world:
        yield world


def command(world: World, *arguments: str) -> tuple[list[str], dict[str, str]]:
    return (
        [sys.executable, "-m", "verkehrspuls", *arguments],
        logins(world.url),
    )


def run(world: World, *arguments: str, code: int = 0) -> tuple[str, str]:
    words, environment = command(world, *arguments)
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def run_json(world: World, *arguments: str, code: int = 0) -> Any:
    return json.loads(run(world, *arguments, "--json", code=code)[0])


def test_ledger_is_shown_and_proved(world: World) -> None:
    world.write(counts(), counts(car=4), counts(topic=UNKNOWN_TOPIC))
    rows = run_json(world, "ledger", "show", *DAY)
    camera = next(row for row in rows if row["sensor"] == "camera-1")
    assert (camera["readings_stored"], camera["readings_corrected"]) == (1, 1)
    unknown = next(row for row in rows if row["sensor"] is None)
    assert unknown["rejects"] == {"unknown-sensor": 1}
    assert "kusel/camera-1" in run(world, "ledger", "show", *DAY)[0]
    one = run_json(world, "ledger", "show", "--sensor", "kusel/air-1", *DAY)
    assert [row["sensor"] for row in one] == ["air-1"]

    proof = run_json(world, "ledger", "check")
    assert proof["holds"]
    assert proof["totals"]["messages_received"] == 3
    world.connection.execute("delete from count_reading")
    proof = run_json(world, "ledger", "check", code=4)
    (row,) = proof["readings"]
    assert (row["sensor"], row["corrected"], row["corrected_there"]) == (
        *("camera-1", 1),
        0,
    )
    out, errors = run(world, "ledger", "check", code=4)
    assert "camera-1" in out
    assert "Problems were found: 1" in errors


def test_numbers_of_a_broken_ledger_are_numbers(world: World) -> None:
    world.write(counts(), counts(topic=UNKNOWN_TOPIC))
    world.connection.execute("update ledger set sequence_lost = 1")
    world.connection.execute(
        "update ledger_reject set messages = messages + 1, kept = kept + 1"
    )
    proof = run_json(world, "ledger", "check", code=4)
    words = {"municipality", "sensor", "hour", "reason"}
    for check in ("sums", "rejects", "sequences"):
        (row, *_) = proof[check]
        numbers = [row[name] for name in row.keys() - words]
        assert [type(number) for number in numbers] == [int] * len(numbers), row


def test_rejects_are_found_counted_and_replayed(world: World) -> None:
    world.write(
        counts(topic=UNKNOWN_TOPIC),
        counts(topic="vp/v1/kusel/camera-8/counts"),
        Message(COUNTS_TOPIC, b"\x1b[31m", NOW),
    )
    found = run_json(world, "reject", "list", "--sensor", "kusel/camera-9")
    assert [row["topic"] for row in found] == [UNKNOWN_TOPIC]
    assert set(found[0]["explanation"]) == {"de", "en"}
    for choice in (
        ("--reason", "unknown-sensor"),
        ("--topic", "camera-"),
        ("--municipality", "kusel"),
        ("--from", "2026-11-21T20:00:00Z"),
    ):
        assert len(run_json(world, "reject", "list", *choice)) == (
            2 if choice[0] == "--reason" else 3
        )
    assert run_json(world, "reject", "list", "--to", "2026-11-21T20:00:00Z") == []
    number = str(
        run_json(world, "reject", "list", "--reason", "unreadable")[0][
            "rejected_message_id"
        ]
    )
    shown, _ = run(world, "reject", "show", number)
    assert "\x1b" not in shown
    assert run_json(world, "reject", "show", number)["payload"] == {"text": "\x1b[31m"}
    assert "(ab Byte 0 ist es kein JSON)" in shown
    assert "(it is no JSON, from byte 0 on)" in shown
    run(world, "reject", "show", "999999", code=2)
    counted = run_json(world, "reject", "count")
    assert {row["reason"]: row["messages"] for row in counted} == {
        "unknown-sensor": 2,
        "unreadable": 1,
    }
    for verb in ("list", "count", "replay"):
        _, errors = run(world, "reject", verb, "--reason", "unknown-sensr", code=2)
        assert "did you mean unknown-sensor?" in errors
        assert "out-of-range" in errors  # all that there are
    run(world, "reject", "replay", code=2)  # says what is meant first
    world.mend()
    result = run_json(world, "reject", "replay", "--all")
    assert (result["messages"], result["used"], result["rejected"]) == (3, 1, 2)
    assert len(run_json(world, "reject", "list")) == 2
    assert len(run_json(world, "reject", "list", "--replayed")) == 3
    again = run_json(world, "reject", "list", "--reason", "unreadable")[0]
    assert again["last_explanation"] == again["explanation"]
    assert again["last_detail"] == again["detail"]
    assert again["detail"].startswith("it is no JSON, from byte")
    assert run_json(world, "ledger", "check")["holds"]


def test_replay_killed_at_any_time_uses_nothing_twice(world: World) -> None:
    messages = 20_000
    times = (NOW - timedelta(minutes=5 * i) for i in range(messages))
    world.write(*(counts(time, topic=UNKNOWN_TOPIC) for time in times))
    world.mend()
    words, environment = command(world, "reject", "replay", "--all", "--json")
    replayed = "select count(replayed_at) from rejected_message"

    def got_beyond(number: int, process: subprocess.Popen[bytes]) -> bool:
        return world.value(replayed) > number or process.poll() is not None

    kills = 0
    while (before := world.value(replayed)) < messages and kills < 3:
        process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
        wait_for(partial(got_beyond, before + 400 * (kills + 1), process), 60)
        process.kill()
        process.wait()
        kills += 1
    assert 0 < world.value(replayed) < messages
    run(world, "reject", "replay", "--all")
    assert world.value(replayed) == messages
    assert world.value("select count(*) from count_reading") == messages
    sums = "select sum(messages_received) from ledger where slot = 101"
    assert world.value(sums) == messages
    assert world.value("select max(attempts) from rejected_message") == 1
    assert run_json(world, "ledger", "check")["holds"]


def test_token_is_shown_once_and_can_be_revoked(world: World) -> None:
    token = run(world, "token", "create", "kusel", "--note", "Stadtwerke")[0].strip()
    other = run_json(world, "token", "create", "kusel/air-1", "--days", "7")["token"]
    listed = run_json(world, "token", "list")
    assert [row["sensor"] for row in listed] == ["air-1", None]
    text = json.dumps(listed)
    assert token[:11] in text
    assert token not in text
    assert other not in text
    run(world, "token", "revoke", token[:11])
    states = {row["prefix"]: row["state"] for row in run_json(world, "token", "list")}
    assert states == {token[:11]: "revoked", other[:11]: "valid"}
    for scope in ("nowhere", "kusel/nobody", "a/b/c"):
        run(world, "token", "create", scope, code=2)
    run(world, "token", "revoke", "vp_ffffffff", code=2)
