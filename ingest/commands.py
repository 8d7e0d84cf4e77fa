"""The command `verkehrspuls ingest`."""

import typer

app = typer.Typer(help="Receive messages and store their readings.")


@app.callback()
def _group() -> None:
    """Receive messages and store their readings."""


@app.command()
def run() -> None:
    """Run an ingest worker until it is told to stop (SIGTERM drains)."""
    import signal

    from ingest.worker import Worker
    from verkehrspuls import log
    from verkehrspuls.stack.state import resolve

    settings = resolve(broker=True)
    log.configure(level=settings.log.level, style=settings.log.format)
    worker = Worker(settings, on_ready=lambda: print("ready", flush=True))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run()
