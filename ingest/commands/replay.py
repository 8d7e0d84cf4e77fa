"""Publish counts from files over MQTT."""

from typing import Annotated

import typer

from ingest.commands.import_ import Selection, read
from verkehrspuls.cli import output
from verkehrspuls.cli.options import takes


@takes(Selection)
def command(
    selection: Selection,
    speed: Annotated[
        float,
        typer.Option(
            min=0, help="Multiple of real time; 0: as fast as the broker accepts."
        ),
    ] = 0,
) -> None:
    """Register the sites of a file of counts, and publish the counts over MQTT."""
    import time
    from datetime import timedelta

    from rich.console import Console
    from rich.progress import track

    from ingest.files import messages
    from verkehrspuls.mqtt import Publisher
    from verkehrspuls.stack.state import resolve

    settings = resolve(broker=True)
    file = read(settings, selection)
    # with a speed: a message for each interval; without: for each sensor and day
    per = timedelta(minutes=1) if speed else timedelta(days=1)
    found = list(messages(file, per=per))
    url = settings.broker.publish_url.get_secret_value()
    console = Console(stderr=True)
    with Publisher(
        url or settings.broker.url.get_secret_value(),
        "verkehrspuls-replay",
        ca_file=settings.broker.ca_file,
    ) as publisher:
        began = time.monotonic()
        for message in track(found, "Replay", console=console):
            if speed:
                passed_s = (message.due - found[0].due).total_seconds() / speed
                time.sleep(max(0.0, began + passed_s - time.monotonic()))
            publisher.publish(message.topic, message.payload)
        publisher.flush()
    output.print_note(
        f"{publisher.acknowledged} messages with {file.counts.height} readings "
        "published and acknowledged."
    )
