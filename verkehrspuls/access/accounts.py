"""Accounts of people, and their roles.

By the operator on a connection of the database's owner, or by a person who may invite
people: then the database lets through what concerns their municipalities.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import msgspec
import psycopg

from verkehrspuls.access.permissions import OPERATOR, ROLES, Role
from verkehrspuls.errors import BadParameter, UnknownKey, UsageError
from verkehrspuls.model import Name
from verkehrspuls.storage import known
from verkehrspuls.storage.database import Connection, execute, one
from verkehrspuls.text import mark
from verkehrspuls.wording import choice

_EMAIL: Final = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9-]+(\.[a-z0-9-]+)*", re.ASCII
)
_EMAIL_LENGTH: Final = 254
_NO_EMAIL: Final = mark(
    "this is not an e-mail address in ASCII; write an international domain as xn--…"
)
_NO_NAME: Final = mark(
    "a name has 1 to 200 characters that can be seen, and none that breaks a line or "
    "turns its direction"
)


class LastAdministrator(UsageError):
    """Nothing changed: a municipality would have no administrator any more.

    Make somebody else one first, who has chosen a password.
    """

    code = "last-administrator"
    http_status = 409


class NotManaged(UsageError):
    """Only the operator may do that: others decide on this account as well.

    Its person has a role in another municipality, or for the whole installation.
    """

    code = "not-managed"
    http_status = 403


class OwnAccount(UsageError):
    """Nobody makes a link for the own account.

    Change the password on the page of the account, or ask another administrator or the
    operator.
    """

    code = "own-account"
    http_status = 403


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person who can log in, and the roles of whom the viewer may know."""

    account_id: int
    email: str
    name: str
    state: Literal["invited", "active", "disabled"]
    has_second_factor: bool
    created_at: datetime
    disabled_at: datetime | None
    #: each with the municipality's key, None for the whole installation
    roles: tuple[tuple[str | None, Role], ...]


def add(connection: Connection, email: str, name: str) -> int:
    """Make an account where there is none for an e-mail; return its id."""
    email, name = require_email(email), require_name(name)
    return int(one(connection, "put_account", email=email, name=name)["account_id"])


def find(connection: Connection, email: str) -> Account:
    """Find an account by e-mail."""
    found = _accounts(connection, email=email.strip().lower())
    if not found:
        raise UnknownKey(kind="user", key=email)
    return found[0]


def every(
    connection: Connection,
    municipality: str | None = None,
    *,
    account_id: int | None = None,
    search: str = "",
    skip: int = 0,
    limit: int | None = None,
) -> list[Account]:
    """Return accounts by e-mail: all, or those with a role in a municipality.

    `search` is a part of name or e-mail.
    """
    return _accounts(
        connection,
        municipality=municipality,
        account_id=account_id,
        search=search.strip().lower() or None,
        skip=skip,
        limit=limit,
    )


def lone_administrators(connection: Connection) -> list[str]:
    """Return the keys of municipalities that only one person administers."""
    return [row["key"] for row in execute(connection, "lone_administrators")]


def give(
    connection: Connection, account_id: int, role: Role, municipality: str | None
) -> None:
    """Give a role in a municipality, or that of the operator; safe to repeat.

    Raises `NotManaged`, as the others do that change something.
    """
    require_role(role, municipality)
    known.require(connection, municipality)
    with refusals():
        execute(
            connection,
            "give_role",
            account_id=account_id,
            role=role,
            municipality=municipality,
        )


def take(
    connection: Connection, account_id: int, role: Role, municipality: str | None
) -> bool:
    """Take a role; False where there was none. Raises `LastAdministrator`."""
    require_role(role, municipality)
    with refusals():
        taken = execute(
            connection,
            "take_role",
            account_id=account_id,
            role=role,
            municipality=municipality,
        )
    return taken.rowcount > 0


def disable(connection: Connection, account_id: int) -> None:
    """Let a person not log in any more, and end all sessions at once.

    Raises `LastAdministrator`.
    """
    with refusals():
        if not execute(connection, "disable_account", account_id=account_id).rowcount:
            raise NotManaged


def enable(connection: Connection, account_id: int) -> None:
    """Let a person log in again."""
    if not execute(connection, "enable_account", account_id=account_id).rowcount:
        raise NotManaged


@contextmanager
def refusals() -> Iterator[None]:
    """Say in our words what the database refuses of a change."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        is_own = error.diag.constraint_name == "own_account"
        raise (OwnAccount if is_own else NotManaged) from error
    except psycopg.errors.CheckViolation as error:
        if error.diag.constraint_name != "last_administrator":
            raise
        raise LastAdministrator from error


def require_email(text: str) -> str:
    """Return an e-mail address in lower case; refuse what is none."""
    email = text.strip().lower()
    if len(email) > _EMAIL_LENGTH or not _EMAIL.fullmatch(email):
        raise BadParameter(
            parameter="email",
            detail=_NO_EMAIL,
        )
    return email


def require_name(text: str) -> str:
    """Return the name of a person; refuse what no page could show."""
    try:
        return msgspec.convert(text.strip(), Name)
    except msgspec.ValidationError:
        raise BadParameter(
            parameter="name",
            detail=_NO_NAME,
        ) from None


def require_role(role: str, municipality: str | None) -> None:
    """Refuse a role that there is not, or not there."""
    if role not in ROLES:
        raise BadParameter(
            parameter="role", detail=f"{role} is not a role; {choice(role, ROLES)}"
        )
    if (role == OPERATOR) != (municipality is None):
        where = (
            "for the whole installation" if role == OPERATOR else "in a municipality"
        )
        raise BadParameter(parameter="role", detail=f"the role {role} is {where}")


def _accounts(connection: Connection, **chosen: str | int | None) -> list[Account]:
    every_one: dict[str, str | int | None] = dict.fromkeys(
        ("email", "municipality", "account_id", "search", "skip", "limit")
    )
    rows = execute(connection, "accounts", **every_one | chosen)
    return [Account(**row | {"roles": tuple(map(tuple, row["roles"]))}) for row in rows]
