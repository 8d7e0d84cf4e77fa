"""The command `verkehrspuls`.

Sub-commands are loaded only when they are called, from `COMMANDS`, so that the help
and the completion answer at once.

Exit codes: 0 done, 1 failed, 2 the call is wrong, 3 a part does not answer, 4 problems
were found, 130 interrupted.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from verkehrspuls import __version__
from verkehrspuls.errors import VerkehrspulsError


class Command(NamedTuple):
    """Where a sub-command is: a function, or a typer app where it has commands."""

    module: str
    attribute: str
    help: str


COMMANDS: Final = {
    "up": Command(
        "verkehrspuls.commands.up",
        "command",
        "Run everything on this machine, with simulated towns.",
    ),
    "doctor": Command(
        "verkehrspuls.commands.doctor",
        "command",
        "Check each part, and say what to do where something is wrong.",
    ),
    "db": Command("verkehrspuls.commands.db", "app", "Migrate the database."),
    "ingest": Command("ingest.commands", "app", "Receive messages and store readings."),
    "replay": Command(
        "ingest.replay_command", "command", "Publish real files over MQTT."
    ),
    "import": Command(
        "ingest.import_command", "app", "Take readings directly from files."
    ),
    "analytics": Command(
        "analytics.commands", "app", "Compute figures and look for anomalies."
    ),
    "api": Command("dashboards.commands", "app", "Serve the pages and the API."),
    "simulate": Command("simulators.commands", "app", "Simulate towns and sensors."),
    "site": Command("api.registry_commands", "site_app", "List and show sites."),
    "sensor": Command("api.registry_commands", "sensor_app", "List and show sensors."),
    "event": Command("api.event_commands", "app", "List, add and remove local events."),
    "ledger": Command(
        "api.ledger_commands", "app", "Show what became of messages, and prove it."
    ),
    "reject": Command(
        "api.reject_commands", "app", "Look for rejected messages, and replay them."
    ),
    "case": Command(
        "api.case_commands", "app", "Look at anomaly cases, and decide them."
    ),
    "token": Command(
        "api.token_commands", "app", "Let sensors and persons in over HTTP."
    ),
    "export": Command("api.export_command", "command", "Write figures to a file."),
    "bench": Command("verkehrspuls.commands.bench", "app", "Measure how fast it is."),
}


class LazyGroup(TyperGroup):
    """The commands of the table: known by name and help, loaded when called."""

    def __init__(self, **settings: Any) -> None:
        stubs = [TyperCommand(name, help=c.help) for name, c in COMMANDS.items()]
        super().__init__(**{**settings, "commands": stubs})

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Load the command that is called."""
        if args[0] in COMMANDS:
            self.commands[args[0]] = load(args[0])
        return super().resolve_command(ctx, args)


def load(name: str) -> Any:
    """Import a sub-command."""
    module, attribute, text = COMMANDS[name]
    loaded: Any
    found: typer.Typer | Callable[..., None] = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        loaded = get_group(found)
        loaded.help = loaded.help or text
    else:
        alone = typer.Typer(add_completion=False)
        alone.command(name)(found)
        loaded = get_command(alone)
    loaded.name = name
    _plain(loaded)
    return loaded


def _plain(command: Any) -> None:
    """Let help and usage errors be plain text: half the time, and easy to quote."""
    command.rich_markup_mode = None
    for one in getattr(command, "commands", {}).values():
        _plain(one)


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"verkehrspuls {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """Traffic and environment readings: from the sensor to the dashboard."""


def main() -> None:
    """Run the command line; the exit code tells how it went."""
    try:
        app(prog_name="verkehrspuls")
    except VerkehrspulsError as error:
        print(f"verkehrspuls: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        told = _of_the_database(error)
        if told is None:
            raise
        print(f"verkehrspuls: {told}", file=sys.stderr)
        sys.exit(told.exit_code)


def _of_the_database(error: Exception) -> VerkehrspulsError | None:
    """Say what to do about an error of the database, where one was asked."""
    if "psycopg" not in sys.modules:
        return None
    from verkehrspuls.storage.database import explained

    return explained(error)
