"""The page of tokens: the own ones, those of a person's towns, and a new one."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from fastapi import Request, Response

from dashboards.forms import Form
from dashboards.pages.account.view import ZONE
from dashboards.render import database_of, render
from verkehrspuls.access import tokens
from verkehrspuls.access.sessions import Session
from verkehrspuls.access.tokens import Listed
from verkehrspuls.language import Language
from verkehrspuls.storage.sites import list_municipalities
from verkehrspuls.text import mark

#: of the address, below that of the account
PART: Final = "tokens"
#: what people may give a token, and how pages name it
PERMISSIONS: Final = {
    "view": mark("See what is not public"),
    "cases": mark("Decide and comment cases"),
    "register": mark("Register sites and sensors"),
    "readings": mark("Send readings"),
}
_STATES: Final = {"revoked": mark("revoked"), "expired": mark("expired"), "valid": ""}
_DONE: Final = {"revoked": mark("The token is revoked. It is refused from now on.")}


class Line(NamedTuple):
    """A token in a list."""

    prefix: str
    name: str
    town: str
    permissions: str
    sensor: str
    #: who made it, where that is somebody else
    owner: str
    #: empty while it is valid
    state: str
    made: str
    expires: str
    used: str


def tokens_page(
    request: Request,
    language: Language,
    form: Form,
    mine: Session,
    *,
    chosen: Sequence[str] = ("view",),
    done: str = "",
) -> Response:
    """Show all tokens that a person sees, and a form for a new one."""
    with database_of(request).connection() as connection:
        found = tokens.every(connection)
    own, others = (
        [
            line_of(one, mine, language)
            for one in found
            if (one.account_id == mine.account_id) == is_own
        ]
        for is_own in (True, False)
    )
    towns = towns_of(request, mine)
    response = render(
        request,
        language,
        "pages/tokens/tokens.html",
        lists=[
            ("own", language.phrase(mark("Your tokens")), own),
            ("others", language.phrase(mark("Other tokens of your towns")), others),
        ],
        towns=towns,
        permissions={
            name: language.phrase(words)
            for name, words in PERMISSIONS.items()
            if any(mine.may(name, town) for town in towns)
        },
        chosen=chosen,
        most_days=request.app.state.settings.access.token_days,
        form=form,
        done=language.phrase(_DONE[done]) if done in _DONE else "",
    )
    response.status_code = form.status
    return response


def towns_of(request: Request, mine: Session) -> dict[str, str]:
    """Return the towns where a person may give something to a token, by key."""
    with database_of(request).connection() as connection:
        known = list_municipalities(connection)
    return {
        town.key: town.name
        for town in known
        if any(mine.may(name, town.key) for name in PERMISSIONS)
    }


def line_of(one: Listed, mine: Session, language: Language) -> Line:
    """Describe a token."""
    owner = ""
    if one.account_id is None:
        owner = language.phrase(mark("made by the operator"))
    elif one.account_id != mine.account_id:
        owner = one.owner or language.phrase(mark("made by somebody else"))
    return Line(
        one.prefix,
        one.name or one.prefix,
        one.town or "",
        ", ".join(
            language.phrase(words)
            for name, words in PERMISSIONS.items()
            if name in one.permissions
        ),
        one.sensor or "",
        owner,
        _STATES[one.state] and language.phrase(_STATES[one.state]),
        language.moment(one.created_at, ZONE),
        language.moment(one.expires_at, ZONE) if one.expires_at else "",
        language.moment(one.last_used_at, ZONE) if one.last_used_at else "",
    )
