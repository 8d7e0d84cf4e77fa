"""Who asks: the viewer of a request, and the database as that viewer sees it."""

import hashlib
import hmac
import secrets
from typing import Final, NamedTuple

from fastapi import Request

from api.database import Seen
from verkehrspuls.access import sessions
from verkehrspuls.access.sessions import Session
from verkehrspuls.access.tokens import Bearer
from verkehrspuls.access.viewer import ANONYMOUS, Viewer

_FORM_TOKEN_BYTES: Final = 16


class Visit(NamedTuple):
    """A request within a session, whether that is complete or not."""

    id: str
    session: Session

    @property
    def viewer(self) -> Viewer:
        """The viewer whose session it is."""
        return sessions.viewer_of(self.id)

    def form_token(self) -> str:
        """Return what forms of this session contain, and others do not know.

        It is another one each time, under a random mask: else its length in compressed
        pages would tell it to who listens and has some of their text (BREACH).
        """
        mask = secrets.token_bytes(_FORM_TOKEN_BYTES)
        return (mask + self._masked(mask)).hex()

    def is_own(self, form_token: str) -> bool:
        """Return whether a form is of this session."""
        try:
            given = bytes.fromhex(form_token)
        except ValueError:
            return False
        mask, masked = given[:_FORM_TOKEN_BYTES], given[_FORM_TOKEN_BYTES:]
        return len(mask) == _FORM_TOKEN_BYTES and hmac.compare_digest(
            masked, self._masked(mask)
        )

    def _masked(self, mask: bytes) -> bytes:
        secret = hashlib.sha256(f"form {self.id}".encode()).digest()
        return bytes(a ^ b for a, b in zip(mask, secret, strict=False))


def visit_of(request: Request) -> Visit | None:
    """Return the session of a request; None if nobody is logged in."""
    visit: Visit | None = getattr(request.state, "visit", None)
    return visit


def is_unsure(request: Request) -> bool:
    """Return whether a session was shown that cannot be looked up at the moment."""
    return getattr(request.state, "unsure", False)


def viewer_of(request: Request) -> Viewer:
    """Return who reads: by the token that was found, else by the session."""
    bearer: Bearer | None = getattr(request.state, "bearer", None)
    if bearer:
        return bearer.viewer
    visit = visit_of(request)
    return visit.viewer if visit else ANONYMOUS


def seen_by(request: Request) -> Seen:
    """Return the database as the viewer of a request sees it."""
    return Seen(request.app.state.database, viewer_of(request))
