"""Options that commands share, with their help."""

from typing import Annotated, Final

import typer

#: In the help of each `--to`; a test checks all commands.
EXCLUSIVE: Final = "exclusive; a date means the start of that day"

Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]
OfMunicipality = Annotated[
    str | None,
    typer.Option("--municipality", help="Key of a municipality. [default: all]"),
]
OfSensor = Annotated[
    str | None,
    typer.Option("--sensor", help="Sensor, as municipality/sensor. [default: all]"),
]
SiteName = Annotated[str, typer.Argument(help="Site, as municipality/site.")]
SensorName = Annotated[str, typer.Argument(help="Sensor, as municipality/sensor.")]

# periods of receipt
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Start of the period of receipt: a date, or a time with offset. Dates "
        "are local if a municipality is named, else in UTC.",
    ),
]
To = Annotated[
    str | None, typer.Option("--to", help=f"End of the period of receipt, {EXCLUSIVE}.")
]

# periods of local days
FromDay = Annotated[
    str | None, typer.Option("--from", help="First local day. [default: no limit]")
]
ToDay = Annotated[
    str | None,
    typer.Option("--to", help=f"End of the period, {EXCLUSIVE}. [default: no limit]"),
]
