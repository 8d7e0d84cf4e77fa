"""The pages of the own account: roles, password, second factor, sessions."""

from functools import partial
from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from api import session
from dashboards import addresses, proof
from dashboards.forms import DIFFERENT, WRONG_CODE, Form, Person, Sent
from dashboards.pages.account.view import account_page
from dashboards.pages.login.view import Setup
from dashboards.proof import ProofNeeded, Proved
from dashboards.render import LanguageKey, Now, database_of, page_router, render
from verkehrspuls.access import sessions, totp
from verkehrspuls.errors import VerkehrspulsError
from verkehrspuls.language import Language

router = page_router()


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
    """Change the own password, or choose one; other sessions end, if that is ticked."""
    page_language, form = Language(language), Form(sent.values)
    new = sent.values.get("password", "")
    if new != sent.values.get("password_again"):
        form.errors["password_again"] = page_language.phrase(DIFFERENT)
        form.status = 422
        return account_page(request, page_language, form, now=now)
    with database_of(request).connection() as connection:
        has_one = sessions.ways(connection).password
    try:
        sent = proof.require(request, sent, now, password=has_one)
        changed = sessions.change_password(
            session.transaction_for(request, sent.visit.viewer),
            sent.visit.session,
            new,
            also=partial(proof.end_others, sent=sent),
        )
    except ProofNeeded as error:
        if not has_one:
            raise
        form.errors, form.status = error.form.errors, error.form.status
        form.general = error.form.general
    except VerkehrspulsError as error:
        form.refuse(error, page_language, now=now)
    else:
        if changed:
            return _done(language, "password")
        # the ten minutes have just ended
        form.status = 403
    return account_page(request, page_language, form, now=now)


@router.get("/{language:language}/account/second-factor")
def second_factor(request: Request, language: LanguageKey, person: Person) -> Response:
    """Show what an app for one-time codes needs."""
    if person.session.has_second_factor:
        return RedirectResponse(addresses.account(language), 303)
    if not person.session.has_proved:
        here = addresses.account(language, "second-factor")
        return RedirectResponse(addresses.proof(language, here), 303)
    return _second_factor(request, Language(language), Form(), Setup.of(person))


@router.post("/{language:language}/account/second-factor")
def set_up_second_factor(
    request: Request, language: LanguageKey, sent: Proved, now: Now
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
def end_sessions(
    request: Request, language: LanguageKey, sent: Sent, now: Now
) -> Response:
    """End one session, or all of them."""
    number, only = sent.text("session"), None
    if number:
        # 0 is no session
        only = int(number) if number.isdecimal() and len(number) < 19 else 0
    is_own = only == sent.visit.session.session_id
    if not is_own:
        sent = proof.require(request, sent, now)
    with session.transaction_for(request, sent.visit.viewer)() as connection:
        if is_own:
            sessions.end(connection)
        else:
            sessions.end_all(connection, sent.visit.session.account_id, only=only)
    if only is not None and not is_own:
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
