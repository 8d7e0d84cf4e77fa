"""The page of the own account."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from fastapi import Request, Response

from api.viewer import visit_of
from dashboards.forms import Form
from dashboards.pages.single_sign_on.view import button
from dashboards.render import database_of, render
from verkehrspuls.access import sessions, tokens
from verkehrspuls.access.permissions import ROLE_NAMES
from verkehrspuls.access.sessions import Held
from verkehrspuls.language import Language
from verkehrspuls.text import mark

#: times of an account belong to no town
ZONE: Final = "Europe/Berlin"
_DONE: Final = {
    "password": mark("Your password is changed."),
    "unlinked": mark("Your account is not linked any more."),
    "second-factor": mark(
        "The second factor is set up. All other sessions have ended."
    ),
    "session": mark("The session has ended."),
}
_BROWSERS: Final = (
    *(("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox")),
    *(("Chrome/", "Chrome"), ("Safari/", "Safari")),
)
_SYSTEMS: Final = (
    *(("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad")),
    *(("Windows", "Windows"), ("Mac OS", "macOS"), ("Linux", "Linux")),
)


class Line(NamedTuple):
    """A session in the list of the own sessions."""

    number: int
    is_this: bool
    device: str
    address: str
    began: str
    seen: str


def account_page(
    request: Request, language: Language, form: Form, *, now: datetime, done: str = ""
) -> Response:
    """Show roles, password, second factor and sessions."""
    visit = visit_of(request)
    assert visit is not None  # noqa: S101 - the route has asked for it
    mine = visit.session
    with database_of(request).connection() as connection:
        found = sessions.of_account(connection, mine.account_id)
        ways = sessions.ways(connection)
        used = sum(
            one.account_id == mine.account_id and one.state == "valid"
            for one in tokens.every(connection)
        )
    response = render(
        request,
        language,
        "pages/account/account.html",
        person=mine,
        ways=ways,
        linked=language.moment(ways.linked_at, ZONE) if ways.linked_at else "",
        single_sign_on=button(request, language),
        tokens=language.plural(
            "Revoke my token: the program that uses it stops",
            "Revoke my %(count)s tokens: the programs that use them stop",
            used,
        )
        if used
        else "",
        roles=roles_in_words(mine.roles, language),
        lines=[
            Line(
                one.session_id,
                one.session_id == mine.session_id,
                device(one.user_agent) or language.phrase("unknown device"),
                one.address or "",
                language.moment(one.created_at, ZONE),
                language.moment(one.seen_at, ZONE),
            )
            for one in found
        ],
        form=form,
        done=language.phrase(_DONE[done]) if done in _DONE else "",
    )
    response.status_code = form.status
    return response


def roles_in_words(roles: Iterable[Held], language: Language) -> list[tuple[str, str]]:
    """Return each municipality with the names of the roles there."""
    named: dict[str, list[str]] = {}
    for _, role, town in roles:
        where = town or language.phrase("whole installation")
        named.setdefault(where, []).append(language.phrase(ROLE_NAMES[role]))
    return [(where, ", ".join(names)) for where, names in named.items()]


def device(user_agent: str) -> str:
    """Return browser and system of a session, as its owner knows them."""
    parts = (
        next((name for part, name in known if part in user_agent), "")
        for known in (_BROWSERS, _SYSTEMS)
    )
    return ", ".join(filter(None, parts))
