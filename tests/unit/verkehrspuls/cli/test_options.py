"""Commands keep their names, and their shared options mean the same everywhere."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import typer
from typer.testing import CliRunner

from verkehrspuls.cli import command
from verkehrspuls.cli.options import EXCLUSIVE, OfMunicipality, takes

#: What scripts of operators call: a name that is missing here is new, one that is only
#: here is gone.
NAMES = """
analytics health
analytics recompute
analytics run
analytics score
api run
audit check
audit export
audit list
audit show
bench analytics
bench anomalies
bench ingest
bench pages
case comment
case confirm
case explain
case list
case reject
case reopen
case show
channel move
channel remove
channel set
db migrate
db status
doctor
event add
event list
event remove
export
import counts
import events
import holidays
import messages
import town
ingest drain
ingest run
installation remove
installation set
ledger check
ledger show
maintenance add
maintenance list
reject count
reject list
reject replay
reject show
profile check
profile list
profile show
profile use
replay
sensor access
sensor end
sensor list
sensor remove
sensor set
sensor show
sensor swap
sensor try
simulate history
simulate live
simulate register
simulate truth
site list
site merge
site remove
site rename
site set
site show
token create
token list
token revoke
town export
town list
town remove
up
user add
user disable
user enable
user invite
user list
user reset
user role
user sessions
user show
"""
#: Commands that print a file of another format, or run until they are told to stop.
NO_JSON = (
    *("export", "audit export", "up", "api run", "ingest run", "analytics run"),
    *("simulate live", "credential run", "town export", "count record"),
)
#: Commands that only do something: what they tell goes to standard error.
NO_DATA = (
    *("analytics recompute", "case comment", "case confirm", "case explain"),
    *("case assign", "case undo", "user unlink", "site set", "sensor set"),
    *("channel set", "channel remove", "installation set", "installation remove"),
    *("sensor swap", "site rename", "site merge", "channel move"),
    *(
        "credential revoke",
        "profile use",
        "profile save",
        "profile remove",
        "count end",
        "count accept",
    ),
    "count refuse",
    *("case reject", "case reopen", "event remove", "import events"),
    *("import holidays", "replay", "sensor end", "sensor remove"),
    *("simulate history", "simulate register", "site remove", "token revoke"),
    *("town remove", "user disable", "user enable"),
)


def commands() -> Iterator[tuple[str, Any]]:
    for noun in command.nouns():
        loaded = command.load(noun)
        if not hasattr(loaded, "commands"):
            yield noun, loaded
        for verb, found in sorted(getattr(loaded, "commands", {}).items()):
            yield f"{noun} {verb}", found


FOUND = dict(commands())


def option(name: str, found: Any) -> Any:
    return next((each for each in found.params if name in each.opts), None)


def test_commands_keep_their_names() -> None:
    assert [name for name in NAMES.split("\n")[1:-1] if name not in FOUND] == []


@pytest.mark.parametrize("name", FOUND)
def test_the_end_of_a_period_is_exclusive(name: str) -> None:
    to = option("--to", FOUND[name])
    if to is not None:
        assert EXCLUSIVE in to.help


@pytest.mark.parametrize("name", FOUND)
def test_dates_are_read_by_the_parser_that_all_share(name: str) -> None:
    for flag in ("--from", "--to", "--until", "--at"):
        found = option(flag, FOUND[name])
        assert found is None or found.type_descriptor.annotation is str, flag


@pytest.mark.parametrize("name", FOUND)
def test_what_prints_data_prints_it_as_json(name: str) -> None:
    json = option("--json", FOUND[name])
    if name in (*NO_JSON, *NO_DATA):
        assert json is None
    else:
        assert json.help == "Write JSON."


class Shared(NamedTuple):
    """Parameters that several commands have."""

    name: str
    municipality: OfMunicipality = None


def test_command_takes_the_fields_of_a_record_and_its_own_options() -> None:
    app = typer.Typer()

    @app.command()
    @takes(Shared)
    def show(shared: Shared, times: int = 1) -> None:
        typer.echo(f"{shared.name} {shared.municipality} {times}")

    run = CliRunner().invoke
    assert run(app, ["a"]).output == "a None 1\n"
    given = ["a", "--municipality", "kusel", "--times", "2"]
    assert run(app, given).output == "a kusel 2\n"
    assert run(app, []).exit_code == 2
