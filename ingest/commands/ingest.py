"""Receive messages and store readings."""

from typing import Annotated

import typer

from verkehrspuls.cli import output
from verkehrspuls.cli.options import Json

app = typer.Typer()


@app.callback()
def _group() -> None:
    """Receive messages and store readings."""


@app.command()
def run() -> None:
    """Run an ingest worker until Ctrl-C or SIGTERM.

    Messages that it has read are still written.
    """
    import signal

    from ingest.worker import Worker
    from verkehrspuls import service
    from verkehrspuls.stack.state import resolve

    settings = resolve(broker=True)
    service.begin(settings.log)
    worker = Worker(settings, on_ready=service.ready)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run()


@app.command()
def drain(
    slot: Annotated[int, typer.Option(help="Number of the slot.", min=0, max=99)],
    idle: Annotated[
        float,
        typer.Option(
            help="Seconds without a message after which the slot is empty.", min=0.1
        ),
    ] = 5,
    at_most: Annotated[
        float, typer.Option(help="Seconds after which to give up.", min=1)
    ] = 3600,
    as_json: Json = False,
) -> None:
    """Store the messages that wait for a slot without a worker, and close the slot.

    The broker keeps messages for a slot until a worker reads them. When none is left,
    the slot's session at the broker is ended, so that no more are kept for it.
    """
    import signal

    from ingest.drain import drain as take
    from ingest.worker import Worker
    from verkehrspuls import log
    from verkehrspuls.stack.state import resolve

    settings = resolve(broker=True)
    log.configure(level=settings.log.level, style=settings.log.format)
    ingest = settings.ingest.model_copy(update={"slot": slot})

    def stop_on_signal(worker: Worker) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())

    messages = take(
        settings.model_copy(update={"ingest": ingest}),
        idle_s=idle,
        at_most_s=at_most,
        with_worker=stop_on_signal,
    )
    if as_json:
        output.show_json({"slot": slot, "messages": messages})
        return
    output.print_result(
        f"Slot {slot} is closed; {messages} messages had waited for it."
    )
