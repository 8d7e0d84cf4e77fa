"""Logging in and out at the provider of single sign-on."""

import logging
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import parse_qs

from fastapi import Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from api import session
from api.viewer import visit_of
from dashboards import addresses
from dashboards.forms import Form, Posted
from dashboards.pages.account.view import account_page
from dashboards.pages.single_sign_on import view
from dashboards.proof import Proved, end_others
from dashboards.render import LanguageKey, Now, page_router, preferred, render
from verkehrspuls.access import oidc, sessions
from verkehrspuls.access.provider import (
    CALLBACK,
    Provider,
    ProviderUnavailable,
    Refused,
)
from verkehrspuls.access.viewer import ANONYMOUS
from verkehrspuls.language import Language
from verkehrspuls.locales import locales
from verkehrspuls.settings import Settings

log = logging.getLogger(__name__)
router = page_router()

#: of the address of a page to go to afterwards: the database keeps no longer one
_MOST: Final = 900
#: of the cookie that binds a login to its browser
SECURE_COOKIE: Final = "__Host-login"
COOKIE: Final = "login"


@router.get(addresses.SINGLE_SIGN_ON)
def begin(
    request: Request,
    language: LanguageKey,
    target: str = "",
    proves: Annotated[str, Query(max_length=1)] = "",
) -> Response:
    """Send a browser to the provider, to come back to a page of ours.

    With `proves` the person has to log in there again.
    """
    back = addresses.after_login(language, target if len(target) <= _MOST else "")
    if not request.scope["same_origin"]:
        # a page elsewhere would use up the attempts of its readers' address
        return _not_kept(RedirectResponse(addresses.login(language, back), 303))
    try:
        begun = _begin(request, language, back, proves=bool(proves))
    except ProviderUnavailable as error:
        return _refused(request, language, error)
    response = RedirectResponse(begun.address, status_code=303)
    return _keep(request, response, begun)


@router.post("/{language:language}/account/single-sign-on")
def link(request: Request, language: LanguageKey, sent: Proved, now: Now) -> Response:
    """Link the own account to who somebody is at the provider, or unlink it."""
    if sent.text("do") == "unlink":
        return _unlink(request, language, sent, now)
    try:
        begun = _begin(request, language, addresses.account(language), links=True)
    except ProviderUnavailable as error:
        return _refused(request, language, error)
    response = view.onward_page(request, Language(language), begun.address)
    return _keep(request, response, begun)


@router.get(CALLBACK)
def finish(request: Request, at: Now) -> Response:
    """Log in whom the provider sends back."""
    provider = _provider(request)
    settings: Settings = request.app.state.settings
    visit = visit_of(request)
    try:
        finished = oidc.finish(
            provider,
            request.app.state.database.writing,
            request.query_params,
            viewer=visit.viewer if visit else ANONYMOUS,
            browser=request.cookies.get(_cookie_name(request), ""),
            origin=session.origin_of(request),
            access=settings.access,
            now=at,
        )
    except (Refused, ProviderUnavailable) as error:
        return _refused(request, preferred(request), error)
    begun, target = finished.begun, finished.target
    if begun and not begun.is_complete:
        first = target.removeprefix("/").partition("/")[0]
        language = first if first in locales() else preferred(request)
        target = addresses.second_factor(language, target)
    response = RedirectResponse(target, status_code=303)
    if begun:
        if visit:
            with session.transaction_for(request, visit.viewer)() as connection:
                sessions.end(connection)
        session.begin(request, response, begun.id)
    return _not_kept(response)


@router.post(oidc.BACK_CHANNEL)
async def log_out(request: Request, at: Now) -> Response:
    """End sessions that the provider says have ended."""
    provider = _provider(request)
    sent = parse_qs((await request.body()).decode("ascii", "replace"))
    headers = {"Cache-Control": "no-store"}
    try:
        ended = await run_in_threadpool(
            oidc.end_sessions,
            provider,
            request.app.state.database.writing,
            "".join(sent.get("logout_token", ())),
            now=at,
        )
    except Refused as error:
        log.warning("refused", extra={"reason": str(error)})
        said = {"error": "invalid_request", "error_description": str(error)}
        return JSONResponse(said, 400, headers)
    log.info("ended_by_provider", extra={"sessions": ended})
    return Response(None, 200, headers)


def _unlink(
    request: Request, language: LanguageKey, sent: Posted, now: datetime
) -> Response:
    account_id = sent.visit.session.account_id
    with session.transaction_for(request, sent.visit.viewer)() as connection:
        if is_gone := oidc.unlink(connection, account_id):
            end_others(connection, sent)
    if is_gone:
        address = f"{addresses.account(language)}?done=unlinked"
        return RedirectResponse(address, 303)
    page_language = Language(language)
    form = Form(general=page_language.phrase(view.PASSWORD_FIRST), status=409)
    return account_page(request, page_language, form, now=now)


def _begin(
    request: Request,
    language: LanguageKey,
    target: str,
    *,
    links: bool = False,
    proves: bool = False,
) -> oidc.Begin:
    settings: Settings = request.app.state.settings
    visit = visit_of(request)
    return oidc.begin(
        _provider(request),
        request.app.state.database.writing,
        target,
        viewer=visit.viewer if visit and links else ANONYMOUS,
        links=links,
        proves=proves,
        browser=request.cookies.get(_cookie_name(request), ""),
        language=language,
        origin=session.origin_of(request),
        access=settings.access,
    )


def _keep(request: Request, response: Response, begun: oidc.Begin) -> Response:
    """Bind a login to the browser."""
    response.set_cookie(
        _cookie_name(request),
        begun.browser,
        max_age=int(oidc.LASTS.total_seconds()),
        secure=session.is_secure(request),
        httponly=True,
        samesite="lax",
    )
    return _not_kept(response)


def _provider(request: Request) -> Provider:
    provider: Provider | None = request.app.state.provider
    if provider is None:
        raise HTTPException(404)
    return provider


def _refused(
    request: Request, language: LanguageKey, error: Refused | ProviderUnavailable
) -> Response:
    """Say why somebody is not logged in, and what to do."""
    log.warning("refused", extra={"reason": str(error)})
    known = Language(language)
    advice, again = view.ADVICE[getattr(error, "why", "unavailable")]
    response = render(
        request,
        known,
        "pages/single_sign_on/refused.html",
        # without the query: it is used up
        address=request.url.path,
        advice=known.phrase(advice),
        again=again,
    )
    response.status_code = error.http_status
    return _not_kept(response)


def _not_kept(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def _cookie_name(request: Request) -> str:
    return SECURE_COOKIE if session.is_secure(request) else COOKIE
