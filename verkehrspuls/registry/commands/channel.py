"""Register, move and remove channels."""

from typing import Annotated

import typer

from verkehrspuls.cli import registering

app = typer.Typer(no_args_is_help=True)

Named = Annotated[str, typer.Argument(help="Channel, as municipality/site/channel.")]


@app.command("set")
def set_channel(
    channel: Named,
    fields: registering.Fields = None,
    dry_run: registering.DryRun = False,
) -> None:
    """Register a channel of a site, or change fields of it."""
    registering.put("channel", channel, fields, dry_run=dry_run)


@app.command("move")
def move_channel(
    channel: Named,
    into: Annotated[str, typer.Argument(help="Key of the site that it moves to.")],
) -> None:
    """Move a channel with its readings to another site, to split or join sites."""
    from verkehrspuls.cli import database, output
    from verkehrspuls.registry import moves

    municipality, key = registering.split(channel, "channel")
    site, _, name = key.partition("/")
    with database.connection() as connection, connection.transaction():
        moves.move_channels(connection, municipality, site, [name], into=into)
    output.print_note(f"{channel} is {municipality}/{into}/{name} now.")


@app.command("remove")
def remove_channel(channel: Named) -> None:
    """Remove a channel that was never used."""
    registering.remove("channel", channel)
