"""Tokens for sending readings and for deciding cases over HTTP.

A token is shown only once, when it is created. The database holds its prefix, which
identifies it, and its SHA-256; no salt is needed, because a token is long and random.
"""

import hashlib
import hmac
import re
import secrets
from datetime import datetime
from typing import Final, Literal, NamedTuple

from verkehrspuls.access.viewer import Viewer
from verkehrspuls.errors import UnknownKey
from verkehrspuls.storage.database import Connection, execute, read_records

Purpose = Literal["readings", "cases"]

_FORM: Final = re.compile(r"(vp_[0-9a-f]{8})_[\w-]{43}", re.ASCII)


class Bearer(NamedTuple):
    """The owner of a token: where it may send."""

    api_token_id: int
    municipality: str
    #: None: all sensors of the municipality
    sensor: str | None
    #: the operator's note about the token, else its prefix
    name: str
    viewer: Viewer

    def may_send_for(self, municipality: str, sensor: str) -> bool:
        """Return whether the token may send for a sensor."""
        return municipality == self.municipality and self.sensor in (None, sensor)


def create(
    connection: Connection,
    municipality: str,
    *,
    sensor: str | None = None,
    purpose: Purpose = "readings",
    note: str = "",
    expires_at: datetime | None = None,
) -> str:
    """Create a token, which is returned only here."""
    prefix = f"vp_{secrets.token_hex(4)}"
    token = f"{prefix}_{secrets.token_urlsafe(32)}"
    made = execute(
        connection,
        "put_token",
        prefix=prefix,
        sha256=_sha256(token),
        municipality=municipality,
        sensor=sensor,
        purpose=purpose,
        note=note,
        expires_at=expires_at,
    ).fetchone()
    if made is None:
        if sensor is not None:
            raise UnknownKey(kind="sensor", key=f"{municipality}/{sensor}")
        raise UnknownKey(kind="municipality", key=municipality)
    connection.commit()
    return token


def find(
    connection: Connection, token: str, *, purpose: Purpose = "readings"
) -> Bearer | None:
    """Find the owner of a token; None if unknown, expired or for another purpose.

    On a connection of the token's viewer: over the web nobody finds another's token.
    """
    form = _FORM.fullmatch(token)
    if form is None:
        return None
    known = read_records(
        connection, _Token, "find_token", prefix=form[1], purpose=purpose
    )
    if not known or not hmac.compare_digest(known[0].sha256, _sha256(token)):
        return None
    stored = known[0]
    execute(connection, "note_token_use", api_token_id=stored.api_token_id)
    return Bearer(
        stored.api_token_id,
        stored.municipality,
        stored.sensor,
        stored.note or form[1],
        viewer_of(token),
    )


def viewer_of(token: str) -> Viewer:
    """Return the viewer who shows a token, whether it is valid or not."""
    return Viewer(_sha256(token).hex())


def revoke(connection: Connection, prefix: str) -> None:
    """Revoke a token at once, by its prefix or the whole token."""
    form = _FORM.fullmatch(prefix)
    begin = form[1] if form else prefix
    if execute(connection, "revoke_token", prefix=begin).fetchone() is None:
        raise UnknownToken(kind="token", key=begin)
    connection.commit()


class UnknownToken(UnknownKey):
    """There is no token {key}. `verkehrspuls token list` shows all."""


class _Token(NamedTuple):
    """A valid token as stored."""

    api_token_id: int
    sha256: bytes
    municipality: str
    sensor: str | None
    note: str


def _sha256(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
