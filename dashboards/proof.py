"""Proof of who somebody is, before what changes how they log in, or who acts for them.

A route that does such a thing has a parameter `Proved` in place of `Sent`. Who has not
shown who they are in the last ten minutes is asked to, on a page that sends the form
again, with a password, a code or a passkey in a field of `WAYS`. The database refuses
all others by itself.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Final, NamedTuple

from fastapi import Depends, Request

from api import session
from api.viewer import Visit
from dashboards.forms import WRONG_CODE, Form, Posted, Sent, Values
from dashboards.pages.passkeys.view import NOT_ACCEPTED, party_of
from dashboards.render import Now, language_of
from verkehrspuls.access import passkeys, sessions, tokens
from verkehrspuls.errors import VerkehrspulsError
from verkehrspuls.storage.database import Connection
from verkehrspuls.text import mark

#: names of fields
PASSWORD: Final = "proof_password"  # noqa: S105 - the name of a field
CODE: Final = "proof_code"
PASSKEY: Final = "proof_passkey"


class ProofNeeded(Exception):
    """Who sent the form has to show who they are."""

    def __init__(self, values: Values, form: Form) -> None:
        super().__init__()
        #: what was sent, to be sent again
        self.values = values
        #: what is wrong with what was shown
        self.form = form


class Way(NamedTuple):
    """How somebody shows who they are."""

    #: returns the session's new id; None: it is wrong
    show: Callable[[Request, Visit, str, datetime], str | None]
    wrong: str


def _by_password(
    request: Request, visit: Visit, given: str, now: datetime
) -> str | None:
    return sessions.show_password(
        session.transaction_for(request, visit.viewer),
        given,
        email=visit.session.email,
        origin=session.origin_of(request),
        settings=request.app.state.settings.access,
    )


def _by_code(request: Request, visit: Visit, given: str, now: datetime) -> str | None:
    return sessions.show_second_factor(
        session.transaction_for(request, visit.viewer),
        given,
        now=now,
        settings=request.app.state.settings.access,
    )


def _by_passkey(
    request: Request, visit: Visit, given: str, now: datetime
) -> str | None:
    return passkeys.show(
        session.transaction_for(request, visit.viewer),
        party_of(request),
        given,
        settings=request.app.state.settings.access,
    )


#: by name of the field
WAYS: Final[Mapping[str, Way]] = {
    PASSWORD: Way(_by_password, mark("This is not your password.")),
    CODE: Way(_by_code, WRONG_CODE),
    PASSKEY: Way(_by_passkey, NOT_ACCEPTED),
}


def require(
    request: Request, sent: Posted, now: datetime, *, password: bool = False
) -> Posted:
    """Return a form of somebody who has shown who they are, in it or a moment ago.

    With `password` that is the only way, and has to be in the form. The session of what
    is returned may have a new id. Raises `ProofNeeded`.
    """
    mine = sent.visit.session
    others = [pair for pair in sent.values.multi_items() if pair[0] not in WAYS]
    values = Values(others)
    # one that waits for its first second factor has just begun
    if not password and (mine.has_proved or not mine.is_complete):
        return Posted(sent.visit, values)
    form, language = Form(status=403), language_of(request)
    names = (PASSWORD,) if password else tuple(WAYS)
    name = next((name for name in names if sent.values.get(name)), None)
    if name is None:
        raise ProofNeeded(values, form)
    try:
        made = WAYS[name].show(request, sent.visit, sent.values[name], now)
    except VerkehrspulsError as error:
        form.refuse(error, language, now=now)
        raise ProofNeeded(values, form) from error
    if made is None:
        said, form.status = language.phrase(WAYS[name].wrong), 422
        if name == PASSKEY:
            form.general = said
        else:
            form.errors[name] = said
        raise ProofNeeded(values, form)
    return Posted(session.take_over(request, made), values)


def _proved(request: Request, sent: Sent, now: Now) -> Posted:
    return require(request, sent, now)


#: a form of somebody who has just shown who they are
Proved = Annotated[Posted, Depends(_proved)]


def end_others(connection: Connection, sent: Posted) -> None:
    """End what the boxes of a form say that ends with a way to log in."""
    mine = sent.visit.session
    if sent.text("others"):
        sessions.end_all(connection, mine.account_id, but=mine.session_id)
    if sent.text("tokens"):
        tokens.revoke_all(connection, mine.account_id)
