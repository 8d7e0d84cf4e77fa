"""The page that a one-time link opens: choose a password, or log in without one.

Opening it changes nothing, because programs that read mail open links, too.
"""

from typing import Annotated

from fastapi import Path, Request, Response

from api import session
from dashboards import addresses
from dashboards.forms import DIFFERENT, Form, Typed
from dashboards.pages.login.view import After, proceed
from dashboards.render import LanguageKey, Now, page_router, render
from verkehrspuls.access import links, sessions
from verkehrspuls.access.limits import TooManyAttempts
from verkehrspuls.access.links import Link
from verkehrspuls.errors import BadParameter
from verkehrspuls.language import Language

router = page_router()

Token = Annotated[str, Path(max_length=100)]


@router.get("/{language:language}/link/{token}")
def open_link(request: Request, language: LanguageKey, token: Token) -> Response:
    """Show what a link is for."""
    session.require_secure(request)
    return _page(request, Language(language), _found(request, token), Form())


@router.post("/{language:language}/link/{token}")
def use_link(
    request: Request, language: LanguageKey, token: Token, typed: Typed, now: Now
) -> Response:
    """Use a link, once, and begin a session."""
    session.require_secure(request)
    page_language = Language(language)
    found = _found(request, token)
    form = Form({"name": typed.get("name", "")})
    if found is None:
        return _page(request, page_language, found, form)
    password = None if found.purpose == "login" else typed.get("password", "")
    if password != typed.get("password_again", password):
        form.errors["password_again"] = page_language.phrase(DIFFERENT)
        form.status = 422
        return _page(request, page_language, found, form)
    try:
        begun = links.use(
            session.transaction_for(request, sessions.viewer_of(token)),
            password=password,
            name=typed.get("name"),
            origin=session.origin_of(request),
            settings=request.app.state.settings.access,
        )
    except (BadParameter, TooManyAttempts) as error:
        form.refuse(error, page_language, now=now)
        return _page(request, page_language, found, form)
    if begun is None:
        return _page(request, page_language, None, form)
    then = After(addresses.account(language))
    return proceed(request, page_language, begun, then)


def _found(request: Request, token: str) -> Link | None:
    viewer = sessions.viewer_of(token)
    with request.app.state.database.connection(viewer) as connection:
        return links.find(connection)


def _page(
    request: Request, language: Language, found: Link | None, form: Form
) -> Response:
    if found and not form.values.get("name"):
        form.values = {"name": found.name}
    response = render(
        request,
        language,
        "pages/link/link.html",
        link=found,
        form=form,
        # the link is not printed
        address=addresses.login(language.key),
    )
    response.status_code = form.status if found else 404
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
