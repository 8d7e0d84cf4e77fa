"""Run everything on this machine, with simulated towns.

The embedded database and broker run where no URL is set for them. The rest are our own
commands, as processes of their own: each may die and is started again.
"""

from typing import Annotated

import typer


def command(
    port: Annotated[
        int | None,
        typer.Option(help="Port of the pages.", min=0, max=65_535, show_default="8000"),
    ] = None,
    weeks: Annotated[
        int | None,
        typer.Option(help="Weeks of history to simulate.", min=0, show_default="8"),
    ] = None,
    simulator: Annotated[
        bool | None,
        typer.Option("--simulator/--no-simulator", help="Run the simulated towns."),
    ] = None,
    logs: Annotated[
        bool, typer.Option("--logs", help="Also show the logs of the parts.")
    ] = False,
    with_parent: Annotated[
        bool,
        typer.Option("--with-parent", help="Stop when the parent process ends."),
    ] = False,
) -> None:
    """Run everything on this machine until Ctrl-C or SIGTERM.

    Starts an embedded PostgreSQL and MQTT broker if no URL is set for them, then
    migration, ingest, analytics, the pages, and simulated towns with their history. A
    part that exits is started again. Data is kept; `verkehrspuls doctor` shows where.
    """
    from verkehrspuls.settings import load
    from verkehrspuls.stack import everything

    settings = load()
    given = {
        "api": {"port": port},
        "simulator": {"weeks": weeks, "enabled": simulator},
    }
    for section, values in given.items():
        wanted = {key: value for key, value in values.items() if value is not None}
        group = getattr(settings, section).model_copy(update=wanted)
        settings = settings.model_copy(update={section: group})
    everything.run(settings, show_logs=logs, with_parent=with_parent)
