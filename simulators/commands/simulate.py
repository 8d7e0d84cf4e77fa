"""Simulate towns and sensors."""

from typing import TYPE_CHECKING, Annotated

import typer

from verkehrspuls.cli import output
from verkehrspuls.cli.options import EXCLUSIVE, Json

if TYPE_CHECKING:
    from simulators.world import World
    from verkehrspuls.mqtt import Publisher
    from verkehrspuls.settings import Settings

app = typer.Typer(no_args_is_help=True)

_HISTORY = "verkehrspuls simulate history"

Weeks = Annotated[
    int | None, typer.Option(help="Weeks of history.", min=0, max=520, show_default="8")
]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        "--until",
        help=f"End of the period, {EXCLUSIVE}, in UTC.",
        show_default="now",
    ),
]
Seed = Annotated[
    int | None, typer.Option(help="Seed of the random numbers.", show_default="1")
]


@app.command()
def register() -> None:
    """Register the simulated towns, or update them.

    With `simulator.logins` their sensors get credentials of their own.
    """
    from simulators import devices
    from simulators.town import load_towns
    from verkehrspuls.cli import database
    from verkehrspuls.registry import towns

    settings = _settings()
    loaded = load_towns()
    with database.connection(
        settings=settings, application="verkehrspuls simulate register"
    ) as connection:
        for town in loaded:
            towns.register(connection, town.town)
        names = [f"{t.key}/{s.key}" for t in loaded for s in t.town.sensors]
        devices.equip(connection, names, settings)


@app.command()
def history(
    weeks: Weeks = None,
    to: To = None,
    seed: Seed = None,
    progress: Annotated[bool, typer.Option(help="Show progress.")] = True,
) -> None:
    """Publish simulated history; skip what the database already has.

    Sensors have no history from before they were installed.
    """
    import gc

    from simulators.progress import shown
    from simulators.publish import BLOCK_S, backfill, blocks, sensors

    settings = _settings(broker=True)
    world = _world(settings, seed)
    newest = _newest(settings)
    end = _seconds(to)
    start = end - (settings.simulator.weeks if weeks is None else weeks) * 604_800
    there = _blocks(settings, blocks(start - BLOCK_S, end))
    gc.disable()  # millions of small objects, without cycles
    with _publisher(settings, "history") as publisher:
        while start < end:
            total = len(blocks(start, end)) * sum(1 for _ in sensors(world))
            with shown("history", total, wanted=progress) as advance:
                made = backfill(world, start, end, newest=newest, there=there)
                for payload in made:
                    if payload is not None:
                        publisher.publish(payload.topic, payload.payload)
                    advance()
            # intervals that ended in the meantime; `live` continues from there
            start, end = end, end if to else _seconds(to)
            if end - start < 60:
                break
        publisher.flush(120)
    number = publisher.acknowledged
    output.print_note(f"history: {number} messages published and acknowledged")


@app.command()
def live(seed: Seed = None) -> None:
    """Publish each sensor's readings as their intervals end, until interrupted."""
    import signal

    from simulators import devices, publish
    from verkehrspuls import service

    settings = _settings(database=False, broker=True)
    service.begin(settings.log)
    world = _world(settings, seed)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    with (
        devices.Devices(file, settings.broker)
        if (file := settings.simulator.logins)
        else _publisher(settings, "live")
    ) as publisher:
        publish.live(world, publisher, on_ready=service.ready)


@app.command()
def truth(
    weeks: Weeks = None,
    to: To = None,
    as_json: Json = False,
) -> None:
    """List the simulated events with kind, place, start and end."""
    from simulators.world import standard
    from verkehrspuls.settings import load

    settings = load()
    end = _seconds(to)
    start = end - (settings.simulator.weeks if weeks is None else weeks) * 604_800
    events = standard(settings.simulator.seed).truth(start, end)
    if as_json:
        output.show_json(events)
        return
    for event in events:
        place = f"{event['municipality']}/{event['site'] or event['sensor'] or ''}"
        output.print_result(
            f"{event['start']:%Y-%m-%d %H:%M}  {event['end']:%Y-%m-%d %H:%M}  "
            f"{event['kind']:8}  {place.rstrip('/')}: {event['text']}"
        )


def _settings(*, database: bool = True, broker: bool = False) -> "Settings":
    from verkehrspuls.stack.state import resolve

    return resolve(database=database, broker=broker)


def _world(settings: "Settings", seed: int | None) -> "World":
    from simulators.world import standard

    return standard(settings.simulator.seed if seed is None else seed)


def _publisher(settings: "Settings", name: str) -> "Publisher":
    from verkehrspuls.mqtt import Publisher

    broker = settings.broker
    url = broker.publish_url.get_secret_value() or broker.url.get_secret_value()
    return Publisher(url, f"verkehrspuls-simulate-{name}", ca_file=broker.ca_file)


def _newest(settings: "Settings") -> dict[tuple[str, str], int]:
    """Read the newest stored interval by municipality and sensor."""
    from verkehrspuls.cli import database
    from verkehrspuls.storage.database import execute

    with database.connection(settings=settings, application=_HISTORY) as connection:
        rows = execute(connection, "newest_of_sensors").fetchall()
    return {
        (row["municipality"], row["sensor"]): int(row["newest"].timestamp())
        for row in rows
        if row["newest"] is not None
    }


def _blocks(settings: "Settings", blocks: range) -> dict[tuple[str, str], set[int]]:
    """Read the blocks with stored readings by municipality and sensor."""
    from collections import defaultdict

    from verkehrspuls.cli import database
    from verkehrspuls.storage.database import execute

    there: dict[tuple[str, str], set[int]] = defaultdict(set)
    with database.connection(settings=settings, application=_HISTORY) as connection:
        for row in execute(
            connection,
            "blocks_of_sensors",
            blocks=list(blocks),
            block_s=blocks.step,
        ):
            there[row["municipality"], row["sensor"]].add(row["block"])
    return there


def _seconds(text: str | None) -> int:
    """Parse a time into s since 1970; now if there is none."""
    from datetime import UTC, datetime

    from verkehrspuls.cli import periods
    from verkehrspuls.errors import UsageError

    moment = periods.moment("--to", text, "UTC") or datetime.now(UTC)
    # the calendar of holidays covers only these years
    if not 2000 <= moment.year < 2100:
        raise UsageError(reason=f"{text}: the year must be from 2000 to 2099.")
    return int(moment.timestamp())
