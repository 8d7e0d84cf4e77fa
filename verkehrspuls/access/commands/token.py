"""Create, list and revoke tokens for reading and writing over HTTP."""

from typing import Annotated

import typer

from verkehrspuls.cli import output
from verkehrspuls.cli.options import Json, OfMunicipality

app = typer.Typer(no_args_is_help=True)


@app.command()
def create(
    scope: Annotated[
        str | None,
        typer.Argument(
            help="Where: municipality, or municipality/sensor. [default: the whole "
            "installation]"
        ),
    ] = None,
    permissions: Annotated[
        list[str] | None,
        typer.Option(
            "--permission",
            help="What the token permits; may be repeated. [default: readings]",
        ),
    ] = None,
    name: Annotated[
        str, typer.Option("--name", "--note", help="Name, such as who uses the token.")
    ] = "",
    days: Annotated[
        int | None,
        typer.Option(
            min=1, max=36_500, help="Days that the token is valid. [default: forever]"
        ),
    ] = None,
    cases: Annotated[
        bool, typer.Option("--cases", help="The same as --permission cases.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Create a token and show it once."""
    from datetime import UTC, datetime, timedelta

    from verkehrspuls.access import tokens
    from verkehrspuls.cli import database, keys

    municipality, sensor = keys.town_or(scope, kind="sensor") if scope else (None, None)
    given = [*(permissions or ()), *(["cases"] if cases else ())]
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    with database.connection() as connection:
        token = tokens.create(
            connection,
            municipality,
            permissions=given or ["readings"],
            sensor=sensor,
            name=name,
            expires_at=expires_at,
        )
    if as_json:
        output.show_json({"token": token, "expires_at": expires_at})
        return
    output.print_result(token)
    output.print_note("The token is not stored and cannot be shown again.")


@app.command("list")
def list_tokens(municipality: OfMunicipality = None, as_json: Json = False) -> None:
    """List tokens by prefix, with their permissions and state."""
    from verkehrspuls.access import tokens
    from verkehrspuls.cli import database

    with database.connection(municipality) as connection:
        found = tokens.every(connection, municipality)
    output.show_list(
        [one._asdict() for one in found],
        (
            *("token", "scope", "permissions", "state", "name", "owner", "created_at"),
            *("expires_at", "last_used_at"),
        ),
        as_json=as_json,
        shown=lambda row: {
            **row,
            "token": f"{row['prefix']}…",
            "scope": "/".join(filter(None, (row["municipality"], row["sensor"]))),
            "permissions": ", ".join(row["permissions"]),
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
