"""Create, list and revoke tokens for writing over HTTP."""

from typing import Annotated

import typer

from verkehrspuls.cli import output
from verkehrspuls.cli.options import Json, OfMunicipality

app = typer.Typer(no_args_is_help=True)


@app.command()
def create(
    scope: Annotated[
        str, typer.Argument(help="Who may write: municipality, or municipality/sensor.")
    ],
    days: Annotated[
        int | None,
        typer.Option(
            min=1, max=36_500, help="Days that the token is valid. [default: forever]"
        ),
    ] = None,
    cases: Annotated[
        bool,
        typer.Option(
            "--cases", help="Permit deciding cases instead of sending readings."
        ),
    ] = False,
    note: Annotated[str, typer.Option(help="Note, such as who uses the token.")] = "",
    as_json: Json = False,
) -> None:
    """Create a token and show it once."""
    from datetime import UTC, datetime, timedelta

    from verkehrspuls.access import tokens
    from verkehrspuls.cli import database, keys
    from verkehrspuls.errors import UsageError

    municipality, sensor = keys.town_or(scope, kind="sensor")
    if cases and sensor:
        raise UsageError(
            reason="a token for cases belongs to a municipality, not to a sensor"
        )
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    with database.connection() as connection:
        token = tokens.create(
            connection,
            municipality,
            sensor=sensor,
            purpose="cases" if cases else "readings",
            note=note,
            expires_at=expires_at,
        )
    if as_json:
        output.show_json({"token": token, "expires_at": expires_at})
        return
    output.print_result(token)
    output.print_note("The token is not stored and cannot be shown again.")


@app.command("list")
def list_tokens(municipality: OfMunicipality = None, as_json: Json = False) -> None:
    """List tokens by prefix, with their purpose and state."""
    from verkehrspuls.cli import database
    from verkehrspuls.storage.database import execute

    with database.connection(municipality) as connection:
        rows = execute(connection, "list_tokens", municipality=municipality).fetchall()
    output.show_list(
        rows,
        (
            *("token", "scope", "purpose", "state", "note", "created_at"),
            *("expires_at", "last_used_at"),
        ),
        as_json=as_json,
        shown=lambda row: {
            **row,
            "token": f"{row['prefix']}…",
            "scope": "/".join(filter(None, (row["municipality"], row["sensor"]))),
        },
    )


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(help="Prefix of the token; see `list`.")],
) -> None:
    """Revoke a token; it is refused from now on."""
    from verkehrspuls.access import tokens
    from verkehrspuls.cli import database

    with database.connection() as connection:
        tokens.revoke(connection, token.removesuffix("…"))
    output.print_note("The token is revoked.")
