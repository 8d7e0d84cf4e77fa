"""List, show, register, rename, merge and remove sites."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from verkehrspuls.cli import database, output, registering
from verkehrspuls.cli.keys import parse_key
from verkehrspuls.cli.options import Json, OfMunicipality, SiteName
from verkehrspuls.cli.removing import WithReadings, Yes, remove

if TYPE_CHECKING:
    from verkehrspuls.storage.sites import Site

app = typer.Typer(no_args_is_help=True)

_SENSOR_COLUMNS = ("key", "model", "state", "output", "channel", "since", "until")


@app.command("list")
def list_sites(municipality: OfMunicipality = None, as_json: Json = False) -> None:
    """List the registered sites."""
    from verkehrspuls.storage.sites import list_sites

    with database.connection(municipality) as connection:
        found = list_sites(connection, municipality=municipality)
    sites = [_with_fault_texts(site) for site in found]
    for site in sites:
        del site["sensors"]  # they are not read here
    output.show_list(
        sites,
        (
            *("site", "name", "channels", "measures"),
            *("status", "visibility", "newest_reading", "last_message"),
        ),
        as_json=as_json,
        shown=lambda site: {
            **site,
            "site": f"{site['municipality']}/{site['key']}",
            "channels": len(site["channels"]),
            "measures": " ".join(sorted({c["quantity"] for c in site["channels"]})),
            "newest_reading": site["newest_reading_at"],
            "last_message": site["last_received_at"],
        },
    )


@app.command("show")
def show_site(
    site: SiteName,
    as_json: Json = False,
) -> None:
    """Show a site with its channels and sensors."""
    from verkehrspuls.storage.sites import read_site

    municipality, key = parse_key(site, kind="site")
    with database.connection() as connection:
        found = _with_fault_texts(read_site(connection, municipality, key))
    if as_json:
        output.show_json(found)
        return
    facts = {k: v for k, v in found.items() if k not in ("channels", "sensors")}
    facts["faults"] = "; ".join(found["faults"])
    output.show_facts(facts)
    output.show(
        found["channels"],
        ("key", "name", "quantity", "direction", "direction_name", "lane"),
        title="channels",
    )
    output.show(found["sensors"], _SENSOR_COLUMNS, title="sensors")


@app.command("set")
def set_site(
    site: SiteName,
    fields: registering.Fields = None,
    dry_run: registering.DryRun = False,
) -> None:
    """Register a site, or change fields of it."""
    registering.put("site", site, fields, dry_run=dry_run)


@app.command("rename")
def rename_site(
    site: SiteName,
    new: Annotated[str, typer.Argument(help="The new key.")],
) -> None:
    """Give a site another key; addresses with the old one lead to it."""
    from verkehrspuls.registry import moves

    municipality, key = parse_key(site, kind="site")
    with database.connection() as connection, connection.transaction():
        moves.rename(connection, municipality, key, new)
    output.print_note(f"{site} is {municipality}/{new} now.")


@app.command("merge")
def merge_site(
    site: SiteName,
    into: Annotated[str, typer.Argument(help="Key of the site that remains.")],
) -> None:
    """Move all channels of a site to another one; its address leads there."""
    from verkehrspuls.registry import moves

    municipality, key = parse_key(site, kind="site")
    with database.connection() as connection, connection.transaction():
        moves.merge(connection, municipality, key, into=into)
    output.print_note(f"{site} is part of {municipality}/{into} now.")


@app.command("remove")
def remove_site(
    site: SiteName,
    with_readings: WithReadings = False,
    yes: Yes = False,
) -> None:
    """Remove a site with its channels; its sensors stay registered."""
    remove("site", site, *parse_key(site, kind="site"), with_readings, yes)


def _with_fault_texts(site: "Site") -> dict[str, Any]:
    """Return a site as JSON shows it."""
    import msgspec

    shown: dict[str, Any] = msgspec.to_builtins(site, builtin_types=(datetime,))
    return shown | {"faults": [fault.in_language("en") for fault in site.faults]}
