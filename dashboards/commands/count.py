"""Write the record of a manual count."""

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(no_args_is_help=True)


@app.command("record")
def record(
    count: Annotated[
        str, typer.Argument(help="Manual count, as municipality/number; see `list`.")
    ],
    file: Annotated[Path, typer.Argument(help="PDF file to write.")],
    language: Annotated[
        Literal["de", "en"], typer.Option("--language", help="Language of the record.")
    ] = "de",
) -> None:
    """Write the record of a manual count as a tagged PDF, to print and sign."""
    from datetime import UTC, datetime

    from analytics.commands.count import parse_count
    from analytics.reports.manual_count import report_manual_count
    from api.records import document_of
    from verkehrspuls.cli import database
    from verkehrspuls.language import Language
    from verkehrspuls.printing import to_pdf
    from verkehrspuls.stack.state import resolve

    municipality, number = parse_count(count)
    now = datetime.now(UTC)
    report = report_manual_count(
        database.Tables(), municipality, number, now=now, rates=resolve().acceptance
    )
    file.write_bytes(to_pdf(document_of(report, Language(language), now=now)))
