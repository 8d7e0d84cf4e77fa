"""List, show, check and use device profiles."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from verkehrspuls.cli import database, output, periods, registering
from verkehrspuls.cli.keys import parse_key
from verkehrspuls.cli.options import Json, SensorName

if TYPE_CHECKING:
    from verkehrspuls.registry.device_profiles import DeviceProfile

app = typer.Typer(no_args_is_help=True)

ProfileName = Annotated[
    str,
    typer.Argument(
        metavar="PROFILE", help="Key of a device profile, or a TOML file of your own."
    ),
]


@app.command("list")
def list_profiles(as_json: Json = False) -> None:
    """List the device profiles that come with the program."""
    from verkehrspuls.registry.device_profiles import shipped

    rows = [
        {
            "profile": key,
            "kind": one.kind,
            "name": one.name.en,
            "measures": one.measures.en,
            "formats": " ".join(one.formats),
        }
        for key, one in shipped().items()
    ]
    columns = ("profile", "kind", "name", "measures", "formats")
    output.show_list(rows, columns, as_json=as_json)


@app.command("show")
def show_profile(profile: ProfileName, as_json: Json = False) -> None:
    """Show a device profile: outputs, ids of a device, and how it is set up."""
    import msgspec

    found = read(profile)
    if as_json:
        output.show_json(msgspec.to_builtins(found))
        return
    facts: dict[str, Any] = {
        "name": found.name.en,
        "kind": found.kind,
        "manufacturer": found.manufacturer,
        "measures": found.measures.en,
        "formats": " ".join(found.formats),
        "interval_s": found.interval_s,
        "class_scheme": found.class_scheme,
        "sources": " ".join(found.sources),
    }
    for name in found.formats:
        facts[f"ids, {name}"] = " ".join(found.ids_of(name))
    output.show_facts(facts | {"setting up": found.configure.en.strip()})
    rows = [
        {
            "output": one.output,
            "channel": one.channel,
            "name": one.name.en,
            "quantity": one.quantity,
            "direction": one.direction,
        }
        for one in found.outputs
    ]
    columns = ("output", "channel", "name", "quantity", "direction")
    output.show(rows, columns, title="outputs", whole=True)


@app.command("use")
def use_profile(
    profile: ProfileName,
    sensor: SensorName,
    site: Annotated[str, typer.Option(help="Key of the site where it is installed.")],
    ids: Annotated[
        list[str] | None,
        typer.Option(
            "--id", metavar="ID=TEXT", help="An id of the device; repeatable."
        ),
    ] = None,
    outputs: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            metavar="OUTPUT=CHANNEL",
            help="An output to use, and the key of its channel; repeatable. "
            "[default: all, with the suggested keys]",
        ),
    ] = None,
    name: Annotated[
        str, typer.Option(help="Name of the sensor. [default: that of the model]")
    ] = "",
    payload_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Payload format, if the profile has several: the network server.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="Start of the installation: a local date or time, or a time with "
            "offset. [default: now]"
        ),
    ] = None,
    dry_run: registering.DryRun = False,
) -> None:
    """Register a sensor by a device profile, with the channels that its site lacks."""
    from datetime import UTC, datetime

    from verkehrspuls.registry import device_profiles, edit
    from verkehrspuls.storage import known

    municipality, key = parse_key(sensor, kind="sensor")
    found = read(profile)
    with database.connection() as connection, connection.transaction():
        edit.require(connection, municipality)
        zone = known.time_zone(connection, municipality)
        changes = edit.edit(
            connection,
            municipality,
            device_profiles.register(
                found,
                site=site,
                key=key,
                name=name or found.name.de,
                since=periods.moment("--since", since, zone) or datetime.now(UTC),
                ids=registering.pairs(ids, "--id"),
                outputs=registering.pairs(outputs, "--output") or None,
                payload_format=payload_format,
            ),
            dry_run=dry_run,
        )
    registering.show_changes(changes, dry_run=dry_run)
    if not dry_run:
        output.print_note(found.configure.en.strip())


def read(profile: str) -> "DeviceProfile":
    """Return the device profile of a key or file."""
    from verkehrspuls.registry.device_profiles import find, load

    return load(Path(profile)) if profile.endswith(".toml") else find(profile)
