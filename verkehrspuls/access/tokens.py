"""Tokens, with which programs read and write over HTTP.

A token has permissions in one municipality. It is shown only once, when it is made: the
database holds its prefix, which names it, and its SHA-256; no salt is needed, because a
token is long and random. What a token permits now is decided by the database: of a
token that a person made, what the person may.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import psycopg

from verkehrspuls.access.accounts import require_name
from verkehrspuls.access.permissions import INSTALLATION, PERMISSIONS
from verkehrspuls.access.sessions import Session
from verkehrspuls.access.viewer import ANONYMOUS, Viewer
from verkehrspuls.errors import BadParameter, UnknownKey, UsageError
from verkehrspuls.settings import Access
from verkehrspuls.storage.database import Connection, execute, read_records
from verkehrspuls.text import mark
from verkehrspuls.wording import choice

_FORM: Final = re.compile(r"(vp_[0-9a-f]{8})_[\w-]{43}", re.ASCII)
#: permissions that tokens may have; the last one by the operator's command only
GRANTABLE: Final = tuple(name for name, one in PERMISSIONS.items() if one.in_tokens)


_NO_PERMISSION: Final = mark("a token has at least one permission")
_NOT_OF_SENSOR: Final = mark("only sending readings is limited to a sensor")
_TOO_LONG: Final = mark("a token is not valid for so many days")


class NotGiven(UsageError):
    """You cannot give a token the permission {permission} in {municipality}.

    A token has only permissions that the person has there who makes it.
    """

    code = "not-given"
    http_status = 403

    permission: str
    municipality: str


class Bearer(NamedTuple):
    """Who shows a valid token: where it may do what."""

    api_token_id: int
    #: empty: the whole installation
    municipality: str
    #: to which sending readings is limited; None: all sensors of the municipality
    sensor: str | None
    #: of the token, and of the person who made it
    name: str
    permissions: Sequence[str]
    #: its use has to be noted
    is_due: bool
    viewer: Viewer = ANONYMOUS

    def may_send_for(self, municipality: str, sensor: str) -> bool:
        """Return whether the token may send for a sensor."""
        return municipality == self.municipality and self.sensor in (None, sensor)


class Listed(NamedTuple):
    """A token in a list."""

    api_token_id: int
    prefix: str
    municipality: str | None
    #: name of the municipality
    town: str | None
    sensor: str | None
    permissions: Sequence[str]
    name: str
    account_id: int | None
    #: e-mail of the person who made it; None: the operator, or not to be seen
    owner: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    state: str


def create(
    connection: Connection,
    municipality: str | None,
    *,
    permissions: Sequence[str] = ("readings",),
    sensor: str | None = None,
    name: str = "",
    expires_at: datetime | None = None,
) -> str:
    """Create a token of the operator's, which is returned only here."""
    if (municipality is None) != (INSTALLATION in permissions):
        raise BadParameter(
            parameter="permission",
            detail=f"{INSTALLATION}, and nothing else, is for the whole installation",
        )
    token = _put(
        connection,
        municipality,
        permissions=permissions,
        sensor=sensor,
        name=name,
        expires_at=expires_at,
    )
    connection.commit()
    return token


def give(
    connection: Connection,
    session: Session,
    municipality: str,
    *,
    permissions: Sequence[str],
    sensor: str | None = None,
    name: str,
    days: int,
    settings: Access,
) -> str:
    """Make a token of a person's, which is returned only here.

    Raises `NotGiven` for a permission that the person does not have there.
    """
    name = require_name(name)
    if not 1 <= days <= settings.token_days:
        raise BadParameter(parameter="days", detail=_TOO_LONG)
    for permission in permissions:
        if permission in PERMISSIONS and not session.may(permission, municipality):
            raise NotGiven(permission=permission, municipality=municipality)
    try:
        return _put(
            connection,
            municipality,
            permissions=permissions,
            sensor=sensor,
            name=name,
            expires_at=datetime.now(UTC) + timedelta(days=days),
            account_id=session.account_id,
        )
    except psycopg.errors.InsufficientPrivilege as error:
        # the roles have just changed
        raise NotGiven(
            permission=", ".join(permissions), municipality=municipality
        ) from error


def find(
    connection: Connection, token: str, *, permission: str = "view"
) -> Bearer | None:
    """Find who shows a token; None if it is unknown, expired or revoked.

    On a connection of the token's viewer. The bearer's viewer uses the token for a
    permission, whether it has it or not.
    """
    known = read_records(connection, Bearer, "find_token")
    return known[0]._replace(viewer=viewer_of(token, permission)) if known else None


def note_use(connection: Connection) -> None:
    """Note that the token of the connection's viewer is used, where it `is_due`."""
    execute(connection, "note_token_use")


def viewer_of(token: str, permission: str = "view") -> Viewer:
    """Return the viewer who shows a token, valid or not, for one of its permissions."""
    if not _FORM.fullmatch(token):
        return ANONYMOUS
    use = "" if permission == "view" else f":{permission}"
    return Viewer(_sha256(token).hex() + use)


def every(connection: Connection, municipality: str | None = None) -> list[Listed]:
    """Return all tokens that the viewer may see, or those of a municipality."""
    return read_records(connection, Listed, "list_tokens", municipality=municipality)


def revoke(connection: Connection, prefix: str) -> None:
    """Revoke a token at once, by its prefix or the whole token."""
    form = _FORM.fullmatch(prefix)
    begin = form[1] if form else prefix
    if execute(connection, "revoke_token", prefix=begin).fetchone() is None:
        raise UnknownToken(kind="token", key=begin)


def revoke_all(connection: Connection, account_id: int) -> None:
    """Revoke all tokens of a person at once."""
    execute(connection, "revoke_tokens", account_id=account_id)


class UnknownToken(UnknownKey):
    """There is no token {key}. `verkehrspuls token list` shows all."""


def _put(
    connection: Connection,
    municipality: str | None,
    *,
    permissions: Sequence[str],
    sensor: str | None,
    name: str,
    expires_at: datetime | None,
    account_id: int | None = None,
) -> str:
    for permission in permissions:
        if permission not in GRANTABLE:
            raise BadParameter(
                parameter="permission",
                detail=f"{permission} is not a permission of tokens; "
                f"{choice(permission, GRANTABLE)}",
            )
    if not permissions:
        raise BadParameter(parameter="permission", detail=_NO_PERMISSION)
    if sensor is not None and "readings" not in permissions:
        raise BadParameter(parameter="sensor", detail=_NOT_OF_SENSOR)
    prefix = f"vp_{secrets.token_hex(4)}"
    token = f"{prefix}_{secrets.token_urlsafe(32)}"
    made = execute(
        connection,
        "put_token",
        prefix=prefix,
        sha256=_sha256(token),
        municipality=municipality,
        sensor=sensor,
        account_id=account_id,
        permissions=[each for each in GRANTABLE if each in permissions],
        name=name,
        expires_at=expires_at,
    ).fetchone()
    if made is None:
        if sensor is not None:
            raise UnknownKey(kind="sensor", key=f"{municipality}/{sensor}")
        raise UnknownKey(kind="municipality", key=municipality)
    return token


def _sha256(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
