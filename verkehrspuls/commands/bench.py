"""The command `verkehrspuls bench`: what it measures is told in each bench's file."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="Measure how fast it is.")
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.callback()
def _group() -> None:
    """Measure how fast it is, on this machine."""


@app.command()
def ingest(
    messages: Annotated[int, typer.Option(help="How many messages.", min=1)] = 200_000,
    json: AsJson = False,
) -> None:
    """Measure how fast messages get from the broker into the database."""
    _show(import_module("ingest.bench").run(messages), json=json)


@app.command()
def analytics(
    readings: Annotated[int, typer.Option(help="How many readings.")] = 10_000_000,
    loaded: Annotated[
        int, typer.Option(help="How many of them go through the database.")
    ] = 4_000_000,
    year: Annotated[
        bool, typer.Option("--year", help="Let 21 million go through it.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Measure how fast readings become figures, beside DuckDB and pandas."""
    run = import_module("analytics.bench").run
    _show(run(readings, loaded=loaded, year=year), json=json)


@app.command()
def anomalies(
    data: Annotated[
        Path, typer.Option(envvar="VERKEHRSPULS_DATA", help="Folder of real data.")
    ] = Path("../shared/data"),
    json: AsJson = False,
) -> None:
    """Measure what the anomaly score, forecasts and imputation are worth."""
    _show(import_module("analytics.proof.anomalies").run(data), json=json)


def _show(result: dict[str, Any], *, json: bool) -> None:
    import msgspec
    from rich.console import Console
    from rich.table import Table

    if json:
        print(msgspec.json.encode(result).decode())
        return
    table = Table("measured", "value")
    for name, value in result.items():
        table.add_row(name, str(value))
    Console().print(table)
