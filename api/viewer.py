"""Who asks: the viewer of a request, and the database as that viewer sees it."""

import hashlib
import hmac
from typing import Final, NamedTuple

from fastapi import Request

from api.database import Seen
from verkehrspuls.access import sessions
from verkehrspuls.access.sessions import Session
from verkehrspuls.access.tokens import Bearer
from verkehrspuls.access.viewer import ANONYMOUS, Viewer

_FORM_TOKEN_LENGTH: Final = 32


class Visit(NamedTuple):
    """A request within a session, whether that is complete or not."""

    id: str
    session: Session

    @property
    def viewer(self) -> Viewer:
        """The viewer whose session it is."""
        return sessions.viewer_of(self.id)

    @property
    def form_token(self) -> str:
        """What forms of this session contain, and others do not know."""
        digest = hashlib.sha256(f"form {self.id}".encode()).hexdigest()
        return digest[:_FORM_TOKEN_LENGTH]

    def is_own(self, form_token: str) -> bool:
        """Return whether a form is of this session."""
        return hmac.compare_digest(form_token.encode(), self.form_token.encode())


def visit_of(request: Request) -> Visit | None:
    """Return the session of a request; None if nobody is logged in."""
    visit: Visit | None = getattr(request.state, "visit", None)
    return visit


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
