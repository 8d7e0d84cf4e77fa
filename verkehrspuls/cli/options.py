"""Options that commands share, with their help."""

from typing import Annotated, Final

import typer

#: What each `--to` says: tests hold all commands to it.
EXCLUSIVE: Final = "exclusive; a date means its beginning"

Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]
OfMunicipality = Annotated[
    str | None, typer.Option("--municipality", help="Only of this municipality.")
]
OfSensor = Annotated[
    str | None, typer.Option("--sensor", help="Only of this municipality/sensor.")
]
SiteName = Annotated[str, typer.Argument(help="municipality/site")]
SensorName = Annotated[str, typer.Argument(help="municipality/sensor")]

# periods of receipt
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Received from then on: a date, or a time with offset. Dates are those of "
        "the municipality where one is named, else UTC.",
    ),
]
To = Annotated[str | None, typer.Option("--to", help=f"Received before, {EXCLUSIVE}.")]

# periods of local days
FromDay = Annotated[
    str | None, typer.Option("--from", help="First local day. [default: all]")
]
ToDay = Annotated[
    str | None,
    typer.Option("--to", help=f"End, {EXCLUSIVE}. [default: all]"),
]
