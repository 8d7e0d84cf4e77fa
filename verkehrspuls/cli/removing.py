"""What the commands share that remove what is registered."""

from typing import Annotated

import typer

from verkehrspuls.cli import output

WithReadings = Annotated[
    bool,
    typer.Option("--with-readings", help="Also remove all of its readings and cases."),
]
Yes = Annotated[
    bool,
    typer.Option("--yes", help="Confirm that; removed readings cannot be restored."),
]


def remove(
    kind: str,
    named: str,
    municipality: str,
    key: str | None,
    with_readings: bool,
    sure: bool,
) -> None:
    """Remove what is registered, and say what went and what stays."""
    from verkehrspuls.cli import database
    from verkehrspuls.registry import removal

    with database.connection() as connection:
        went = removal.remove(
            connection,
            kind,
            municipality,
            key,
            with_readings=with_readings,
            sure=sure,
        )
    output.print_note(
        f"{kind} {named} is removed, with {went['readings']} readings and "
        f"{went['cases']} cases; {went['messages']} messages stay counted in the "
        f"ledger, and {went['rejects']} rejects stay."
    )
