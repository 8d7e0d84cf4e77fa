"""The command `verkehrspuls replay`: real files, published like a sensor would."""

from pathlib import Path
from typing import Annotated

import typer

from ingest.import_command import Format, Municipality, State


def command(
    path: Annotated[Path, typer.Argument(help="File or folder.", exists=True)],
    format: Format,
    municipality: Municipality = "muenster",
    state: State = "NW",
    speed: Annotated[
        float,
        typer.Option(help="Times real time; 0: as fast as the broker takes it."),
    ] = 0,
    since: Annotated[
        str, typer.Option("--from", help="Local day, inclusive, e.g. 2025-01-01.")
    ] = "",
    until: Annotated[str, typer.Option("--to", help="Local day, exclusive.")] = "",
) -> None:
    """Publish a file's counts over MQTT, and register its sites before."""
    import time
    from datetime import timedelta

    from rich.console import Console
    from rich.progress import track

    from ingest.files import messages
    from ingest.import_command import read_and_register
    from verkehrspuls.mqtt import Publisher

    settings, file = read_and_register(
        path, format, municipality, state=state, since=since, until=until
    )
    # at a chosen speed each interval is a message; else a day of a sensor is one
    per = timedelta(minutes=1) if speed else timedelta(days=1)
    found = list(messages(file, per=per))
    broker = settings.broker
    url = broker.publish_url.get_secret_value() or broker.url.get_secret_value()
    console = Console(stderr=True)
    with Publisher(url, "verkehrspuls-replay", ca_file=broker.ca_file) as publisher:
        began = time.monotonic()
        for message in track(found, "Replay", console=console):
            if speed:
                passed = (message.due - found[0].due).total_seconds() / speed
                time.sleep(max(0.0, began + passed - time.monotonic()))
            publisher.publish(message.topic, message.payload)
        publisher.flush()
    console.print(
        f"{publisher.acknowledged} messages with {file.counts.height} readings "
        "published and acknowledged."
    )
