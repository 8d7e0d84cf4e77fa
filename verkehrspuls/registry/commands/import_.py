"""Import files into the database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from verkehrspuls.cli import output, registering
from verkehrspuls.cli.options import Json

if TYPE_CHECKING:
    from verkehrspuls.registry.files.record import FaultyFile

_REGISTRATION: Final = "a registration"

app = typer.Typer()


@app.command()
def town(
    path: Annotated[
        Path,
        typer.Argument(help="Registration file: TOML, YAML, CSV or XLSX.", exists=True),
    ],
    named: Annotated[
        str | None,
        typer.Option(
            "--town", help="Key of the municipality, where the file does not say it."
        ),
    ] = None,
    dry_run: registering.DryRun = False,
    as_json: Json = False,
) -> None:
    """Register a municipality with its sites and sensors, or update it.

    All is registered, or nothing: each problem is listed with its place in the file.
    """
    from verkehrspuls.cli import database
    from verkehrspuls.errors import BadFile
    from verkehrspuls.files import read_bytes
    from verkehrspuls.registry.files import importing, load
    from verkehrspuls.registry.files.record import FaultyFile

    data = read_bytes(path, format=_REGISTRATION)
    try:
        found = load.content(data, path.name)
        key = load.municipality_of(found, named)
        with database.connection() as connection, connection.transaction():
            done = importing.import_content(connection, found, key, dry_run=dry_run)
    except FaultyFile as error:
        _show_problems(error, as_json=as_json)
        raise BadFile(path=path, format=_REGISTRATION, reason=error.reason) from error
    if as_json:
        changes = [change.summary() for change in done.changes]
        output.show_json({"dry_run": dry_run, "problems": [], "changes": changes})
    elif dry_run:
        registering.show_changes(done.changes, dry_run=True)
    else:
        number = {"site": len(done.town.sites), "sensor": len(done.town.sensors)}
        what = " and ".join(f"{n} {name}{'s' * (n != 1)}" for name, n in number.items())
        output.print_note(f"{done.town.name}: {what} registered.")


def _show_problems(error: "FaultyFile", *, as_json: bool) -> None:
    rows = [
        {
            "place": each.place.in_language("en") if each.place else "",
            "pointer": each.pointer,
            "problem": each.phrase.in_language("en"),
        }
        for each in error.problems
    ]
    if as_json:
        output.show_json({"problems": rows, "changes": []})
    else:
        output.show(rows, ("place", "problem"), whole=True)


@app.command()
def holidays(
    path: Annotated[
        Path,
        typer.Argument(
            help="CSV file with state, name, first, last, source.", exists=True
        ),
    ],
) -> None:
    """Replace the school holidays of the states in the file."""
    from verkehrspuls.cli import database
    from verkehrspuls.registry import calendar

    found = calendar.load_school_holidays(path)
    with database.connection() as connection:
        counts = calendar.replace_school_holidays(connection, found)
    for state, count in counts.items():
        output.print_note(f"{state}: {count} school holidays.")


@app.command()
def events(
    path: Annotated[
        Path,
        typer.Argument(
            help="CSV file with municipality, site, name, first, last, note.",
            exists=True,
        ),
    ],
) -> None:
    """Add local events, or update them."""
    from verkehrspuls.cli import database
    from verkehrspuls.registry import calendar

    found = calendar.load_events(path)
    with database.connection() as connection:
        count = calendar.put_events(connection, found)
    output.print_note(f"{count} events.")
