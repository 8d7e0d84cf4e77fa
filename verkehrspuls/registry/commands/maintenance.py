"""Show and continue the maintenance log of sites and sensors."""

from pathlib import Path
from typing import Annotated

import typer

from verkehrspuls.cli import database, output, periods
from verkehrspuls.cli.options import Json

app = typer.Typer(no_args_is_help=True)

_Town = Annotated[str, typer.Argument(help="Key of the municipality.")]
_Site = Annotated[str | None, typer.Option("--site", help="Key of a site.")]
_Sensor = Annotated[str | None, typer.Option("--sensor", help="Key of a sensor.")]


@app.command("list")
def list_entries(
    municipality: _Town,
    site: _Site = None,
    sensor: _Sensor = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 100,
    as_json: Json = False,
) -> None:
    """List what was done, the newest first."""
    from dataclasses import asdict

    from verkehrspuls.registry import maintenance

    with database.connection(municipality) as connection:
        found = maintenance.entries(
            connection, municipality, site=site, sensor=sensor, limit=limit
        )
    columns = ("number", "site", "sensor", "done_at", "kind", "note", "due_on")
    output.show_list([asdict(one) for one in found], columns, as_json=as_json)


@app.command()
def add(
    municipality: _Town,
    site: _Site = None,
    sensor: _Sensor = None,
    kind: Annotated[
        str,
        typer.Option(
            help="inspection, cleaning, repair, alignment, battery, firmware or other."
        ),
    ] = "inspection",
    note: Annotated[str, typer.Option(help="What there is to say.")] = "",
    at: Annotated[
        str | None,
        typer.Option(
            "--at", help="Local date or time, or time with offset. [default: now]"
        ),
    ] = None,
    due: Annotated[
        str | None, typer.Option("--due", help="Local day of the next maintenance.")
    ] = None,
    photographs: Annotated[
        list[Path] | None,
        typer.Option("--photograph", help="JPEG, PNG or WebP; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Note what was done at a site or with a sensor."""
    from datetime import UTC, datetime

    import msgspec

    from verkehrspuls import wording
    from verkehrspuls.errors import UsageError
    from verkehrspuls.files import read_bytes
    from verkehrspuls.registry import maintenance
    from verkehrspuls.registry.maintenance import Maintenance
    from verkehrspuls.registry.photographs import MAX_BYTES
    from verkehrspuls.storage import known

    images = [
        read_bytes(path, format="a photograph", most=MAX_BYTES)
        for path in photographs or ()
    ]
    with database.connection() as connection, connection.transaction():
        there = known.time_zone(connection, municipality)
        fields = {
            **{"site": site, "sensor": sensor, "kind": kind, "note": note},
            "done_at": periods.moment("--at", at, there) or datetime.now(UTC),
            "due_on": due and periods.day("--due", due),
        }
        try:
            done = msgspec.convert(fields, Maintenance)
        except msgspec.ValidationError as error:
            explained = wording.explain(error, fields, Maintenance)
            raise UsageError(reason=explained.in_english()) from error
        number = maintenance.add(connection, municipality, done)
        for image in images:
            maintenance.add_photograph(connection, municipality, number, image)
    if as_json:
        output.show_json({"number": number})
    else:
        output.print_result(number)
