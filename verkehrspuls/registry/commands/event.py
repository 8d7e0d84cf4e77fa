"""The commands `verkehrspuls event`: what takes place at sites."""

from datetime import datetime
from typing import Annotated

import typer

from verkehrspuls.cli import output
from verkehrspuls.cli.options import Json, OfMunicipality

app = typer.Typer(no_args_is_help=True)

_DAY = ["%Y-%m-%d"]


@app.command()
def add(
    where: Annotated[
        str, typer.Argument(help="municipality, or municipality/site for one only.")
    ],
    name: Annotated[str, typer.Argument(help="What it is.")],
    first: Annotated[
        datetime, typer.Option("--from", formats=_DAY, help="First local day.")
    ],
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=_DAY, help="Last local day, included."),
    ] = None,
    note: Annotated[str, typer.Option(help="Whatever else is known of it.")] = "",
) -> None:
    """Add an event, or bring that of this name and first day up to date."""
    from verkehrspuls.cli import options
    from verkehrspuls.cli.options import parse_key
    from verkehrspuls.registry import calendar

    municipality, site = (
        parse_key(where, kind="site") if "/" in where else (where, None)
    )
    with options.connection() as connection:
        event = calendar.put_event(
            connection,
            municipality=municipality,
            site=site,
            name=name,
            first=first.date(),
            last=(last or first).date(),
            note=note,
        )
    output.say(event)


@app.command("list")
def list_events(municipality: OfMunicipality = None, as_json: Json = False) -> None:
    """List events in their order."""
    from verkehrspuls.cli import options
    from verkehrspuls.registry import calendar
    from verkehrspuls.storage.visibility import EVERYTHING

    with options.connection(municipality) as connection:
        rows = calendar.events(
            connection, municipality=municipality, visible=EVERYTHING
        )
    if as_json:
        output.show_json(rows)
        return
    output.show(
        rows, ("event", "municipality", "site", "name", "first", "last", "note")
    )


@app.command()
def remove(event: Annotated[int, typer.Argument(help="Number in the list.")]) -> None:
    """Remove an event."""
    from verkehrspuls.cli import options
    from verkehrspuls.registry import calendar

    with options.connection() as connection:
        calendar.remove_event(connection, event)
