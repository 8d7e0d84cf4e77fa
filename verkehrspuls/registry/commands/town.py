"""List, export and remove towns."""

from pathlib import Path
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


@app.command("export")
def export_town(
    town: Annotated[str, typer.Argument(help="Key of the municipality.")],
    form: Annotated[
        str, typer.Option("--format", help="csv, toml, xlsx or yaml.")
    ] = "toml",
    path: Annotated[
        Path | None,
        typer.Option("--output", help="File to write. [default: standard output]"),
    ] = None,
) -> None:
    """Write all that is registered of a municipality, to be imported again."""
    import sys

    from verkehrspuls.errors import UsageError
    from verkehrspuls.registry import edit
    from verkehrspuls.registry.files import formats
    from verkehrspuls.wording import choice

    if form not in formats():
        raise UsageError(reason=f"there is no format {form}; {choice(form, formats())}")
    with database.connection() as connection:
        data = formats()[form].write(edit.read(connection, town))
    if path is not None:
        path.write_bytes(data)
    elif form == "xlsx":
        sys.stdout.buffer.write(data)
    else:
        output.print_data(data.decode(), nl=False)


@app.command("remove")
def remove_town(
    town: Annotated[str, typer.Argument(help="Key of the municipality.")],
    with_readings: WithReadings = False,
    yes: Yes = False,
) -> None:
    """Remove a municipality with its sites, sensors and tokens."""
    remove("town", town, town, None, with_readings, yes)
