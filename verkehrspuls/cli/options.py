"""What commands for the operator have in common: connection, periods, sensors."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from verkehrspuls.errors import UnknownKey, UsageError

if TYPE_CHECKING:
    from verkehrspuls.storage.database import Connection

Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]
OfMunicipality = Annotated[
    str | None, typer.Option("--municipality", help="Only of this municipality.")
]
OfSensor = Annotated[
    str | None, typer.Option("--sensor", help="Only of this municipality/sensor.")
]
From = Annotated[
    str | None,
    typer.Option(
        "--from", help="Received from then on: a date, or a time with offset."
    ),
]
To = Annotated[
    str | None, typer.Option("--to", help="Received before; dates mean midnight UTC.")
]


def moment(text: str | None) -> datetime | None:
    """Read a date, which means midnight UTC, or a time with offset."""
    from verkehrspuls.moments import parse_moment, utc

    if text is None:
        return None
    try:
        return utc(parse_moment(text))
    except ValueError as error:
        raise UsageError(reason=f"{text}: {error}.") from error


def moment_there(
    connection: "Connection", municipality: str, text: str | None
) -> datetime | None:
    """Read a date or time by a municipality's clock, or a time with offset."""
    from verkehrspuls.calendar import day_start
    from verkehrspuls.moments import parse_at
    from verkehrspuls.storage.database import execute

    town = execute(connection, "municipality", key=municipality).fetchone()
    if text is None or town is None:  # it is told by what follows
        return None
    try:
        found = parse_at(text, town["time_zone"])
    except ValueError as error:
        raise UsageError(reason=f"{text}: {error}.") from error
    if isinstance(found, datetime):
        return found.astimezone(UTC)
    return day_start(found, town["time_zone"])


def period(
    from_: str | None, to: str | None
) -> tuple[datetime | None, datetime | None]:
    """Read begin and end, of which each may be open."""
    start, end = moment(from_), moment(to)
    if start and end and start >= end:
        raise UsageError(reason=f"--from {from_} must be before --to {to}")
    return start, end


def parse_key(text: str, *, kind: str) -> tuple[str, str]:
    """Take `municipality/key` apart."""
    municipality, slash, key = text.partition("/")
    if not (municipality and slash and key) or "/" in key:
        raise UsageError(
            reason=f"a {kind} is named municipality/{kind}, not {text}. "
            f"`verkehrspuls {kind} list` shows all"
        )
    return municipality, key


def keys(municipality: str | None, sensor: str | None) -> tuple[str | None, str | None]:
    """Take `municipality/sensor` apart where it is given, else the municipality."""
    return parse_key(sensor, kind="sensor") if sensor else (municipality, None)


@contextmanager
def connection(municipality: str | None = None) -> "Iterator[Connection]":
    """Connect to the database that is set, or that of a running `up`.

    A municipality that is named must be registered.
    """
    from verkehrspuls.stack.state import resolve
    from verkehrspuls.storage.database import connect, execute

    url = resolve().database.url.get_secret_value()
    with connect(url, application="verkehrspuls operator") as opened:
        if municipality is not None:
            found = execute(opened, "municipality", key=municipality)
            if found.fetchone() is None:
                raise UnknownKey(kind="municipality", key=municipality)
        yield opened
