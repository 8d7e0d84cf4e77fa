"""List, show, end and remove sensors, and try messages."""

from dataclasses import asdict
from typing import Annotated

import typer

from verkehrspuls.cli import database, output, periods
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
    """End the installations of a sensor; its readings stay.

    Also set `until` in its registration file to this date.
    """
    from datetime import UTC, datetime

    from verkehrspuls.registry import removal
    from verkehrspuls.storage import known

    municipality, key = parse_key(sensor, kind="sensor")
    with database.connection() as connection:
        there = known.time_zone(connection, municipality)
        ends = periods.moment("--at", at, there) or datetime.now(UTC)
        ended = removal.end_sensor(connection, municipality, key, at=ends)
    outcome = f"outputs {', '.join(ended)} end at {ends:%Y-%m-%dT%H:%M:%SZ}"
    output.print_note(
        f"{sensor}: {outcome if ended else 'nothing is attached after that'}."
    )


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
    """List topics of foreign formats, and commands that allow them at the broker.

    In production the broker drops messages on topics that no credential may write to;
    neither sender nor ingest notices.
    """
    import shlex

    from verkehrspuls.storage.sensors import list_foreign_topics

    with database.connection(municipality) as connection:
        found = list_foreign_topics(connection, municipality)
    rows = [
        asdict(row)
        | {
            "command": shlex.join(
                ["deploy/credential", row.sensor, "--write", row.topic]
            )
        }
        for row in found
    ]
    columns = ("sensor", "payload_format", "topic", "command")
    output.show_list(rows, columns, as_json=as_json)
