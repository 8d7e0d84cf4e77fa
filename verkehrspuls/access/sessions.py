"""Sessions: how people log in, stay logged in, and log out.

A session is a random id in a cookie; the database has its SHA-256. `transaction` lends
a connection for one transaction; after logging in it is that of the session's viewer,
see `viewer_of`. Limits are counted in transactions of their own, so that they stand
whatever comes of the attempt, and no connection waits while a hash is computed.
"""

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final, NamedTuple

from verkehrspuls.access import limits, passwords, totp
from verkehrspuls.access.limits import TooManyAttempts
from verkehrspuls.access.permissions import PERMISSIONS, Role
from verkehrspuls.access.viewer import Viewer
from verkehrspuls.model import CONTROLS
from verkehrspuls.settings import Access
from verkehrspuls.storage.database import (
    Connection,
    Transaction,
    execute,
    one,
    read_records,
)

_USER_AGENT_LENGTH: Final = 200
_CONTROL: Final = re.compile(f"[{CONTROLS}]")


class Origin(NamedTuple):
    """Where a request came from."""

    address: str = ""
    user_agent: str = ""


class Begun(NamedTuple):
    """A session that has begun. The id is shown nowhere else."""

    id: str
    #: else the second factor has to be shown, or set up where there is none yet
    is_complete: bool
    has_second_factor: bool


class Held(NamedTuple):
    """A role that somebody has."""

    #: key of the municipality; None: the whole installation
    municipality: str | None
    role: Role
    #: name of the municipality
    town: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The session of a viewer, complete or not, and the person of it."""

    session_id: int
    account_id: int
    email: str
    name: str
    is_complete: bool
    has_second_factor: bool
    #: the person has shown who they are in the last ten minutes
    has_proved: bool
    #: roles have changed: it may do nothing until it is renewed
    is_outdated: bool
    #: `renew` is to be called
    is_due: bool
    created_at: datetime
    expires_at: datetime
    roles: tuple[Held, ...]

    def may(self, permission: str, municipality: str) -> bool:
        """Return whether the person may do something in a municipality, to show it.

        The database decides by itself.
        """
        roles = PERMISSIONS[permission].roles
        return self.is_complete and any(
            where in (municipality, None) and role in roles
            for where, role, _ in self.roles
        )

    def may_somewhere(self, permission: str) -> bool:
        """Return whether the person may do something in any municipality."""
        return any(self.may(permission, held.municipality or "") for held in self.roles)


class Factors(NamedTuple):
    """What second factors a person has."""

    codes: bool
    passkeys: bool


class Ways(NamedTuple):
    """By what a person can show who they are."""

    password: bool
    codes: bool
    passkeys: bool
    #: when the account was linked with single sign-on; None: it is not
    linked_at: datetime | None


class Listed(NamedTuple):
    """A session in the list of an account's sessions."""

    session_id: int
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str | None
    user_agent: str


def log_in(
    transaction: Transaction,
    email: str,
    password: str,
    *,
    origin: Origin,
    settings: Access,
) -> Begun | None:
    """Begin a session; None if e-mail or password is wrong, or the account disabled.

    It takes as long for an unknown e-mail. Raises `TooManyAttempts`.
    """
    email = email.strip().lower()
    salt = _salt(transaction, email, origin=origin, settings=settings)
    proof = passwords.prove(password, salt)
    renewed = passwords.hash_of(password) if passwords.is_outdated(salt) else None
    with transaction() as connection:
        return begin(
            connection,
            "log_in",
            origin=origin,
            settings=settings,
            email=email,
            proof=proof,
            renewed=renewed,
        )


def begin(
    connection: Connection,
    query: str,
    *,
    origin: Origin,
    settings: Access,
    **parameters: Any,
) -> Begun | None:
    """Begin a session by a query that checks who may."""
    made = new_id()
    row = execute(
        connection,
        query,
        sha256=sha256_of(made),
        lasts=timedelta(hours=settings.session_h),
        idle=timedelta(minutes=settings.idle_min),
        strict_roles=list(settings.second_factor),
        address=_address(origin.address),
        user_agent=printable(origin.user_agent)[:_USER_AGENT_LENGTH],
        **parameters,
    ).fetchone()
    return row and Begun(made, row["is_complete"], row["has_second_factor"])


def find(connection: Connection) -> Session | None:
    """Find the session of the connection's viewer; None if it has ended."""
    rows = execute(connection, "find_session").fetchall()
    if not rows:
        return None
    (row,) = rows
    return Session(**row | {"roles": tuple(Held(*role) for role in row["roles"])})


def factors(connection: Connection) -> Factors:
    """Return what second factors the person of the viewer's session has."""
    return Factors(**one(connection, "second_factors"))


def renew(connection: Connection, *, settings: Access) -> str | None:
    """Note that a session `is_due` is used; return its new id, if it got one."""
    made = new_id()
    changed = one(
        connection,
        "renew_session",
        sha256=sha256_of(made),
        strict_roles=list(settings.second_factor),
    )["changed"]
    return made if changed else None


def show_second_factor(
    transaction: Transaction, given: str, *, now: datetime, settings: Access
) -> str | None:
    """Complete a session by a code, or show who its person is; return its new id.

    None if the code is wrong, or nothing is to be shown. Raises `TooManyAttempts`.
    """
    with transaction() as connection:
        row = execute(connection, "second_factor").fetchone()
        if row is None or row["totp_secret"] is None:
            return None
        until = limits.count(
            connection, "second-factor", str(row["account_id"]), settings
        )
    if until is not None:
        raise TooManyAttempts(until=until)
    step = totp.step_of(row["totp_secret"], given, now=now)
    if step is None:
        return None
    with transaction() as connection:
        return _pass(connection, step, None)


def set_up_second_factor(
    connection: Connection, secret: bytes, given: str, *, now: datetime
) -> str | None:
    """Set up a second factor where there is none, by the first code of its secret.

    Return the session's new id; None if the code is wrong, or there is a second factor.
    """
    step = totp.step_of(secret, given, now=now)
    return None if step is None else _pass(connection, step, secret)


def ways(connection: Connection) -> Ways:
    """Return by what the person of the viewer's session can show who they are."""
    return Ways(**one(connection, "ways_to_prove"))


def show_password(
    transaction: Transaction,
    password: str,
    *,
    email: str,
    origin: Origin,
    settings: Access,
) -> str | None:
    """Show who the person of a session is; return its new id, None if it is wrong.

    Raises `TooManyAttempts`.
    """
    salt = _salt(transaction, email, origin=origin, settings=settings)
    proof, made = passwords.prove(password, salt), new_id()
    with transaction() as connection:
        passed = one(connection, "pass_password", proof=proof, sha256=sha256_of(made))
    return made if passed["passed"] else None


def change_password(
    transaction: Transaction,
    session: Session,
    new: str,
    *,
    also: Callable[[Connection], None] = lambda _: None,
) -> bool:
    """Change the own password, or choose one; False unless the session `has_proved`.

    `also` is done in the same transaction. Raises `WeakPassword`.
    """
    passwords.require_strong(new, own=(session.email, session.name))
    new_hash = passwords.hash_of(new)
    with transaction() as connection:
        changed = one(connection, "change_password", new_hash=new_hash)["changed"]
        if changed:
            also(connection)
    return bool(changed)


def of_account(connection: Connection, account_id: int) -> list[Listed]:
    """Return the sessions of an account, the one used last first."""
    return read_records(connection, Listed, "list_sessions", account_id=account_id)


def end(connection: Connection) -> None:
    """End the session of the connection's viewer."""
    execute(connection, "end_session")


def end_all(
    connection: Connection,
    account_id: int,
    *,
    only: int | None = None,
    but: int | None = None,
) -> int:
    """End all sessions of an account, `only` one, or all `but` one; return how many."""
    return execute(
        connection, "end_sessions", account_id=account_id, only=only, but=but
    ).rowcount


def new_id() -> str:
    """Return a new id of a session or link: 256 random bits."""
    return secrets.token_urlsafe(32)


def sha256_of(made: str) -> bytes:
    """Return what the database has of an id."""
    return hashlib.sha256(made.encode()).digest()


def viewer_of(made: str) -> Viewer:
    """Return the viewer who shows a session or link, whether it is valid or not."""
    return Viewer(sha256_of(made).hex())


def printable(text: str) -> str:
    """Return words of a stranger without what could break a line."""
    return _CONTROL.sub(" ", text)


def _salt(
    transaction: Transaction, email: str, *, origin: Origin, settings: Access
) -> str:
    """Count an attempt with a password; return parameters and salt of its hash.

    Raises `TooManyAttempts`.
    """
    salt, until = "", None
    with transaction() as connection:
        # first, so that no address fills the database with e-mails that it makes up
        if network := limits.network(origin.address):
            until = limits.count(connection, "address", network, settings)
        if until is None:
            until = limits.count(connection, "password", email, settings)
        if until is None:
            usual = passwords.COST.text
            salt = one(connection, "password_salt", email=email, usual=usual)["salt"]
    if until is not None:
        raise TooManyAttempts(until=until)
    return salt


def _pass(connection: Connection, step: int, secret: bytes | None) -> str | None:
    made = new_id()
    passed = one(
        connection,
        "pass_second_factor",
        step=step,
        sha256=sha256_of(made),
        secret=secret,
    )["passed"]
    return made if passed else None


def _address(text: str) -> str | None:
    try:
        # without the zone of a link, which the database does not know
        return str(ip_address(text.partition("%")[0]))
    except ValueError:
        return None
