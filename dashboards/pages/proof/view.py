"""Asking somebody to show who they are; what they typed is sent along."""

from collections.abc import Sequence

from fastapi import Request, Response

from dashboards import addresses
from dashboards.addresses import NEXT
from dashboards.forms import TOKEN_FIELD, Form
from dashboards.pages.passkeys.view import are_usable
from dashboards.pages.single_sign_on.view import button
from dashboards.proof import ProofNeeded
from dashboards.render import database_of, language_of, query_of, render
from verkehrspuls.access import sessions
from verkehrspuls.language import Language


def ask(request: Request, error: Exception) -> Response:
    """Ask who sent a form to show who they are."""
    assert isinstance(error, ProofNeeded)  # noqa: S101 - registered for it
    language = language_of(request)
    query = query_of(request)
    action = f"{request.url.path}{'?' * bool(query)}{query}"
    typed = [
        (name, text)
        for name, text in error.values.multi_items()
        # a new password is typed again: no page holds one
        if name != TOKEN_FIELD and "password" not in name
    ]
    only_here = action == addresses.proof(language.key)
    return proof_page(
        request,
        language,
        error.form,
        action=action,
        typed=typed,
        then=error.values.get(NEXT, "") if only_here else "",
    )


def proof_page(
    request: Request,
    language: Language,
    form: Form,
    *,
    action: str,
    typed: Sequence[tuple[str, str]],
    then: str = "",
) -> Response:
    """Show the page; `then`: what is opened afterwards, if nothing is sent."""
    with database_of(request).connection() as connection:
        ways = sessions.ways(connection)
    response = render(
        request,
        language,
        "pages/proof/proof.html",
        form=form,
        ways=ways,
        passkeys=ways.passkeys and are_usable(request),
        single_sign_on=ways.linked_at and button(request, language),
        action=action,
        typed=typed,
        then=then,
    )
    response.status_code = form.status
    response.headers["Cache-Control"] = "no-store"
    return response
