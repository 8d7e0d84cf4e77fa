"""The pages of people: who has which role in a town, invitations, resets."""

from contextlib import AbstractContextManager
from typing import Annotated, cast

from fastapi import Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from api import session
from dashboards import addresses
from dashboards.forms import Form, Person, Posted, Sent
from dashboards.pages.people.view import list_page, person_page
from dashboards.permitted import towns_where
from dashboards.render import LanguageKey, Now, PageNumber, database_of, page_router
from verkehrspuls.access import accounts, links
from verkehrspuls.access.accounts import Account
from verkehrspuls.access.links import Made, Purpose
from verkehrspuls.access.permissions import Role
from verkehrspuls.errors import UnknownKey, UsageError
from verkehrspuls.language import Language
from verkehrspuls.settings import Settings
from verkehrspuls.storage.database import Connection

router = page_router()

AccountId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("/{language:language}/people")
def people(
    request: Request,
    language: LanguageKey,
    person: Person,
    town: str = "",
    search: Annotated[str, Query(max_length=200)] = "",
    page: PageNumber = 1,
) -> Response:
    """List the people of the towns where the reader may invite some."""
    page_language = Language(language)
    towns = towns_where(request, person.session, "people")
    form = Form({"town": town})
    return list_page(
        request, page_language, form, towns, town=town, search=search, page=page
    )


@router.post("/{language:language}/people")
def invite(request: Request, language: LanguageKey, sent: Sent, now: Now) -> Response:
    """Invite somebody, and show the link once."""
    page_language = Language(language)
    towns = towns_where(request, sent.visit.session, "people")
    names = ("email", "name", "town", "role")
    form = Form({name: sent.text(name) for name in names})
    made = None
    try:
        with _writing(request, sent) as connection:
            account_id = accounts.add(
                connection, form.values["email"], form.values["name"]
            )
            accounts.give(
                connection,
                account_id,
                cast("Role", form.values["role"]),
                form.values["town"],
            )
            account = _require(connection, account_id)
            if account.state == "invited":
                made = _make(request, connection, account_id, "invitation")
    except UsageError as error:
        form.refuse(error, page_language, now=now)
        return list_page(request, page_language, form, towns, town=form.values["town"])
    return person_page(
        request,
        page_language,
        account,
        towns,
        done="give",
        link=_address(request, made, language),
    )


@router.get("/{language:language}/people/{account_id}")
def one_person(
    request: Request,
    language: LanguageKey,
    account_id: AccountId,
    person: Person,
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show a person, and what can be changed of the account."""
    towns = towns_where(request, person.session, "people")
    with database_of(request).connection() as connection:
        account = _require(connection, account_id)
    return person_page(request, Language(language), account, towns, done=done)


@router.post("/{language:language}/people/{account_id}")
def change_person(
    request: Request,
    language: LanguageKey,
    account_id: AccountId,
    sent: Sent,
    now: Now,
) -> Response:
    """Give or take a role, disable or enable an account, or make a link for it."""
    page_language = Language(language)
    towns = towns_where(request, sent.visit.session, "people")
    form, act = Form(), sent.text("act")
    made = None
    try:
        with _writing(request, sent) as connection:
            _require(connection, account_id)
            made = _do(request, connection, account_id, act, sent)
    except UsageError as error:
        form.refuse(error, page_language, now=now)
    try:
        with database_of(request).connection() as connection:
            account = _require(connection, account_id)
    except UnknownKey:
        # without a role here, the account is no longer shown
        return RedirectResponse(addresses.people(language), 303)
    if made or form.status != 200:
        return person_page(
            request,
            page_language,
            account,
            towns,
            form=form,
            done="" if form.status != 200 else act,
            link=_address(request, made, language),
        )
    address = addresses.person(language, account_id)
    return RedirectResponse(f"{address}?done={act}", 303)


def _do(
    request: Request, connection: Connection, account_id: int, act: str, sent: Posted
) -> Made | None:
    """Do what a button says; return the link, if it makes one."""
    role, town = cast("Role", sent.text("role")), sent.text("town")
    match act:
        case "give":
            accounts.give(connection, account_id, role, town)
        case "take":
            accounts.take(connection, account_id, role, town)
        case "disable":
            accounts.disable(connection, account_id)
        case "enable":
            accounts.enable(connection, account_id)
        case "invitation" | "reset":
            forgets = sent.text("second_factor") == "forget"
            return _make(request, connection, account_id, act, forgets=forgets)
    return None


def _make(
    request: Request,
    connection: Connection,
    account_id: int,
    purpose: Purpose,
    *,
    forgets: bool = False,
) -> Made:
    return links.create(
        connection,
        account_id,
        purpose,
        settings=request.app.state.settings.access,
        forgets_second_factor=forgets,
    )


def _require(connection: Connection, account_id: int) -> Account:
    found = accounts.every(connection, account_id=account_id)
    if not found:
        raise UnknownKey(kind="user", key=account_id)
    return found[0]


def _address(request: Request, made: Made | None, language: str) -> str:
    """Return the whole address of a link, as the reader reaches these pages."""
    if made is None:
        return ""
    settings: Settings = request.app.state.settings
    address = settings.pages.address or session.origin_named(request)
    return made.at(address, language)


def _writing(request: Request, sent: Posted) -> AbstractContextManager[Connection]:
    return session.transaction_for(request, sent.visit.viewer)()
