"""The pages for logging in and out."""

from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from api import session
from api.viewer import visit_of
from dashboards import addresses
from dashboards.forms import WRONG_CODE, Form, Typed
from dashboards.pages.login.view import (
    After,
    after,
    login_page,
    proceed,
    second_factor_page,
)
from dashboards.pages.single_sign_on.view import onward_page
from dashboards.render import LanguageKey, Now, page_router
from verkehrspuls.access import oidc, sessions, totp
from verkehrspuls.access.limits import TooManyAttempts
from verkehrspuls.access.provider import ProviderUnavailable
from verkehrspuls.access.sessions import Begun
from verkehrspuls.language import Language
from verkehrspuls.text import mark

router = page_router()

_WRONG = mark("E-mail or password is wrong, or the account is disabled.")
_MISSING = mark("Please fill this in.")


@router.get("/{language:language}/login")
def login(
    request: Request,
    language: LanguageKey,
    next: Annotated[str, Query(max_length=4000)] = "",
) -> Response:
    """Ask for e-mail and password."""
    session.require_secure(request)
    page_language = Language(language)
    then = After(addresses.after_login(language, next))
    visit = visit_of(request)
    if visit and visit.session.is_complete:
        return RedirectResponse(then.next, 303)
    return login_page(request, page_language, then, Form())


@router.post("/{language:language}/login")
def log_in(request: Request, language: LanguageKey, typed: Typed, now: Now) -> Response:
    """Log in with a password."""
    session.require_secure(request)
    page_language = Language(language)
    then = after(typed, page_language)
    form = Form({"email": typed.get("email", "")})
    for name in ("email", "password"):
        if not typed.get(name):
            form.errors[name] = page_language.phrase(_MISSING)
            form.status = 422
    if form.errors:
        return login_page(request, page_language, then, form)
    try:
        begun = sessions.log_in(
            session.transaction_for(request),
            form.values["email"],
            typed["password"],
            origin=session.origin_of(request),
            settings=request.app.state.settings.access,
        )
    except TooManyAttempts as error:
        form.refuse(error, page_language, now=now)
        return login_page(request, page_language, then, form)
    if begun is None:
        form.general, form.status = page_language.phrase(_WRONG), 422
        return login_page(request, page_language, then, form)
    _end(request)
    return proceed(request, page_language, begun, then)


@router.get("/{language:language}/login/second-factor")
def second_factor(
    request: Request,
    language: LanguageKey,
    next: Annotated[str, Query(max_length=4000)] = "",
) -> Response:
    """Ask for the second factor."""
    page_language = Language(language)
    then = After(addresses.after_login(language, next))
    visit = visit_of(request)
    if visit is None:
        return RedirectResponse(addresses.login(language), 303)
    if visit.session.is_complete:
        return RedirectResponse(then.next, 303)
    return second_factor_page(request, page_language, then, Form())


@router.post("/{language:language}/login/second-factor")
def show_second_factor(
    request: Request, language: LanguageKey, typed: Typed, now: Now
) -> Response:
    """Complete a session by a code, or set up the second factor that is needed."""
    page_language = Language(language)
    then = after(typed, page_language)
    visit = visit_of(request)
    if visit is None:
        return RedirectResponse(addresses.login(language), 303)
    if visit.session.is_complete:
        return RedirectResponse(then.next, 303)
    transaction = session.transaction_for(request, visit.viewer)
    code, secret = typed.get("code", ""), totp.read(typed.get("secret", ""))
    form = Form({"secret": typed.get("secret", "")})
    try:
        if visit.session.has_second_factor or secret is None:
            made = sessions.show_second_factor(
                transaction,
                code,
                now=now,
                settings=request.app.state.settings.access,
            )
        else:
            with transaction() as connection:
                made = sessions.set_up_second_factor(connection, secret, code, now=now)
    except TooManyAttempts as error:
        form.refuse(error, page_language, now=now)
        return second_factor_page(request, page_language, then, form)
    if made is None:
        form.errors["code"], form.status = page_language.phrase(WRONG_CODE), 422
        return second_factor_page(request, page_language, then, form)
    begun = Begun(made, is_complete=True, has_second_factor=True)
    return proceed(request, page_language, begun, then)


@router.post("/{language:language}/logout")
def log_out(request: Request, language: LanguageKey) -> Response:
    """End the session, complete or not; at the provider as well, if it began there."""
    onward = _onward(request, language)
    _end(request)
    request.state.visit = None
    response: Response = RedirectResponse(addresses.overview(language), 303)
    if onward:
        response = onward_page(request, Language(language), onward)
    session.end(request, response)
    # browsers forget what they keep of the pages that were seen
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def _onward(request: Request, language: LanguageKey) -> str | None:
    """Return where the session ends at the provider, if it began there."""
    provider, visit = getattr(request.app.state, "provider", None), visit_of(request)
    if provider is None or visit is None:
        return None
    try:
        with session.transaction_for(request, visit.viewer)() as connection:
            return oidc.log_out_address(
                provider, connection, addresses.overview(language)
            )
    except ProviderUnavailable:
        return None


def _end(request: Request) -> None:
    """End the session that the browser shows."""
    if visit := visit_of(request):
        with session.transaction_for(request, visit.viewer)() as connection:
            sessions.end(connection)
