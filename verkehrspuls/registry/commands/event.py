"""List, add and remove local events."""

from typing import Annotated

import typer

from verkehrspuls.cli import output
from verkehrspuls.cli.options import EXCLUSIVE, Json, OfMunicipality

app = typer.Typer(no_args_is_help=True)


@app.command()
def add(
    where: Annotated[
        str, typer.Argument(help="Place: municipality, or municipality/site.")
    ],
    name: Annotated[str, typer.Argument(help="Name of the event.")],
    from_: Annotated[str, typer.Option("--from", help="First local day.")],
    until: Annotated[
        str | None,
        typer.Option(
            "--until", help="Last local day, inclusive. [default: the first day]"
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--to", help=f"End, instead of --until: {EXCLUSIVE}."),
    ] = None,
    note: Annotated[str, typer.Option(help="Note on the event.")] = "",
    as_json: Json = False,
) -> None:
    """Add an event, or update the one with the same name and first day."""
    from datetime import timedelta

    from verkehrspuls.cli import database, keys, periods
    from verkehrspuls.errors import UsageError
    from verkehrspuls.registry import calendar

    municipality, site = keys.town_or(where, kind="site")
    if until is not None and to is not None:
        raise UsageError(reason="use --until (inclusive) or --to (exclusive), not both")
    first = periods.day("--from", from_)
    last = first
    if until is not None:
        last = periods.day("--until", until)
    if to is not None:
        last = periods.day("--to", to) - timedelta(days=1)
    with database.connection() as connection:
        event = calendar.put_event(
            connection,
            municipality=municipality,
            site=site,
            name=name,
            first=first,
            last=last,
            note=note,
        )
    if as_json:
        output.show_json({"event": event})
    else:
        output.print_result(event)


@app.command("list")
def list_events(municipality: OfMunicipality = None, as_json: Json = False) -> None:
    """List events."""
    from dataclasses import asdict

    from verkehrspuls.cli import database
    from verkehrspuls.registry import calendar

    with database.connection(municipality) as connection:
        found = calendar.events(connection, municipality=municipality)
    rows = [asdict(event) for event in found]
    columns = ("event", "municipality", "site", "name", "first", "last", "note")
    output.show_list(rows, columns, as_json=as_json)


@app.command()
def remove(
    event: Annotated[int, typer.Argument(help="Number of the event; see `list`.")],
) -> None:
    """Remove an event."""
    from verkehrspuls.cli import database
    from verkehrspuls.registry import calendar

    with database.connection() as connection:
        calendar.remove_event(connection, event)
