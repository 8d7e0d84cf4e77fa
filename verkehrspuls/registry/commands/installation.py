"""Register and remove installations."""

from typing import Annotated

import typer

from verkehrspuls.cli import registering

app = typer.Typer(no_args_is_help=True)

Named = Annotated[
    str, typer.Argument(help="Installation, as municipality/sensor/output.")
]


@app.command("set")
def set_installation(
    installation: Named,
    fields: registering.Fields = None,
    dry_run: registering.DryRun = False,
) -> None:
    """Attach an output of a sensor to a channel, or change that."""
    registering.put("installation", installation, fields, dry_run=dry_run)


@app.command("remove")
def remove_installation(installation: Named) -> None:
    """Remove an installation that was registered by mistake; usually it ends."""
    registering.remove("installation", installation)
