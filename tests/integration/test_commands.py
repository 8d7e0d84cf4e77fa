"""Commands against a database: one document of JSON, keys, days of a town."""

import json
import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from verkehrspuls.cli import command


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def run(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    monkeypatch.setenv("VERKEHRSPULS_DATABASE__URL", url)

    def call(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["verkehrspuls", *arguments])
        with pytest.raises(SystemExit) as ended:
            command.main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return call


@pytest.mark.parametrize(
    "call",
    [
        "db status",
        "doctor",
        "event list",
        "event add kaiserslautern Fest --from 03.07.2026 --until 2026-07-05",
        "ledger show --from 2026-03-01 --to 2026-03-05",
        "reject list",
        "reject count --municipality kaiserslautern --from 01.03.2026",
        "case list --all",
        "site list",
        "site show kaiserslautern/pariser-strasse",
        "sensor list",
        "sensor access",
        "token list",
        "token create kaiserslautern",
        "town list",
        "analytics health --from 2026-03-01 --to 2026-03-03",
        "simulate truth --weeks 1 --to 2026-11-21",
    ],
)
def test_standard_output_is_one_indented_document(run: Run, call: str) -> None:
    done = run(*call.split(), "--json")
    assert done.returncode in (0, 4), done.stderr
    found = json.loads(done.stdout)
    lines = done.stdout.splitlines()
    assert len(lines) == 1 if found == [] else lines[1].startswith("  ")


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        ("site show kaiserlautern/pariser-strasse", "kaiserslautern/pariser-strasse"),
        ("site show kaiserslautern/pariser-str", "kaiserslautern/pariser-strasse"),
        ("sensor show kaiserslautern/kamera", "kaiserslautern/camera"),
        ("site list --municipality kaiserlautern", "kaiserslautern"),
        ("ledger show --sensor kaiserslautern/camara", "kaiserslautern/camera"),
        ("town remove kaiserlautern", "kaiserslautern"),
        ("sensor end kaiserslautern/camara", "kaiserslautern/camera"),
        ("token create kaiserlautern", "kaiserslautern"),
        ("event add kaiserlautern Fest --from 2026-07-03", "kaiserslautern"),
        ("export kaiserslautern/pariser", "kaiserslautern/pariser-strasse"),
        ("analytics health --site pariserstrasse", "pariser-strasse"),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest(
    run: Run, call: str, meant: str
) -> None:
    done = run(*call.split())
    assert done.returncode == 2
    assert f" (did you mean {meant}?). `verkehrspuls" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_that_is_like_none_has_no_suggestion(run: Run) -> None:
    done = run("site", "list", "--municipality", "q")
    assert done.returncode == 2
    assert "did you mean" not in done.stderr


@pytest.mark.parametrize(
    ("call", "days"),
    [
        ("--from 2026-07-03", ("2026-07-03", "2026-07-03")),
        ("--from 2026-07-03 --until 2026-07-05", ("2026-07-03", "2026-07-05")),
        ("--from 2026-07-03 --to 2026-07-05", ("2026-07-03", "2026-07-04")),
    ],
)
def test_an_event_ends_before_to_and_with_until(
    run: Run, call: str, days: tuple[str, str]
) -> None:
    name = f"Fest {call}"
    done = run("event", "add", "kaiserslautern", name, *call.split())
    assert done.returncode == 0, done.stderr
    events = json.loads(run("event", "list", "--json").stdout)
    (event,) = [each for each in events if each["name"] == name]
    assert (event["first"], event["last"]) == days


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            "event add kaiserslautern Fest --from 2026-07-03 --until 2026-07-05 "
            "--to 2026-07-06",
            "not both",
        ),
        ("event add kaiserslautern Fest --from 2026-07-03 --to 2026-07-03", "ends"),
        ("ledger show --from 01/02/2026", "--from 01/02/2026: write 2026-02-01 or"),
        ("analytics recompute --from 2026-02-30", "there is no day 2026-02-30"),
        ("export kaiserslautern/radweg --to gestern", "--to gestern: give a date"),
        ("simulate truth --until 1999-12-31", "from 2000 to 2099"),
        ("ledger show --from 2026-03-01T12:00", "give a date, 2026-03-01, or a time"),
        ("reject list --to 2026-03-01T12:00", "give a date, 2026-03-01, or a time"),
    ],
)
def test_dates_that_do_not_fit_are_refused(run: Run, call: str, text: str) -> None:
    done = run(*call.split())
    assert done.returncode == 2
    assert text in done.stderr


def test_dates_are_those_of_the_town_that_is_named(run: Run) -> None:
    """The messages of the world came at 23:59 UTC: the next day in Kaiserslautern."""
    day = ("ledger", "show", "--from", "04.03.2026", "--to", "2026-03-05", "--json")

    def messages(*options: str) -> int:
        rows = json.loads(run(*day, *options).stdout)
        return sum(row["messages_received"] for row in rows)

    assert messages("--municipality", "kaiserslautern") > 0
    assert messages() == 0
