"""Options that commands share, with their help."""

from collections.abc import Callable
from functools import wraps
from inspect import Signature, signature
from typing import Annotated, Any, Concatenate, Final, ParamSpec, TypeVar

import typer

R = TypeVar("R")
P = ParamSpec("P")

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
        help="Start of the period of receipt: a local date or time if a municipality "
        "or sensor is named, else a date in UTC; or a time with offset.",
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


def takes(
    record: type[R],
) -> Callable[[Callable[Concatenate[R, P], None]], Callable[..., None]]:
    """Let a command have the fields of a record as its first parameters.

    The command receives the record as its first argument. So commands share parameters
    with their annotations and defaults, which are those of the fields.
    """
    fields = signature(record).parameters

    def decorate(command: Callable[Concatenate[R, P], None]) -> Callable[..., None]:
        _, *others = signature(command).parameters.values()
        call: Callable[..., None] = command

        @wraps(command)
        def run(**given: Any) -> None:
            values = {name: given.pop(name) for name in fields}
            call(record(**values), **given)

        parameters = [*fields.values(), *others]
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # read by Typer
        return run

    return decorate
