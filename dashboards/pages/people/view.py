"""The pages of people, as they are shown."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from fastapi import Request, Response

from dashboards import addresses
from dashboards.forms import Form
from dashboards.pages.account.view import ZONE
from dashboards.render import database_of, render
from verkehrspuls.access import accounts
from verkehrspuls.access.accounts import Account
from verkehrspuls.access.permissions import (
    OPERATOR,
    ROLE_NAMES,
    Role,
)
from verkehrspuls.language import Language
from verkehrspuls.storage.sites import Municipality
from verkehrspuls.text import mark

ROWS: Final = 50
STATES: Final = {
    "invited": mark("invited"),
    "active": mark("active"),
    "disabled": mark("disabled"),
}
DONE: Final = {
    "give": mark("The role is given."),
    "take": mark("The role is taken."),
    "disable": mark("The account is disabled, and all of its sessions have ended."),
    "enable": mark("The account is enabled."),
    "invitation": mark("The link is made."),
    "reset": mark("The link is made. The password is valid until it is used."),
}


class Line(NamedTuple):
    """A person in the list."""

    name: str
    email: str
    state: str
    roles: str
    address: str


class Held(NamedTuple):
    """A role of a person that can be taken here."""

    role: Role
    town: str
    words: str


def list_page(
    request: Request,
    language: Language,
    form: Form,
    towns: Sequence[Municipality],
    *,
    town: str = "",
    search: str = "",
    page: int = 1,
) -> Response:
    """Show the people of towns, and the form of an invitation."""
    chosen = town if town in {one.key for one in towns} else None
    with database_of(request).connection() as connection:
        found = accounts.every(
            connection, chosen, search=search, skip=(page - 1) * ROWS, limit=ROWS + 1
        )
    names = {one.key: one.name for one in towns}
    lines = [
        Line(
            one.name,
            one.email,
            language.phrase(STATES[one.state]),
            "; ".join(held.words for held in _held(one, names, language)),
            addresses.person(language.key, one.account_id),
        )
        for one in found[:ROWS]
    ]
    response = render(
        request,
        language,
        "pages/people/people.html",
        form=form,
        towns=towns,
        town_options=[(one.key, one.name) for one in towns],
        town=chosen or "",
        search=search,
        lines=lines,
        roles=_roles(language),
        page=page,
        more=len(found) > ROWS,
    )
    response.status_code = form.status
    return response


def person_page(
    request: Request,
    language: Language,
    account: Account,
    towns: Sequence[Municipality],
    *,
    form: Form | None = None,
    done: str = "",
    link: str = "",
) -> Response:
    """Show a person, and what can be changed of the account."""
    form = form or Form()
    names = {one.key: one.name for one in towns}
    response = render(
        request,
        language,
        "pages/people/person.html",
        account=account,
        state=language.phrase(STATES[account.state]),
        since=language.moment(account.created_at, ZONE),
        held=_held(account, names, language),
        towns=towns,
        roles=_roles(language),
        form=form,
        done=language.phrase(DONE[done]) if done in DONE else "",
        link=link,
    )
    response.status_code = form.status
    return response


def _held(account: Account, names: dict[str, str], language: Language) -> list[Held]:
    """Return the roles of a person in the towns that are managed here."""
    return [
        Held(role, key, f"{language.phrase(ROLE_NAMES[role])}, {names[key]}")
        for key, role in account.roles
        if key in names
    ]


def _roles(language: Language) -> list[tuple[str, str]]:
    """Return the roles that can be given in a town."""
    return [
        (role, language.phrase(name))
        for role, name in ROLE_NAMES.items()
        if role != OPERATOR
    ]
