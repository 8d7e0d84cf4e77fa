"""List, show, register, swap, end and remove sensors, and try messages."""

from dataclasses import asdict
from typing import Annotated

import typer

from verkehrspuls.cli import database, output, periods, registering
from verkehrspuls.cli.keys import parse_key
from verkehrspuls.cli.options import Json, OfMunicipality, SensorName
from verkehrspuls.cli.removing import WithReadings, Yes, remove

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_sensors(municipality: OfMunicipality = None, as_json: Json = False) -> None:
    """List sensors, one line per output that is attached to a channel."""
    from verkehrspuls.storage.sensors import list_sensors

    with database.connection(municipality) as connection:
        sensors = list_sensors(connection, municipality=municipality)
    output.show_list(
        [asdict(sensor) for sensor in sensors],
        (
            *("sensor", "model", "state", "site", "channel", "output"),
            *("newest_reading", "last_message"),
        ),
        as_json=as_json,
        shown=lambda sensor: {
            **sensor,
            "sensor": f"{sensor['municipality']}/{sensor['key']}",
            "newest_reading": sensor["newest_reading_at"],
            "last_message": sensor["last_received_at"],
        },
    )


@app.command("set")
def set_sensor(
    sensor: SensorName,
    fields: registering.Fields = None,
    dry_run: registering.DryRun = False,
) -> None:
    """Register a sensor, or change fields of it."""
    registering.put("sensor", sensor, fields, dry_run=dry_run)


@app.command("swap")
def swap_sensor(
    sensor: SensorName,
    new: Annotated[str, typer.Argument(help="Key of the sensor that takes over.")],
    fields: registering.Fields = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", help="Local date or time, or time with offset. [default: now]"
        ),
    ] = None,
    dry_run: registering.DryRun = False,
) -> None:
    """Let another sensor take over the channels of a sensor; their series go on.

    Fields that are not given are those of the old sensor.
    """
    from datetime import UTC, datetime

    from verkehrspuls.registry import swap
    from verkehrspuls.storage import known

    municipality, key = parse_key(sensor, kind="sensor")
    with database.connection() as connection, connection.transaction():
        there = known.time_zone(connection, municipality)
        changes = swap.swap(
            connection,
            municipality,
            key,
            new,
            registering.parse("sensor", fields or ()),
            at=periods.moment("--at", at, there) or datetime.now(UTC),
            dry_run=dry_run,
        )
    registering.show_changes(changes, dry_run=dry_run)


@app.command("end")
def end_sensor(
    sensor: SensorName,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", help="Local date or time, or time with offset. [default: now]"
        ),
    ] = None,
) -> None:
    """End a sensor and its installations; its readings stay.

    Also set `until` in its registration file to this date.
    """
    from datetime import UTC, datetime

    from verkehrspuls.registry.ending import end
    from verkehrspuls.registry.registration import Entry
    from verkehrspuls.storage import known

    municipality, key = parse_key(sensor, kind="sensor")
    now = datetime.now(UTC)
    with database.connection() as connection, connection.transaction():
        there = known.time_zone(connection, municipality)
        ends = periods.moment("--at", at, there) or now
        entry = Entry("sensor", key)
        changes = end(connection, municipality, entry, at=ends, now=now)
    registering.show_changes(changes, dry_run=False)


@app.command("remove")
def remove_sensor(
    sensor: SensorName,
    with_readings: WithReadings = False,
    yes: Yes = False,
) -> None:
    """Remove a sensor and its tokens; its channels stay.

    If the device was only taken down, use `end` instead.
    """
    remove("sensor", sensor, *parse_key(sensor, kind="sensor"), with_readings, yes)


@app.command("access")
def show_access(municipality: OfMunicipality = None, as_json: Json = False) -> None:
    """List topics of foreign formats, and commands that give their sensors credentials.

    The broker drops messages on topics that no credential may write to; neither sender
    nor ingest notices. A topic that overlaps with that of another municipality, which
    was registered before, is not permitted.
    """
    import shlex

    from verkehrspuls.storage.sensors import list_foreign_topics

    with database.connection(municipality) as connection:
        found = list_foreign_topics(connection, municipality)
    rows = [
        asdict(row)
        | {"command": shlex.join(["verkehrspuls", "credential", "issue", row.sensor])}
        for row in found
    ]
    columns = ("sensor", "payload_format", "topic", "command")
    output.show_list(rows, columns, as_json=as_json)
