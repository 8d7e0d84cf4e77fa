"""The command `verkehrspuls analytics`."""

from datetime import datetime
from typing import Annotated

import typer

app = typer.Typer(help="Compute figures and look for anomalies.")


@app.command()
def run() -> None:
    """Run an analytics worker until it is told to stop."""
    import signal

    from analytics.worker import Worker
    from verkehrspuls import log
    from verkehrspuls.stack.state import resolve

    settings = resolve()
    log.configure(level=settings.log.level, style=settings.log.format)
    worker = Worker(settings, on_ready=lambda: print("ready", flush=True))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run()


@app.command()
def recompute(
    municipality: Annotated[
        str | None, typer.Option(help="Key of a municipality; default: all.")
    ] = None,
    site: Annotated[
        str | None, typer.Option(help="Key of a site; default: all.")
    ] = None,
    first: Annotated[
        datetime | None,
        typer.Option(
            "--from", formats=["%Y-%m-%d"], help="First local day; default: all."
        ),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="Last local day, included."),
    ] = None,
    progress: Annotated[bool, typer.Option(help="Show progress.")] = True,
) -> None:
    """Compute figures anew from the readings, and judge anew what is unusual."""
    from analytics import jobs
    from analytics.recompute import recompute as work
    from verkehrspuls import log
    from verkehrspuls.stack.state import resolve

    settings = resolve()
    log.configure(level=settings.log.level, style=settings.log.format)
    choice = jobs.Choice(
        municipality=municipality,
        site=site,
        first=first.date() if first else None,
        last=last.date() if last else None,
    )
    done = work(settings, choice, progress=progress)
    typer.echo(f"{done} hours computed", err=True)
