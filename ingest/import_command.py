"""The command `verkehrspuls import`: files, straight into the database."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from collections import Counter

    from ingest.files import CountFile
    from verkehrspuls.settings import Settings

app = typer.Typer(help="Take files straight into the database.")

# what `import counts` and `replay` have in common
FileOrFolder = Annotated[Path, typer.Argument(help="File or folder.", exists=True)]
Format = Annotated[
    Literal["generic", "muenster-bike", "muenster-kfz"],
    typer.Option(help="What the file is; see docs/how-to/replay-real-data.md."),
]
Municipality = Annotated[
    str, typer.Option(help="Key of the municipality; registered if it is new.")
]
State = Annotated[
    str, typer.Option(help="Its state, for the holidays, where it is new: e.g. RP.")
]
Only = Annotated[
    list[str] | None, typer.Option("--site", help="Only this site; may be repeated.")
]
Since = Annotated[
    datetime | None,
    typer.Option("--from", formats=["%Y-%m-%d"], help="First local day."),
]
Until = Annotated[
    datetime | None,
    typer.Option("--to", formats=["%Y-%m-%d"], help="Local day after the last."),
]


@app.callback()
def _group() -> None:
    """Take files straight into the database."""


@app.command()
def counts(
    path: FileOrFolder,
    format: Format,
    municipality: Municipality = "muenster",
    state: State = "NW",
    site: Only = None,
    since: Since = None,
    until: Until = None,
    json: Annotated[bool, typer.Option("--json", help="Result as JSON.")] = False,
) -> None:
    """Import counts through the same checks and ledger as messages."""
    from ingest.files.write import write_file
    from verkehrspuls.stack.state import resolve

    settings = resolve()
    file = read(
        settings, path, format, municipality, state, site, since=since, until=until
    )
    _show(write_file(settings, file), json=json)


@app.command()
def messages(
    path: Annotated[
        Path,
        typer.Argument(
            help="Recording, as of `mosquitto_sub -F %j`.", exists=True, dir_okay=False
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="Result as JSON.")] = False,
) -> None:
    """Import a recording of messages, as if the broker had delivered them."""
    from ingest.files.write import write_recording
    from verkehrspuls.stack.state import resolve

    _show(write_recording(resolve(), path), json=json)


@app.command()
def town(
    path: Annotated[Path, typer.Argument(help="Registration file, TOML.", exists=True)],
) -> None:
    """Register a municipality with its sites and sensors, or bring it up to date."""
    from rich.console import Console

    from verkehrspuls.stack.state import resolve
    from verkehrspuls.storage.database import connect
    from verkehrspuls.storage.registry import load_town, register

    found = load_town(path)
    with connect(resolve().database.url.get_secret_value()) as connection:
        register(connection, found)
    number = {"site": len(found.sites), "sensor": len(found.sensors)}
    what = " and ".join(f"{n} {name}{'s' * (n != 1)}" for name, n in number.items())
    Console(stderr=True).print(f"{found.name}: {what} registered.")


@app.command()
def holidays(
    path: Annotated[
        Path,
        typer.Argument(help="CSV: state, name, first, last, source.", exists=True),
    ],
) -> None:
    """Replace the school holidays of the states that the file names."""
    from verkehrspuls.stack.state import resolve
    from verkehrspuls.storage import calendar
    from verkehrspuls.storage.database import connect

    rows = calendar.load_school_holidays(path)
    with connect(resolve().database.url.get_secret_value()) as connection:
        counts = calendar.replace_school_holidays(connection, rows)
    for state, count in counts.items():
        print(f"{state}: {count} school holidays.", file=sys.stderr)


@app.command()
def events(
    path: Annotated[
        Path,
        typer.Argument(
            help="CSV: municipality, site, name, first, last, note.", exists=True
        ),
    ],
) -> None:
    """Add local events, or bring them up to date."""
    from verkehrspuls.stack.state import resolve
    from verkehrspuls.storage import calendar
    from verkehrspuls.storage.database import connect

    rows = calendar.load_events(path)
    with connect(resolve().database.url.get_secret_value()) as connection:
        count = calendar.put_events(connection, rows)
    print(f"{count} events.", file=sys.stderr)


def _show(result: "Counter[str]", *, json: bool) -> None:
    import msgspec
    from rich.console import Console

    if json:
        print(msgspec.json.encode(dict(result)).decode())
        return
    Console(stderr=True).print(
        f"{result['messages_received']} messages, {result['readings_received']} "
        f"readings: {result['readings_stored']} stored, "
        f"{result['readings_duplicate']} there already, "
        f"{result['readings_corrected']} corrected, "
        f"{result['readings_rejected']} rejected."
    )


def read(
    settings: "Settings",
    path: Path,
    format: str,
    municipality: str,
    state: str,
    sites: list[str] | None,
    *,
    since: datetime | None,
    until: datetime | None,
) -> "CountFile":
    """Read what is asked for of a file, and register its sites."""
    from rich.console import Console

    from ingest.files import cut, formats
    from ingest.files.write import municipality_of
    from verkehrspuls.errors import UsageError
    from verkehrspuls.storage.database import connect
    from verkehrspuls.storage.registry import register

    if since and until and until <= since:
        raise UsageError(reason="the period ends before it begins")
    with connect(settings.database.url.get_secret_value()) as connection:
        town = municipality_of(connection, municipality, state=state)
        file = cut(
            formats()[format](path, town),
            since=since.date() if since else None,
            until=until.date() if until else None,
            sites=sites or (),
        )
        register(connection, file.town)
    for reason, rows in file.left_out.items():
        if rows:
            Console(stderr=True).print(f"{rows} rows hold no reading: {reason}")
    return file
