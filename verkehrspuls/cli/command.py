"""The command `verkehrspuls`.

A sub-command is a file in the folder `commands/` of a package. It is imported only when
it is called, so that the help and the completion answer at once.

Exit codes: 0 done, 1 failed, 2 the command or a setting is wrong, 3 a part does not
answer, 4 problems were found, 130 interrupted.
"""

import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from verkehrspuls import __version__, talk
from verkehrspuls.cli import output
from verkehrspuls.errors import MachineFailed, UsageError, VerkehrspulsError
from verkehrspuls.storage import origin

#: Packages whose folder `commands/` holds a file for each noun, in the order of their
#: parts of a noun that several of them have.
PACKAGES: Final = (
    "verkehrspuls",
    *("verkehrspuls.registry", "verkehrspuls.access"),
    *("ingest", "analytics", "api", "dashboards", "simulators", "benchmarks"),
)
#: Nouns in the order of the help; others follow by name.
ORDER: Final = (
    *("up", "doctor", "db", "ingest", "replay", "import", "analytics", "api"),
    *("simulate", "town", "site", "channel", "sensor", "installation", "credential"),
    *("profile", "event", "maintenance", "ledger", "reject", "case", "count"),
    *("user", "token", "audit", "export", "bench"),
)
#: Nouns that the wheel does not contain.
SOURCE_ONLY: Final = frozenset({"bench"})


class Noun(NamedTuple):
    """A sub-command: its line in the help, and the modules that hold it.

    Each module has a function `command`, or a typer `app` with commands of the noun.
    The first line of the first module's docstring is the help.
    """

    help: str
    modules: tuple[str, ...]


@cache
def nouns() -> dict[str, Noun]:
    """Find all sub-commands by their files; nothing is imported."""
    found: dict[str, Noun] = {}
    for package in PACKAGES:
        spec = find_spec(package)
        folders = (spec and spec.submodule_search_locations) or ()
        for file in (
            f for at in folders for f in Path(at, "commands").glob("[a-z]*.py")
        ):
            # the noun `import` is a keyword and has the file `import_.py`
            name, module = file.stem.rstrip("_"), f"{package}.commands.{file.stem}"
            if name in found:
                found[name] = Noun(found[name].help, (*found[name].modules, module))
            else:
                found[name] = Noun(_first_line(file), (module,))
    last = len(ORDER)
    places = {name: place for place, name in enumerate(ORDER)}
    return dict(
        sorted(found.items(), key=lambda one: (places.get(one[0], last), one[0]))
    )


def _first_line(file: Path) -> str:
    with file.open(encoding="utf-8") as text:
        return text.readline().strip().strip('"')


class LazyGroup(TyperGroup):
    """The commands of `nouns`: known by name and help, loaded when called."""

    def __init__(self, **settings: Any) -> None:
        stubs = [TyperCommand(name, help=noun.help) for name, noun in nouns().items()]
        super().__init__(**{**settings, "commands": stubs})

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Load the command that is called."""
        if args[0] in nouns() or args[0] in SOURCE_ONLY:
            self.commands[args[0]] = loaded = load(args[0])
            known = getattr(loaded, "commands", {})
            origin.name(" ".join([args[0], *(a for a in args[1:2] if a in known)]))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; refuse values that cannot be in our words."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            from verkehrspuls.cli.refusals import in_our_words

            error.message = in_our_words(error.message)
            raise


def load(name: str) -> Any:
    """Import a sub-command; the commands of a noun of several packages become one."""
    if name not in nouns():
        raise UsageError(reason=f"{name} runs from a checkout of the source only")
    loaded: Any = None
    for module in nouns()[name].modules:
        found = import_module(module)
        if hasattr(found, "app"):
            group = get_group(found.app)
            if loaded is not None:
                group.commands = loaded.commands | group.commands
            loaded = group
            loaded.help = nouns()[name].help
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
    """Run the command line; exit with a code of the table above."""
    talk.prepare()
    try:
        try:
            app(prog_name="verkehrspuls")
        finally:
            # not later, when a failure could no longer be reported
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
        explained = _of_the_database(error) or _of_the_call(error)
        if explained is None:
            raise
        output.print_note(f"verkehrspuls: {explained}")
        sys.exit(explained.exit_code)


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
