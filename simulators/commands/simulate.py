"""The command `verkehrspuls simulate`."""

from typing import TYPE_CHECKING, Annotated

import typer

from verkehrspuls.cli import output

if TYPE_CHECKING:
    from simulators.world import World
    from verkehrspuls.mqtt import Publisher
    from verkehrspuls.settings import Settings

app = typer.Typer(no_args_is_help=True)

Weeks = Annotated[
    int | None, typer.Option(help="How far back.", min=0, max=520, show_default="8")
]
Until = Annotated[
    str,
    typer.Option(
        help="Time (ISO 8601; UTC where no zone is given).", show_default="now"
    ),
]
Seed = Annotated[
    int | None, typer.Option(help="Of the random numbers.", show_default="1")
]


@app.command()
def register() -> None:
    """Register the simulated towns, or update them."""
    from simulators.town import load_towns
    from verkehrspuls.registry import towns
    from verkehrspuls.storage.database import connect

    url = _settings().database.url.get_secret_value()
    with connect(url, application="verkehrspuls simulate register") as connection:
        for town in load_towns():
            towns.register(connection, town.town)


@app.command()
def history(
    weeks: Weeks = None,
    until: Until = "",
    seed: Seed = None,
    progress: Annotated[bool, typer.Option(help="Show progress.")] = True,
) -> None:
    """Publish the past as back-fill; skip what the database has already.

    Begins when the sensors were installed, whatever the number of weeks.
    """
    import gc

    from simulators.progress import shown
    from simulators.publish import BLOCK_S, backfill, blocks, sensors

    settings = _settings(broker=True)
    world = _world(settings, seed)
    newest = _newest(settings)
    end = _seconds(until)
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
            start, end = end, end if until else _seconds(until)
            if end - start < 60:
                break
        publisher.flush(120)
    said = f"history: {publisher.acknowledged} messages published and acknowledged"
    output.tell(said)


@app.command()
def live(seed: Seed = None) -> None:
    """Publish each interval of each sensor when it ends, until interrupted."""
    import signal

    from simulators import publish
    from verkehrspuls import service

    settings = _settings(broker=True)
    service.begin(settings.log)
    world = _world(settings, seed)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    with _publisher(settings, "live") as publisher:
        publish.live(world, publisher, on_ready=service.ready)


@app.command()
def truth(
    weeks: Weeks = None,
    until: Until = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List the injected events: what, where, from when to when."""
    from simulators.world import standard
    from verkehrspuls.settings import load

    settings = load()
    end = _seconds(until)
    start = end - (settings.simulator.weeks if weeks is None else weeks) * 604_800
    events = standard(settings.simulator.seed).truth(start, end)
    if as_json:
        output.show_json(events)
        return
    for event in events:
        place = f"{event['municipality']}/{event['site'] or event['sensor'] or ''}"
        output.say(
            f"{event['start']:%Y-%m-%d %H:%M}  {event['end']:%Y-%m-%d %H:%M}  "
            f"{event['kind']:8}  {place.rstrip('/')}: {event['text']}"
        )


def _settings(*, broker: bool = False) -> "Settings":
    from verkehrspuls.stack.state import resolve

    return resolve(broker=broker)


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
    from verkehrspuls.storage.database import connect, execute

    url = settings.database.url.get_secret_value()
    with connect(url, application="verkehrspuls simulate history") as connection:
        rows = execute(connection, "newest_of_sensors").fetchall()
    return {
        (row["municipality"], row["sensor"]): int(row["newest"].timestamp())
        for row in rows
        if row["newest"] is not None
    }


def _blocks(settings: "Settings", blocks: range) -> dict[tuple[str, str], set[int]]:
    """Read the blocks with stored readings by municipality and sensor."""
    from collections import defaultdict

    from verkehrspuls.storage.database import connect, execute

    url = settings.database.url.get_secret_value()
    there: dict[tuple[str, str], set[int]] = defaultdict(set)
    with connect(url, application="verkehrspuls simulate history") as connection:
        for row in execute(
            connection,
            "blocks_of_sensors",
            blocks=list(blocks),
            block_s=blocks.step,
        ):
            there[row["municipality"], row["sensor"]].add(row["block"])
    return there


def _seconds(text: str) -> int:
    """Parse a time into s since 1970; now if empty."""
    from datetime import UTC, datetime

    from verkehrspuls.errors import UsageError

    if not text:
        return int(datetime.now(UTC).timestamp())
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(reason=f"{text} is no ISO 8601 time.") from error
    # the calendar of holidays covers only these years
    if not 2000 <= moment.year < 2100:
        raise UsageError(reason=f"{text}: the year must be from 2000 to 2099.")
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
