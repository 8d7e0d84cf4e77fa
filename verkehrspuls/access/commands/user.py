"""Invite people, give them roles, and end their access."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, cast

import typer

from verkehrspuls.cli import output
from verkehrspuls.cli.options import Json, OfMunicipality

if TYPE_CHECKING:
    from verkehrspuls.access.accounts import Account
    from verkehrspuls.access.links import Made
    from verkehrspuls.access.permissions import Role
    from verkehrspuls.settings import Settings
    from verkehrspuls.storage.database import Connection

app = typer.Typer(no_args_is_help=True)

Email = Annotated[str, typer.Argument(help="E-mail address of the person.")]
Name = Annotated[
    str, typer.Option(help="Name of the person. [default: as it is, of a known one]")
]
Roles = Annotated[
    list[str] | None,
    typer.Option("--role", help="municipality/role, or operator; may be repeated."),
]
Language = Annotated[
    Literal["de", "en"], typer.Option(help="Language of the page that opens.")
]


class Named(NamedTuple):
    """A role as commands name it."""

    role: "Role"
    municipality: str | None


@app.command()
def add(
    email: Email, name: Name = "", roles: Roles = None, as_json: Json = False
) -> None:
    """Add an account with roles, without an invitation."""
    with _database() as (connection, _):
        account = _put(connection, email, name, roles)
    _show_account(account, as_json=as_json)


@app.command()
def invite(
    email: Email,
    name: Name = "",
    roles: Roles = None,
    language: Language = "de",
    as_json: Json = False,
) -> None:
    """Add an account with roles, and show a link for choosing a password."""
    from verkehrspuls.access import links

    with _database() as (connection, settings):
        account = _put(connection, email, name, roles)
        made, link = None, ""
        if account.state == "invited":
            made = links.create(
                connection, account.account_id, "invitation", settings=settings.access
            )
            link = _address_of(made, settings, language)
    if made is None:
        output.print_note(f"{account.email} is {account.state} and needs no link.")
    _show_link(account, link, made, as_json=as_json)


@app.command("list")
def list_users(municipality: OfMunicipality = None, as_json: Json = False) -> None:
    """List people, with their state and roles."""
    from verkehrspuls.access import accounts
    from verkehrspuls.cli import database

    with database.connection(municipality) as connection:
        found = accounts.every(connection, municipality)
    output.show_list(
        [_row(account) for account in found],
        ("email", "name", "state", "second_factor", "roles", "created_at"),
        as_json=as_json,
        shown=lambda row: {**row, "roles": ", ".join(row["roles"])},
    )


@app.command()
def show(email: Email, as_json: Json = False) -> None:
    """Show a person's state and roles."""
    from verkehrspuls.access import accounts

    with _database() as (connection, _):
        account = accounts.find(connection, email)
    _show_account(account, as_json=as_json)


@app.command()
def role(
    email: Email,
    named: Annotated[
        str, typer.Argument(metavar="ROLE", help="municipality/role, or operator.")
    ],
    take: Annotated[
        bool, typer.Option("--take", help="Take the role instead of giving it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Give a role, or take it; open sessions get a new id."""
    from verkehrspuls.access import accounts
    from verkehrspuls.errors import UnknownKey

    given = _named(named)
    with _database() as (connection, _):
        account = accounts.find(connection, email)
        if not take:
            accounts.give(connection, account.account_id, *given)
        elif not accounts.take(connection, account.account_id, *given):
            raise UnknownKey(kind="user", key=f"{account.email} with {named}")
        account = accounts.find(connection, email)
    _show_account(account, as_json=as_json)


@app.command()
def disable(email: Email) -> None:
    """Disable an account; all of its sessions and links end at once."""
    from verkehrspuls.access import accounts

    with _database() as (connection, _):
        account = accounts.find(connection, email)
        accounts.disable(connection, account.account_id)
    output.print_note(f"{account.email} is disabled.")


@app.command()
def enable(email: Email) -> None:
    """Enable an account again."""
    from verkehrspuls.access import accounts

    with _database() as (connection, _):
        account = accounts.find(connection, email)
        accounts.enable(connection, account.account_id)
    output.print_note(f"{account.email} is enabled.")


@app.command()
def unlink(email: Email) -> None:
    """Unlink an account from the provider of single sign-on."""
    from verkehrspuls.access import accounts, oidc
    from verkehrspuls.errors import UsageError

    with _database() as (connection, _):
        account = accounts.find(connection, email)
        if not oidc.unlink(connection, account.account_id):
            raise UsageError(reason=f"{account.email} is not linked")
    output.print_note(f"{account.email} is unlinked.")


@app.command()
def reset(
    email: Email,
    second_factor: Annotated[
        bool,
        typer.Option("--second-factor", help="Forget the second factor as well."),
    ] = False,
    language: Language = "de",
    as_json: Json = False,
) -> None:
    """Show a link for choosing a new password; the old one is valid until then."""
    from verkehrspuls.access import accounts, links
    from verkehrspuls.errors import UsageError

    with _database() as (connection, settings):
        account = accounts.find(connection, email)
        if account.state == "disabled":
            raise UsageError(reason=f"{account.email} is disabled; enable it first")
        made = links.create(
            connection,
            account.account_id,
            "reset",
            settings=settings.access,
            forgets_second_factor=second_factor,
        )
        link = _address_of(made, settings, language)
    _show_link(account, link, made, as_json=as_json)


@app.command()
def sessions(
    email: Email,
    end: Annotated[bool, typer.Option("--end", help="End all of them.")] = False,
    as_json: Json = False,
) -> None:
    """List a person's sessions, or end them."""
    from verkehrspuls.access import accounts
    from verkehrspuls.access import sessions as known

    with _database() as (connection, _):
        account = accounts.find(connection, email)
        if end:
            ended = known.end_all(connection, account.account_id)
            output.print_note(f"{ended} sessions of {account.email} are ended.")
        found = known.of_account(connection, account.account_id)
    output.show_list(
        [one._asdict() for one in found],
        ("seen_at", "created_at", "expires_at", "address", "user_agent"),
        as_json=as_json,
    )


@contextmanager
def _database() -> "Iterator[tuple[Connection, Settings]]":
    from verkehrspuls.cli import database
    from verkehrspuls.stack.state import resolve

    settings = resolve()
    with database.connection(settings=settings) as connection:
        yield connection, settings


def _put(
    connection: "Connection", email: str, name: str, roles: list[str] | None
) -> "Account":
    """Make an account where there is none, and give it roles."""
    from verkehrspuls.access import accounts
    from verkehrspuls.errors import UnknownKey, UsageError

    given = [_named(role) for role in roles or ()]
    if name:
        accounts.add(connection, email, name)
    try:
        account = accounts.find(connection, email)
    except UnknownKey:
        accounts.require_email(email)
        raise UsageError(reason="a new person needs a --name") from None
    for one in given:
        accounts.give(connection, account.account_id, *one)
    return accounts.find(connection, email)


def _named(text: str) -> Named:
    from verkehrspuls.access import accounts

    municipality, slash, role = text.rpartition("/")
    where = municipality if slash else None
    accounts.require_role(role, where)
    return Named(cast("Role", role), where)


def _address_of(made: "Made", settings: "Settings", language: str) -> str:
    from verkehrspuls.errors import UsageError

    if not settings.pages.address:
        raise UsageError(
            reason="links need the public address of the pages; set "
            "VERKEHRSPULS_PAGES__ADDRESS, such as to https://verkehr.example.org"
        )
    return made.at(settings.pages.address, language)


def _row(account: "Account") -> dict[str, Any]:
    return {
        "email": account.email,
        "name": account.name,
        "state": account.state,
        "second_factor": account.has_second_factor,
        "roles": ["/".join(filter(None, role)) for role in account.roles],
        "created_at": account.created_at,
        "disabled_at": account.disabled_at,
    }


def _show_account(account: "Account", *, as_json: bool) -> None:
    row = _row(account)
    if as_json:
        output.show_json(row)
    else:
        output.show_facts({**row, "roles": ", ".join(row["roles"])})


def _show_link(
    account: "Account", link: str, made: "Made | None", *, as_json: bool
) -> None:
    if as_json:
        expires_at = made and made.expires_at
        output.show_json(
            {"email": account.email, "link": link or None, "expires_at": expires_at}
        )
    elif made is not None:
        output.print_result(link)
        output.print_note(
            f"Give it to {account.email} only. It can be used once, until "
            f"{made.expires_at:%Y-%m-%dT%H:%M:%SZ}, and cannot be shown again."
        )
