"""Showing who one is, before a page that needs it is opened."""

from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from dashboards import addresses
from dashboards.addresses import NEXT
from dashboards.forms import Form, Person
from dashboards.pages.proof.view import proof_page
from dashboards.proof import Proved
from dashboards.render import LanguageKey, page_router
from verkehrspuls.language import Language

router = page_router()


@router.get("/{language:language}/account/proof")
def ask_for_proof(
    request: Request,
    language: LanguageKey,
    person: Person,
    next: Annotated[str, Query(max_length=4000)] = "",
) -> Response:
    """Ask somebody to show who they are."""
    then = addresses.after_login(language, next)
    if person.session.has_proved:
        return RedirectResponse(then, 303)
    return proof_page(
        request,
        Language(language),
        Form(),
        action=addresses.proof(language),
        typed=[(NEXT, then)],
        then=then,
    )


@router.post("/{language:language}/account/proof")
def take_proof(request: Request, language: LanguageKey, sent: Proved) -> Response:
    """Go on to the page that needs it."""
    then = addresses.after_login(language, sent.text(NEXT))
    return RedirectResponse(then, 303)
