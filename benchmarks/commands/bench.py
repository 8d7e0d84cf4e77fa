"""Measure speed and accuracy.

Each bench's module documents its measurements.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from verkehrspuls.cli import output
from verkehrspuls.cli.options import Json

app = typer.Typer()


@app.callback()
def _group() -> None:
    """Measure speed and accuracy on this machine."""


@app.command()
def ingest(
    messages: Annotated[int, typer.Option(help="Number of messages.", min=1)] = 200_000,
    json: Json = False,
) -> None:
    """Measure how fast messages are stored, from broker to database."""
    from benchmarks.ingest import run

    _show(run(messages), json=json)


@app.command()
def analytics(
    readings: Annotated[int, typer.Option(help="Number of readings.")] = 10_000_000,
    loaded: Annotated[
        int,
        typer.Option(
            help="Number of these readings that are stored in a database first."
        ),
    ] = 4_000_000,
    year: Annotated[
        bool, typer.Option("--year", help="Store 21 million instead.")
    ] = False,
    json: Json = False,
) -> None:
    """Measure how fast figures are computed, compared with DuckDB and pandas."""
    from benchmarks.analytics import run

    _show(run(readings, loaded=loaded, year=year), json=json)


@app.command()
def anomalies(
    data: Annotated[
        Path, typer.Option(envvar="VERKEHRSPULS_DATA", help="Folder with real data.")
    ] = Path("../shared/data"),
    json: Json = False,
) -> None:
    """Measure the accuracy of anomaly score, forecasts and imputation."""
    from benchmarks.proof.anomalies import run

    _show(run(data), json=json)


@app.command()
def pages(
    sites: Annotated[int, typer.Option(help="Number of sites.", min=1)] = 5000,
    json: Json = False,
) -> None:
    """Measure response times of pages and API with thousands of sites."""
    from benchmarks.pages import run

    _show(run(sites), json=json)


@app.command()
def registration(
    sensors: Annotated[int, typer.Option(help="Number of sensors.", min=1)] = 1000,
    json: Json = False,
) -> None:
    """Measure how fast sensors are registered from a file."""
    from benchmarks.registration import run

    _show(run(sensors), json=json)


def _show(result: dict[str, Any], *, json: bool) -> None:
    if json:
        output.show_json(result)
        return
    rows = [{"measured": name, "value": value} for name, value in result.items()]
    output.show(rows, ("measured", "value"))
