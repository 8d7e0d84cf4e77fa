"""The pages of the own account: roles, password, second factor, sessions."""

from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from api import session
from dashboards import addresses
from dashboards.forms import DIFFERENT, WRONG_CODE, Form, Person, Sent
from dashboards.language import Language
from dashboards.pages.account.view import account_page
from dashboards.pages.login.view import Setup
from dashboards.render import LanguageKey, Now, page_router, render
from verkehrspuls.access import sessions, totp
from verkehrspuls.errors import VerkehrspulsError
from verkehrspuls.text import mark

router = page_router()

_WRONG = mark("This is not your password.")


@router.get("/{language:language}/account")
def account(
    request: Request,
    language: LanguageKey,
    person: Person,
    now: Now,
    done: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Show the own account."""
    return account_page(request, Language(language), Form(), now=now, done=done)


@router.post("/{language:language}/account")
def change_password(
    request: Request, language: LanguageKey, sent: Sent, now: Now
) -> Response:
    """Change the own password; all other sessions end."""
    page_language, form = Language(language), Form()
    old, new = (sent.values.get(name, "") for name in ("current_password", "password"))
    if new != sent.values.get("password_again"):
        form.errors["password_again"] = page_language.phrase(DIFFERENT)
        form.status = 422
        return account_page(request, page_language, form, now=now)
    try:
        changed = sessions.change_password(
            session.transaction_for(request, sent.visit.viewer),
            old,
            new,
            settings=request.app.state.settings.access,
        )
    except VerkehrspulsError as error:
        form.refuse(error, page_language, now=now)
        return account_page(request, page_language, form, now=now)
    if not changed:
        form.errors["current_password"] = page_language.phrase(_WRONG)
        form.status = 422
        return account_page(request, page_language, form, now=now)
    return _done(language, "password")


@router.get("/{language:language}/account/second-factor")
def second_factor(request: Request, language: LanguageKey, person: Person) -> Response:
    """Show what an app for one-time codes needs."""
    if person.session.has_second_factor:
        return RedirectResponse(addresses.account(language), 303)
    return _second_factor(request, Language(language), Form(), Setup.of(person))


@router.post("/{language:language}/account/second-factor")
def set_up_second_factor(
    request: Request, language: LanguageKey, sent: Sent, now: Now
) -> Response:
    """Set up the second factor by its first code."""
    page_language, form = Language(language), Form()
    secret = totp.read(sent.text("secret"))
    made = None
    if secret is not None:
        with session.transaction_for(request, sent.visit.viewer)() as connection:
            made = sessions.set_up_second_factor(
                connection, secret, sent.text("code"), now=now
            )
    if made is None:
        form.errors["code"], form.status = page_language.phrase(WRONG_CODE), 422
        setup = Setup.of(sent.visit, sent.text("secret"))
        return _second_factor(request, page_language, form, setup)
    response = _done(language, "second-factor")
    session.begin(request, response, made)
    return response


@router.post("/{language:language}/account/sessions")
def end_sessions(request: Request, language: LanguageKey, sent: Sent) -> Response:
    """End one session, or all of them."""
    mine, number = sent.visit.session, sent.text("session")
    only = None
    if number:
        # 0 is no session
        only = int(number) if number.isdecimal() and len(number) < 19 else 0
    with session.transaction_for(request, sent.visit.viewer)() as connection:
        sessions.end_all(connection, mine.account_id, only=only)
    if only not in (None, mine.session_id):
        return _done(language, "session")
    response = RedirectResponse(addresses.login(language), 303)
    session.end(request, response)
    return response


def _second_factor(
    request: Request, language: Language, form: Form, setup: Setup
) -> Response:
    response = render(
        request, language, "pages/account/second_factor.html", form=form, setup=setup
    )
    response.status_code = form.status
    return response


def _done(language: str, what: str) -> Response:
    return RedirectResponse(f"{addresses.account(language)}?done={what}", 303)
