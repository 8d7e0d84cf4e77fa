"""The command `verkehrspuls import`: files, straight into the database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from ingest.files import CountFile
    from verkehrspuls.settings import Settings

app = typer.Typer(help="Take files straight into the database.")

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


@app.callback()
def _group() -> None:
    """Take files straight into the database."""


@app.command()
def counts(
    path: Annotated[Path, typer.Argument(help="File or folder.", exists=True)],
    format: Format,
    municipality: Municipality = "muenster",
    state: State = "NW",
    since: Annotated[
        str, typer.Option("--from", help="Local day, inclusive, e.g. 2025-01-01.")
    ] = "",
    until: Annotated[str, typer.Option("--to", help="Local day, exclusive.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Result as JSON.")] = False,
) -> None:
    """Import counts through the same checks and ledger as messages."""
    import msgspec
    from rich.console import Console

    from ingest.files.write import write_file

    settings, file = read_and_register(
        path, format, municipality, state=state, since=since, until=until
    )
    result = write_file(settings, file)
    if json:
        print(msgspec.json.encode(dict(result)).decode())
    else:
        Console(stderr=True).print(
            f"{result['readings_received']} readings: {result['readings_stored']} "
            f"stored, {result['readings_duplicate']} there already, "
            f"{result['readings_corrected']} corrected, "
            f"{result['readings_rejected']} rejected."
        )


def read_and_register(
    path: Path, format: str, municipality: str, *, state: str, since: str, until: str
) -> "tuple[Settings, CountFile]":
    """Read a file, cut it to local days, and register its sites."""
    from rich.console import Console

    from ingest.files import cut, formats
    from ingest.files.write import municipality_of
    from verkehrspuls.stack.state import resolve
    from verkehrspuls.storage.database import connect
    from verkehrspuls.storage.registry import register

    settings = resolve()
    with connect(settings.database.url.get_secret_value()) as connection:
        town = municipality_of(connection, municipality, state=state)
        file = cut(formats()[format](path, town), since=since, until=until)
        register(connection, file.town)
    for reason, rows in file.left_out.items():
        if rows:
            Console(stderr=True).print(f"{rows} rows hold no reading: {reason}")
    return settings, file
