"""List and remove towns."""

from typing import Annotated

import typer

from verkehrspuls.cli import database, output
from verkehrspuls.cli.options import Json
from verkehrspuls.cli.removing import WithReadings, Yes, remove

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_towns(as_json: Json = False) -> None:
    """List the registered municipalities."""
    from dataclasses import asdict

    from verkehrspuls.registry import removal

    with database.connection() as connection:
        rows = [asdict(town) for town in removal.towns(connection)]
    columns = ("town", "name", "state", "time_zone", "sites", "sensors")
    output.show_list(rows, columns, as_json=as_json)


@app.command("remove")
def remove_town(
    town: Annotated[str, typer.Argument(help="Key of the municipality.")],
    with_readings: WithReadings = False,
    yes: Yes = False,
) -> None:
    """Remove a municipality with its sites, sensors and tokens."""
    remove("town", town, town, None, with_readings, yes)
