"""Import files into the database."""

from pathlib import Path
from typing import Annotated

import typer

from verkehrspuls.cli import output

app = typer.Typer()


@app.command()
def town(
    path: Annotated[
        Path, typer.Argument(help="Registration file (TOML).", exists=True)
    ],
) -> None:
    """Register a municipality with its sites and sensors, or update it."""
    from verkehrspuls.cli import database
    from verkehrspuls.registry.towns import load_town, register

    found = load_town(path)
    with database.connection() as connection:
        register(connection, found)
    number = {"site": len(found.sites), "sensor": len(found.sensors)}
    what = " and ".join(f"{n} {name}{'s' * (n != 1)}" for name, n in number.items())
    output.print_note(f"{found.name}: {what} registered.")


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
