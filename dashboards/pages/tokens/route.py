"""The pages of tokens: those that are, a new one, and revoking one."""

from typing import Annotated

from fastapi import HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse

from api import session
from dashboards import addresses
from dashboards.forms import Form, Person, Sent
from dashboards.pages.tokens.view import (
    PART,
    PERMISSIONS,
    line_of,
    tokens_page,
    towns_of,
)
from dashboards.proof import Proved
from dashboards.render import LanguageKey, Now, database_of, page_router, render
from verkehrspuls.access import tokens
from verkehrspuls.access.tokens import Listed, NotGiven
from verkehrspuls.errors import UnknownKey, VerkehrspulsError
from verkehrspuls.language import Language
from verkehrspuls.text import mark

router = page_router()

_NO_SENSOR = mark("There is no such sensor in %(town)s.")
_NOT_YOURS = mark("You may not do this in %(town)s yourself: %(permission)s.")


@router.get("/{language:language}/account/tokens")
def list_tokens(
    request: Request,
    language: LanguageKey,
    person: Person,
    now: Now,
    done: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Show tokens, and a form for a new one."""
    form = Form(values={"days": "90"})
    return tokens_page(request, Language(language), form, person.session, done=done)


@router.post("/{language:language}/account/tokens")
def make_token(
    request: Request, language: LanguageKey, sent: Proved, now: Now
) -> Response:
    """Make a token; the answer shows it, and nothing else ever does."""
    page_language, mine = Language(language), sent.visit.session
    form = Form(values=sent.values)
    town = sent.text("town")
    names = towns_of(request, mine)
    given = sent.values.getlist("permission")
    days = sent.text("days")
    try:
        with session.transaction_for(request, sent.visit.viewer)() as connection:
            token = tokens.give(
                connection,
                mine,
                town,
                permissions=given,
                sensor=sent.text("sensor") or None,
                name=sent.text("name"),
                days=int(days) if days.isdecimal() and len(days) < 6 else 0,
                settings=request.app.state.settings.access,
            )
    except NotGiven as error:
        where = names.get(town, town)
        words = page_language.phrase(PERMISSIONS.get(error.permission, ""))
        form.status = error.http_status
        form.errors["permission"] = page_language.phrase(
            _NOT_YOURS, town=where, permission=words or error.permission
        )
    except UnknownKey:
        form.status = 422
        where = names.get(town, town)
        form.errors["sensor"] = page_language.phrase(_NO_SENSOR, town=where)
    except VerkehrspulsError as error:
        form.refuse(error, page_language, now=now)
    else:
        response = render(
            request,
            page_language,
            "pages/tokens/made.html",
            token=token,
            line=line_of(_find(request, token[:11]), mine, page_language),
        )
        response.headers["Cache-Control"] = "no-store"
        return response
    return tokens_page(request, page_language, form, mine, chosen=given)


@router.get("/{language:language}/account/tokens/{prefix}")
def ask_to_revoke(
    request: Request, language: LanguageKey, prefix: str, person: Person
) -> Response:
    """Ask whether a token is to be revoked."""
    page_language = Language(language)
    line = line_of(_find(request, prefix), person.session, page_language)
    return render(request, page_language, "pages/tokens/revoke.html", line=line)


@router.post("/{language:language}/account/tokens/{prefix}")
def revoke_token(
    request: Request, language: LanguageKey, prefix: str, sent: Sent
) -> Response:
    """Revoke a token."""
    _find(request, prefix)
    with session.transaction_for(request, sent.visit.viewer)() as connection:
        tokens.revoke(connection, prefix)
    return RedirectResponse(f"{addresses.account(language, PART)}?done=revoked", 303)


def _find(request: Request, prefix: str) -> Listed:
    """Find a token that the person sees."""
    with database_of(request).connection() as connection:
        for one in tokens.every(connection):
            if one.prefix == prefix:
                return one
    raise HTTPException(404)
