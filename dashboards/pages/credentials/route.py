"""Credentials of a sensor: listed, issued, replaced and revoked."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from api import session
from dashboards import addresses
from dashboards.forms import Form, Person, Sent
from dashboards.pages.credentials.view import Of, issued_page, list_page
from dashboards.render import LanguageKey, Now, page_router
from verkehrspuls.errors import UnknownKey, VerkehrspulsError
from verkehrspuls.language import Language
from verkehrspuls.registry import credentials, edit
from verkehrspuls.text import mark

router = page_router()

_MOST_HOURS: Final = 8760
_NO_HOURS: Final = mark("Write whole hours, from 0 to 8760.")


@router.get("/{language:language}/credentials/{municipality}/{sensor}")
def listed(
    request: Request,
    language: LanguageKey,
    municipality: str,
    sensor: str,
    person: Person,
    done: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """List the credentials of a sensor."""
    of = Of(municipality, sensor, Language(language))
    return list_page(request, of, Form(), done=done)


@router.post("/{language:language}/credentials/{municipality}/{sensor}")
def change(
    request: Request,
    language: LanguageKey,
    municipality: str,
    sensor: str,
    sent: Sent,
    now: Now,
) -> Response:
    """Issue, replace or revoke; a new password is in the answer, and nowhere else."""
    of = Of(municipality, sensor, Language(language))
    writing = session.transaction_for(request, sent.visit.viewer)
    act, _, user = sent.text("act").partition(" ")
    form = Form(sent.values)
    hours = sent.text("hours")
    if act == "replace" and not (
        hours.isascii() and hours.isdigit() and int(hours[:9]) <= _MOST_HOURS
    ):
        form.errors["hours"] = of.language.phrase(_NO_HOURS)
        form.status = 422
    elif act in ("issue", "replace"):
        overlap = timedelta(hours=int(hours)) if act == "replace" else None
        try:
            issued = credentials.issue(writing, municipality, sensor, overlap=overlap)
        except UnknownKey:
            raise
        except VerkehrspulsError as error:
            form.refuse(error, of.language, now=now)
        else:
            return issued_page(request, of, issued)
    elif act == "revoke" and user:
        with writing() as connection:
            edit.require(connection, municipality)
            credentials.revoke_of(connection, municipality, sensor, user)
        here = addresses.credentials(language, municipality, sensor)
        return RedirectResponse(f"{here}?done=revoked", 303)
    return list_page(request, of, form)
