"""A person's passkeys, and logging in by one.

What the script asks for is answered as JSON: what the browser needs, where to go next,
or what is `said` of a refusal.
"""

from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi import Depends, Path, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from api import session
from api.errors import OtherSite
from api.viewer import Visit, viewer_of, visit_of
from dashboards import addresses
from dashboards.language import Language
from dashboards.pages.passkeys import view
from dashboards.render import LanguageKey, page_router, render
from verkehrspuls.access import passkeys
from verkehrspuls.access.passkeys import RelyingParty
from verkehrspuls.errors import VerkehrspulsError
from verkehrspuls.settings import Settings

router = page_router()

_OWN: Final = "/{language:language}/account/passkeys"
_LOGIN: Final = "/{language:language}/login/passkey"
_NOT_KEPT: Final = {"Cache-Control": "no-store"}
PasskeyId = Annotated[int, Path(ge=1, le=2**31 - 1)]


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace")))


Form = Annotated[dict[str, str], Depends(_form)]


@router.get(_OWN)
def own(request: Request, language: LanguageKey) -> Response:
    """Show the own passkeys."""
    visit = _who_adds(request)
    if visit is None:
        return RedirectResponse(f"/{language}/login", 303, _NOT_KEPT)
    return _page(request, visit, Language(language))


@router.post(f"{_OWN}/options")
def begin_adding(request: Request, language: LanguageKey, form: Form) -> Response:
    """Answer what a browser needs to make a passkey."""
    known = Language(language)
    visit = _who_adds(request)
    try:
        party = _party(request)
    except view.ERRORS as error:
        return _refusal(error.http_status, view.said(error, known))
    if visit is None:
        return _refusal(401, known.phrase(view.ENDED))
    _require_own(visit, form)
    with session.transaction_for(request, visit.viewer)() as connection:
        options = passkeys.offer(connection, party)
    if options is None:
        return _refusal(401, known.phrase(view.ENDED))
    return Response(options, 200, _NOT_KEPT, "application/json")


@router.post(_OWN)
def add(request: Request, language: LanguageKey, form: Form) -> Response:
    """Add the passkey that a browser made."""
    known = Language(language)
    visit = _who_adds(request)
    if visit is None:
        return _refusal(401, known.phrase(view.ENDED))
    _require_own(visit, form)
    try:
        made = passkeys.add(
            session.transaction_for(request, visit.viewer),
            _party(request),
            form.get("answer", ""),
            name=form.get("name", ""),
        )
    except view.ERRORS as error:
        return _refusal(error.http_status, view.said(error, known))
    if made is None:
        return _refusal(422, known.phrase(view.NOT_ADDED))
    return _go(request, addresses.passkeys(language), made)


@router.post(f"{_OWN}/{{passkey_id}}")
def change(
    request: Request, language: LanguageKey, passkey_id: PasskeyId, form: Form
) -> Response:
    """Rename or remove an own passkey."""
    known = Language(language)
    settings: Settings = request.app.state.settings
    visit = visit_of(request)
    if visit is None or not visit.session.is_complete:
        return RedirectResponse(f"/{language}/login", 303, _NOT_KEPT)
    _require_own(visit, form)
    try:
        with session.transaction_for(request, visit.viewer)() as connection:
            if form.get("do") == "remove":
                done = passkeys.remove(connection, passkey_id, settings=settings.access)
            else:
                done = passkeys.rename(connection, passkey_id, form.get("name", ""))
    except view.ERRORS as error:
        page = _page(request, visit, known, view.said(error, known))
        page.status_code = error.http_status
        return page
    if not done:
        page = _page(request, visit, known, known.phrase(view.GONE))
        page.status_code = 404
        return page
    return RedirectResponse(addresses.passkeys(language), 303, _NOT_KEPT)


@router.get(_LOGIN)
def ask(request: Request, language: LanguageKey, target: str = "") -> Response:
    """Show the page for logging in by a passkey, or for the second factor."""
    visit = visit_of(request)
    page = render(
        request,
        Language(language),
        "pages/passkeys/login.html",
        target=target,
        form_token=visit.form_token if visit else "",
    )
    page.headers.update(_NOT_KEPT)
    return page


@router.post(f"{_LOGIN}/options")
def begin_login(request: Request, language: LanguageKey) -> Response:
    """Answer what a browser needs to show a passkey; the same for everybody."""
    settings: Settings = request.app.state.settings
    try:
        options = passkeys.ask(
            session.transaction_for(request, viewer_of(request)),
            _party(request),
            origin=session.origin_of(request),
            settings=settings.access,
        )
    except view.ERRORS as error:
        return _refusal(error.http_status, view.said(error, Language(language)))
    return Response(options, 200, _NOT_KEPT, "application/json")


@router.post(_LOGIN)
def log_in(request: Request, language: LanguageKey, form: Form) -> Response:
    """Log in by a passkey, or show it as the second factor of a session."""
    known = Language(language)
    visit = visit_of(request)
    try:
        made = _shown(request, visit, form)
    except view.ERRORS as error:
        return _refusal(error.http_status, view.said(error, known))
    if made is None:
        return _refusal(403, known.phrase(view.NOT_ACCEPTED))
    return _go(request, addresses.after_login(language, form.get("target", "")), made)


def _shown(request: Request, visit: Visit | None, form: dict[str, str]) -> str | None:
    """Return the new id of the session of who showed a passkey."""
    settings: Settings = request.app.state.settings
    party = _party(request)
    answer = form.get("answer", "")
    if visit is None:
        begun = passkeys.log_in(
            session.transaction_for(request),
            party,
            answer,
            origin=session.origin_of(request),
            settings=settings.access,
        )
        return begun and begun.id
    _require_own(visit, form)
    return passkeys.show(
        session.transaction_for(request, visit.viewer),
        party,
        answer,
        settings=settings.access,
    )


def _page(
    request: Request, visit: Visit, language: Language, said: str = ""
) -> Response:
    with request.app.state.database.connection(visit.viewer) as connection:
        found = passkeys.of_account(connection, visit.session.account_id)
    unusable = ""
    try:
        _party(request)
    except VerkehrspulsError as error:
        unusable = view.said(error, language)
    page = render(
        request,
        language,
        "pages/passkeys/passkeys.html",
        address=addresses.passkeys(language.key),
        passkeys=[view.shown(one, language) for one in found],
        form_token=visit.form_token,
        said=said,
        unusable=unusable,
    )
    page.headers.update(_NOT_KEPT)
    return page


def _party(request: Request) -> RelyingParty:
    settings: Settings = request.app.state.settings
    return passkeys.relying_party(settings.pages.address)


def _who_adds(request: Request) -> Visit | None:
    """Return the session in which a passkey may be added; the database decides."""
    visit = visit_of(request)
    if visit and (visit.session.is_complete or not visit.session.has_second_factor):
        return visit
    return None


def _require_own(visit: Visit, form: dict[str, str]) -> None:
    if not visit.is_own(form.get("form_token", "")):
        raise OtherSite


def _go(request: Request, location: str, made: str) -> Response:
    """Say where to go next, in a session that got another id."""
    response = JSONResponse({"location": location}, 200, _NOT_KEPT)
    session.begin(request, response, made)
    return response


def _refusal(status: int, said: str) -> Response:
    content: dict[str, Any] = {"said": said}
    return JSONResponse(content, status, _NOT_KEPT)
