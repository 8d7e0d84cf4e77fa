"""A person's passkeys, and logging in by one.

The script asks for what the browser needs, which is answered as JSON, and then sends
the form with what the passkey answered.
"""

from typing import Annotated, Final

from fastapi import Path, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from api import session
from api.viewer import Visit, viewer_of, visit_of
from dashboards import addresses, proof
from dashboards.forms import (
    TOKEN_FIELD,
    Form,
    LoginNeeded,
    Posted,
    Sent,
    Typed,
    Values,
)
from dashboards.pages.login.view import after, ask_again, proceed
from dashboards.pages.passkeys import view
from dashboards.proof import ProofNeeded
from dashboards.render import LanguageKey, Now, database_of, page_router, render
from verkehrspuls.access import passkeys
from verkehrspuls.access.sessions import Begun
from verkehrspuls.errors import VerkehrspulsError
from verkehrspuls.language import Language

router = page_router()

_OWN: Final = "/{language:language}/account/passkeys"
_LOGIN: Final = "/{language:language}/login/passkey"
_NOT_KEPT: Final = {"Cache-Control": "no-store"}
PasskeyId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get(_OWN)
def own(request: Request, language: LanguageKey) -> Response:
    """Show the own passkeys."""
    visit = _who_adds(request).visit
    return _page(request, visit, Language(language), Form())


@router.post(f"{_OWN}/options")
def begin_adding(
    request: Request, language: LanguageKey, typed: Typed, now: Now
) -> Response:
    """Answer what a browser needs to make a passkey."""
    page_language = Language(language)
    try:
        visit = proof.require(request, _who_adds(request, typed), now).visit
        party = view.party_of(request)
        with session.transaction_for(request, visit.viewer)() as connection:
            options = passkeys.offer(connection, party)
    except LoginNeeded:
        options = None
    except ProofNeeded:
        return _refusal(Form(general=page_language.phrase(view.UNPROVED), status=403))
    except VerkehrspulsError as error:
        return _refusal(Form.of(error, page_language, now=now))
    if options is None:
        return _refusal(Form(general=page_language.phrase(view.ENDED), status=401))
    return Response(options, 200, _NOT_KEPT, "application/json")


@router.post(_OWN)
def add(request: Request, language: LanguageKey, typed: Typed, now: Now) -> Response:
    """Add the passkey that a browser made."""
    page_language = Language(language)
    visit = proof.require(request, _who_adds(request, typed), now).visit
    form = Form(typed)
    try:
        made = passkeys.add(
            session.transaction_for(request, visit.viewer),
            view.party_of(request),
            typed.get("answer", ""),
            name=typed.get("name", ""),
        )
    except VerkehrspulsError as error:
        form.refuse(error, page_language, now=now)
        return _page(request, visit, page_language, form)
    if made is None:
        form.general, form.status = page_language.phrase(view.NOT_ADDED), 422
        return _page(request, visit, page_language, form)
    response = RedirectResponse(addresses.passkeys(language), 303, _NOT_KEPT)
    session.begin(request, response, made)
    return response


@router.post(f"{_OWN}/{{passkey_id}}")
def change(
    request: Request, language: LanguageKey, passkey_id: PasskeyId, sent: Sent, now: Now
) -> Response:
    """Rename or remove an own passkey."""
    page_language, form = Language(language), Form(sent.values)
    settings = request.app.state.settings.access
    removes = sent.text("do") == "remove"
    if removes:
        sent = proof.require(request, sent, now)
    try:
        with session.transaction_for(request, sent.visit.viewer)() as connection:
            if removes:
                done = passkeys.remove(connection, passkey_id, settings=settings)
                if done:
                    proof.end_others(connection, sent)
            else:
                done = passkeys.rename(connection, passkey_id, sent.text("name"))
    except VerkehrspulsError as error:
        form.refuse(error, page_language, now=now)
        return _page(request, sent.visit, page_language, form, at=passkey_id)
    if not done:
        form.general, form.status = page_language.phrase(view.GONE), 404
        return _page(request, sent.visit, page_language, form, at=passkey_id)
    return RedirectResponse(addresses.passkeys(language), 303, _NOT_KEPT)


@router.post(f"{_LOGIN}/options")
def begin_login(request: Request, language: LanguageKey, now: Now) -> Response:
    """Answer what a browser needs to show a passkey; the same for everybody."""
    try:
        options = passkeys.ask(
            session.transaction_for(request, viewer_of(request)),
            view.party_of(request),
            origin=session.origin_of(request),
            settings=request.app.state.settings.access,
        )
    except VerkehrspulsError as error:
        return _refusal(Form.of(error, Language(language), now=now))
    return Response(options, 200, _NOT_KEPT, "application/json")


@router.post(_LOGIN)
def log_in(request: Request, language: LanguageKey, typed: Typed, now: Now) -> Response:
    """Log in by a passkey, or show it as the second factor of a session."""
    page_language, form = Language(language), Form()
    then = after(typed, page_language)
    try:
        begun = _begun(request, visit_of(request), typed.get("answer", ""))
    except VerkehrspulsError as error:
        form.refuse(error, page_language, now=now)
        return ask_again(request, page_language, then, form)
    if begun is None:
        form.general, form.status = page_language.phrase(view.NOT_ACCEPTED), 403
        return ask_again(request, page_language, then, form)
    return proceed(request, page_language, begun, then)


def _begun(request: Request, visit: Visit | None, answer: str) -> Begun | None:
    """Return the session of who showed a passkey; it has a new id."""
    settings = request.app.state.settings.access
    party = view.party_of(request)
    if visit is None:
        return passkeys.log_in(
            session.transaction_for(request),
            party,
            answer,
            origin=session.origin_of(request),
            settings=settings,
        )
    transaction = session.transaction_for(request, visit.viewer)
    made = passkeys.show(transaction, party, answer, settings=settings)
    return Begun(made, is_complete=True, has_second_factor=True) if made else None


def _page(
    request: Request,
    visit: Visit,
    language: Language,
    form: Form,
    *,
    at: int | None = None,
) -> Response:
    """Show the own passkeys; `at`: the form is of one of them, else of a new one."""
    with database_of(request).connection() as connection:
        found = passkeys.of_account(connection, visit.session.account_id)
    page = render(
        request,
        language,
        "pages/passkeys/passkeys.html",
        address=addresses.passkeys(language.key),
        passkeys=[view.shown(one, language) for one in found],
        form=form,
        at=at,
        empty=Form(),
        usable=view.are_usable(request),
        # who logs in has just done so
        proved=visit.session.has_proved or not visit.session.is_complete,
    )
    page.status_code = form.status
    page.headers.update(_NOT_KEPT)
    return page


def _who_adds(request: Request, sent: Values | None = None) -> Posted:
    """Return what was sent in a session in which a passkey may be added.

    The database decides by itself.

    Raises `LoginNeeded`, also if what was sent is no form of it.
    """
    visit = visit_of(request)
    if (
        visit is None
        or not (visit.session.is_complete or not visit.session.has_second_factor)
        or (sent is not None and not visit.is_own(sent.get(TOKEN_FIELD, "")))
    ):
        raise LoginNeeded
    return Posted(visit, sent or Values())


def _refusal(form: Form) -> Response:
    """Say to the script why nothing was done."""
    return JSONResponse(
        {"said": form.general}, form.status, {**_NOT_KEPT, **form.headers}
    )
