"""Registering entry by entry on the command line, and swapping a device."""

import json

import pytest
from typer.testing import CliRunner

from tests.world import TOWN
from verkehrspuls.cli import command

RUNNER = CliRunner()


def run(*arguments: str, code: int = 0) -> str:
    done = RUNNER.invoke(command.app, list(arguments))
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture(autouse=True)
def _database(plain_world: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERKEHRSPULS_DATABASE__URL", plain_world)


def test_a_counter_is_brought_into_service_by_commands() -> None:
    town = TOWN.key
    run("site", "set", f"{town}/nordtor", "name=Nordtor", "lanes=2", "status=planned")
    assert "status was 'planned', is 'active'" in run(
        "site", "set", f"{town}/nordtor", "status=active"
    )
    run("channel", "set", f"{town}/nordtor/rad", "name=Rad", "quantity=bicycle")
    fields = ("name=Zähler", "interval_s=300", "class_scheme=total")
    run("sensor", "set", f"{town}/zaehler-1", *fields)
    place = ("site=nordtor", "channel=rad", "since=2026-07-01")
    run("installation", "set", f"{town}/zaehler-1/1", *place)
    swapped = ("sensor", "swap", f"{town}/zaehler-1", "zaehler-2", "serial=4711")
    at = ("--at", "2026-08-01T00:00:00")
    assert "dry run" in run(*swapped, *at, "--dry-run")
    run(*swapped, *at)
    listed = json.loads(run("sensor", "list", "--municipality", town, "--json"))
    assert [
        (one["key"], one["since"], one["until"])
        for one in listed
        if one["site"] == "nordtor"
    ] == [
        ("zaehler-1", "2026-06-30T22:00:00Z", "2026-07-31T22:00:00Z"),
        ("zaehler-2", "2026-07-31T22:00:00Z", None),
    ]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("site", "set", "kaiserslautern"), "named municipality/site"),
        (("site", "set", "kaiserslautern/x", "name"), "write FIELD=VALUE"),
        (("site", "set", "kaiserslautern/x"), "the field name is missing"),
        (("site", "set", "kaiserslautern/x", "names=X"), "did you mean name?"),
        (("site", "set", "moon/x", "name=X"), "no municipality moon"),
        (("channel", "remove", "kaiserslautern/pariser-strasse/west-1"), "so it stays"),
        (("sensor", "swap", "kaiserslautern/nirgends", "neu"), "no sensor"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(arguments: tuple[str, ...], text: str) -> None:
    done = RUNNER.invoke(command.app, list(arguments))
    assert done.exit_code
    assert text in f"{done.output}{done.exception}"
