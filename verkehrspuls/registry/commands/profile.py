"""List, show, check, use, save and remove device profiles."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from verkehrspuls.cli import database, output, periods, registering
from verkehrspuls.cli.keys import parse_key
from verkehrspuls.cli.options import Json, SensorName

if TYPE_CHECKING:
    from verkehrspuls.registry.own_profiles import Known

app = typer.Typer(no_args_is_help=True)

ProfileName = Annotated[
    str,
    typer.Argument(
        metavar="PROFILE", help="Key of a device profile, or a TOML file of your own."
    ),
]


Town = Annotated[
    str | None,
    typer.Option("--town", help="Key of a municipality, with its own profiles."),
]
OfTown = Annotated[
    str, typer.Option("--town", help="Key of the municipality that keeps it.")
]
OwnName = Annotated[
    str, typer.Argument(metavar="PROFILE", help="Key of a device profile.")
]


@app.command("list")
def list_profiles(town: Town = None, as_json: Json = False) -> None:
    """List the device profiles of the program, and those of a municipality."""
    from verkehrspuls.registry import own_profiles
    from verkehrspuls.registry.device_profiles import shipped

    if town is None:
        found = [own_profiles.Known(*each) for each in shipped().items()]
    else:
        with database.connection(town) as connection:
            found = own_profiles.list_profiles(connection, town)
    columns = ("profile", "kind", "name", "measures", "formats", "own")
    output.show_list([_row(one) for one in found], columns, as_json=as_json)


def _row(one: "Known") -> dict[str, Any]:
    facts: dict[str, Any] = {"profile": one.key, "own": "yes" if one.own else ""}
    if one.profile is None:
        return facts | {"kind": "", "name": f"cannot be used: {one.problem}"}
    return facts | {
        "kind": one.profile.kind,
        "name": one.profile.name.en,
        "measures": one.profile.measures.en,
        "formats": " ".join(one.profile.formats),
    }


@app.command("show")
def show_profile(
    profile: ProfileName,
    town: Town = None,
    as_toml: Annotated[
        bool, typer.Option("--toml", help="Write the TOML, to be saved elsewhere.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show a device profile: outputs, ids of a device, and how it is set up."""
    import msgspec

    from verkehrspuls.files import read_text
    from verkehrspuls.registry import own_profiles

    known = read(profile, town)
    if as_toml:
        text = (
            read_text(Path(profile), format="a device profile")
            if profile.endswith(".toml")
            else known.document
        )
        output.print_data(text, nl=False)
        return
    found = own_profiles.usable(known)
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
    from verkehrspuls.registry import edit, own_profiles
    from verkehrspuls.storage import known

    municipality, key = parse_key(sensor, kind="sensor")
    found = own_profiles.usable(read(profile, municipality))
    with database.connection() as connection, connection.transaction():
        edit.require(connection, municipality)
        zone = known.time_zone(connection, municipality)
        changes = own_profiles.use(
            connection,
            municipality,
            found,
            sensor=key,
            site=site,
            name=name,
            since=periods.moment("--since", since, zone),
            ids=registering.pairs(ids, "--id"),
            outputs=registering.pairs(outputs, "--output") or None,
            payload_format=payload_format,
            dry_run=dry_run,
        )
    registering.show_changes(changes, dry_run=dry_run)
    if not dry_run:
        output.print_note(found.configure.en.strip())


@app.command("save")
def save_profile(
    file: Annotated[Path, typer.Argument(help="TOML file with a device profile.")],
    town: OfTown,
    key: Annotated[
        str, typer.Option(help="Its key. [default: the name of the file]")
    ] = "",
) -> None:
    """Keep a device profile as one of a municipality, in place of an earlier one."""
    from verkehrspuls.files import read_text
    from verkehrspuls.registry import own_profiles

    text = read_text(file, format="a device profile")
    chosen = key or file.stem
    with database.connection(town) as connection, connection.transaction():
        seen = own_profiles.own_version(connection, town, chosen)
        own_profiles.save(connection, town, chosen, text, seen=seen)
    output.print_note(f"Saved as {chosen}; {town} has it from now on.")


@app.command("remove")
def remove_profile(profile: OwnName, town: OfTown) -> None:
    """Remove a device profile of a municipality; sensors registered by it stay."""
    from verkehrspuls.registry import own_profiles

    with database.connection(town) as connection, connection.transaction():
        seen = own_profiles.own_version(connection, town, profile)
        own_profiles.remove(connection, town, profile, seen=seen)
    output.print_note(f"Removed {profile}; sensors that were registered by it stay.")


def read(profile: str, town: str | None) -> "Known":
    """Return the device profile of a key, own ones of a municipality too, or a file."""
    from verkehrspuls.registry import own_profiles
    from verkehrspuls.registry.device_profiles import find, load

    if profile.endswith(".toml"):
        return own_profiles.Known(profile, load(Path(profile)))
    if town is None:
        return own_profiles.Known(profile, find(profile))
    with database.connection(town) as connection:
        return own_profiles.find(connection, town, profile)
