"""The command `verkehrspuls`.

Sub-commands are loaded only when they are called, from `COMMANDS`, so that the help
and the completion answer at once.

Exit codes: 0 done, 1 failed, 2 the call is wrong, 3 a part does not answer, 4 problems
were found, 130 interrupted.
"""

import keyword
import sys
from importlib import import_module
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from verkehrspuls import __version__, talk
from verkehrspuls.cli import output
from verkehrspuls.errors import MachineFailed, UsageError, VerkehrspulsError


class Noun(NamedTuple):
    """A sub-command: its help, and the packages that have it in `commands/<noun>.py`.

    Each such file has a function `command`, or a typer `app` with commands of the noun.
    """

    help: str
    packages: tuple[str, ...]


COMMANDS: Final = {
    "up": Noun(
        "Run everything on this machine, with simulated towns.", ("verkehrspuls",)
    ),
    "doctor": Noun(
        "Check each part, and say what to do where something is wrong.",
        ("verkehrspuls",),
    ),
    "db": Noun("Migrate the database.", ("verkehrspuls",)),
    "ingest": Noun("Receive messages and store readings.", ("ingest",)),
    "replay": Noun("Publish real files over MQTT.", ("ingest",)),
    "import": Noun(
        "Take files straight into the database.", ("ingest", "verkehrspuls.registry")
    ),
    "analytics": Noun("Compute figures and look for anomalies.", ("analytics",)),
    "api": Noun("Serve the pages and the API.", ("dashboards",)),
    "simulate": Noun("Simulate towns and sensors.", ("simulators",)),
    "town": Noun("List and remove towns.", ("verkehrspuls.registry",)),
    "site": Noun("List, show and remove sites.", ("verkehrspuls.registry",)),
    "sensor": Noun(
        "List and show sensors, try their messages, end and remove them.",
        ("verkehrspuls.registry", "ingest"),
    ),
    "event": Noun("List, add and remove local events.", ("verkehrspuls.registry",)),
    "ledger": Noun("Show what became of messages, and prove it.", ("ingest",)),
    "reject": Noun("Look for rejected messages, and replay them.", ("ingest",)),
    "case": Noun("Look at anomaly cases, and decide them.", ("analytics",)),
    "token": Noun("Let sensors and persons in over HTTP.", ("verkehrspuls.access",)),
    "export": Noun("Write figures to a file.", ("api",)),
    "bench": Noun("Measure how fast it is.", ("benchmarks",)),
}


class LazyGroup(TyperGroup):
    """The commands of the table: known by name and help, loaded when called."""

    def __init__(self, **settings: Any) -> None:
        stubs = [TyperCommand(name, help=noun.help) for name, noun in COMMANDS.items()]
        super().__init__(**{**settings, "commands": stubs})

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Load the command that is called."""
        if args[0] in COMMANDS:
            self.commands[args[0]] = load(args[0])
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; refuse values that cannot be in our words."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            from verkehrspuls.cli.refusals import in_our_words

            error.message = in_our_words(error.message)
            raise


def modules(name: str) -> list[str]:
    """Return the modules that hold a sub-command."""
    file = f"{name}_" if keyword.iskeyword(name) else name
    return [f"{package}.commands.{file}" for package in COMMANDS[name].packages]


def load(name: str) -> Any:
    """Import a sub-command; the commands of a noun of several packages become one."""
    loaded: Any = None
    for module in modules(name):
        try:
            found = import_module(module)
        except ModuleNotFoundError as error:
            if error.name != module.partition(".")[0]:
                raise
            raise UsageError(
                reason=f"{name} runs from a checkout of the source only"
            ) from error
        if hasattr(found, "app"):
            group = get_group(found.app)
            if loaded is not None:
                group.commands = loaded.commands | group.commands
            loaded = group
            loaded.help = COMMANDS[name].help
        else:
            alone = typer.Typer(add_completion=False)
            alone.command(name)(found.command)
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
        output.print_result(f"verkehrspuls {__version__}")
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
    talk.prepare()
    try:
        try:
            app(prog_name="verkehrspuls")
        finally:
            # not later, when nobody could say that it failed
            sys.stdout.flush()
    except VerkehrspulsError as error:
        output.print_note(f"verkehrspuls: {error}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        talk.discard_stdout()
        if not isinstance(error, BrokenPipeError):  # who reads has enough, as `head`
            output.print_note(f"verkehrspuls: {MachineFailed.of(error)}")
        sys.exit(MachineFailed.exit_code)
    except Exception as error:
        told = _of_the_database(error) or _of_the_call(error)
        if told is None:
            raise
        output.print_note(f"verkehrspuls: {told}")
        sys.exit(told.exit_code)


def _of_the_call(error: Exception) -> VerkehrspulsError | None:
    """Return the error of an argument that is no text, if that went wrong."""
    wrong = [text for text in sys.argv[1:] if not text.isprintable()]
    if not isinstance(error, UnicodeEncodeError) or not wrong:
        return None
    return UsageError(reason=f"{ascii(wrong[0])[:80]} is not UTF-8 text")


def _of_the_database(error: Exception) -> VerkehrspulsError | None:
    """Describe what to do about an error of the database, where one was asked."""
    if "psycopg" not in sys.modules:
        return None
    from verkehrspuls.storage.database import explained, refused

    return explained(error) or refused(error)
