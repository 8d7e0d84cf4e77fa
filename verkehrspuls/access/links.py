"""One-time links: invitations, resets of a password, and logging in without one.

A link ends in a random token, of which the database has the SHA-256. Transactions are
those of the link's viewer, see `sessions.viewer_of`.
"""

from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from verkehrspuls.access import passwords, sessions
from verkehrspuls.access.accounts import refusals, require_name
from verkehrspuls.access.sessions import Begun, Origin
from verkehrspuls.settings import Access
from verkehrspuls.storage.database import Connection, Transaction, one, read_records

Purpose = Literal["invitation", "reset", "login"]
#: of the page that a link leads to
PATH: Final = "/{language}/link/{token}"


class Made(NamedTuple):
    """A link that was made. The token is shown nowhere else."""

    token: str
    expires_at: datetime

    def at(self, address: str, language: str = "de") -> str:
        """Return the link, below the address of the pages."""
        path = PATH.format(language=language, token=self.token)
        return f"{address.rstrip('/')}{path}"


class Link(NamedTuple):
    """A link that can be used, and whom it is for."""

    purpose: Purpose
    email: str
    name: str
    expires_at: datetime


def create(
    connection: Connection,
    account_id: int,
    purpose: Purpose,
    *,
    settings: Access,
    forgets_second_factor: bool = False,
) -> Made:
    """Make a link in place of an older one for the same.

    Raises `NotManaged` for an account on which others decide as well, and `OwnAccount`.
    """
    token = sessions.new_id()
    with refusals():
        row = one(
            connection,
            "put_link",
            account_id=account_id,
            purpose=purpose,
            sha256=sessions.sha256_of(token),
            lasts=timedelta(hours=settings.link_h),
            forgets_second_factor=forgets_second_factor,
        )
    return Made(token, row["expires_at"])


def find(connection: Connection) -> Link | None:
    """Find the link of the connection's viewer; None if it cannot be used."""
    found = read_records(connection, Link, "find_link")
    return found[0] if found else None


def use(
    transaction: Transaction,
    *,
    password: str | None = None,
    name: str | None = None,
    origin: Origin,
    settings: Access,
) -> Begun | None:
    """Use a link, once, and begin a session; None if it cannot be used.

    An invitation or reset needs a new password; who is invited may correct the name.
    Raises `WeakPassword`.
    """
    with transaction() as connection:
        link = find(connection)
    if link is None or (password is None) != (link.purpose == "login"):
        return None
    name = require_name(name) if name and link.purpose == "invitation" else None
    new_hash = None
    if password is not None:
        passwords.require_strong(password, own=(link.email, name or link.name))
        new_hash = passwords.hash_of(password)
    with transaction() as connection:
        return sessions.begin(
            connection,
            "use_link",
            origin=origin,
            settings=settings,
            new_hash=new_hash,
            name=name,
        )
