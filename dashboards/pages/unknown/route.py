"""Unknown sensors: listed, and adopted with what they had sent."""

from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from api import session
from dashboards import addresses
from dashboards.forms import Form, Person, Sent
from dashboards.pages.register.fields import TIME, NotWritten
from dashboards.pages.unknown.view import Adopting, adopt_page, list_page, towns_page
from dashboards.permitted import towns_where
from dashboards.render import LanguageKey, Now, database_of, page_router
from ingest import adopt
from verkehrspuls.errors import UsageError
from verkehrspuls.language import Language

router = page_router()
Topic = Annotated[str, Query(max_length=1024)]


@router.get("/{language:language}/unknown")
def towns(request: Request, language: LanguageKey, person: Person) -> Response:
    """Show the towns where the reader registers; a single one at once."""
    found = towns_where(request, person.session, "register")
    if len(found) == 1:
        return RedirectResponse(addresses.unknown(language, found[0].key), 303)
    named = [(town.key, town.name) for town in found]
    return towns_page(request, Language(language), named)


@router.get("/{language:language}/unknown/{municipality}")
def listed(
    request: Request,
    language: LanguageKey,
    municipality: str,
    person: Person,
    now: Now,
) -> Response:
    """List what sends in a town without being registered."""
    return list_page(request, Language(language), municipality, now)


@router.get("/{language:language}/unknown/{municipality}/adopt")
def ask(
    request: Request,
    language: LanguageKey,
    municipality: str,
    person: Person,
    now: Now,
    topic: Topic = "",
) -> Response:
    """Show what an unknown sensor may be, and what its messages would become."""
    adopting = _adopting(request, language, municipality, topic, Form(), now)
    if adopting is None:
        return RedirectResponse(addresses.unknown(language, municipality), 303)
    return adopt_page(request, adopting)


@router.post("/{language:language}/unknown/{municipality}/adopt")
def adopt_sensor(
    request: Request, language: LanguageKey, municipality: str, sent: Sent, now: Now
) -> Response:
    """Register an unknown sensor, or show what is to become of it as it was chosen."""
    form = Form(values=sent.values)
    topic = sent.text("topic")
    adopting = _adopting(request, language, municipality, topic, form, now)
    if adopting is None:
        return RedirectResponse(addresses.unknown(language, municipality), 303)
    adoption = adopting.adoption(_since(sent.text("since"), adopting, form))
    if sent.text("act") != "adopt" or adoption is None or form.errors:
        if sent.text("act") == "adopt":
            form.status = 422
        else:
            form.errors.clear()
        return adopt_page(request, adopting)
    try:
        with session.transaction_for(request, sent.visit.viewer)() as connection:
            adopt.adopt(connection, municipality, adoption)
    except UsageError as error:
        adopting.refuse(error, now)
        return adopt_page(request, adopting)
    address = addresses.commissioning(language, municipality, adoption.key)
    return RedirectResponse(f"{address}?done=adopted", 303)


def _since(text: str, adopting: Adopting, form: Form) -> datetime | None:
    try:
        return msgspec.convert(TIME.read(text, adopting.town.time_zone), datetime)
    except NotWritten as error:
        said = error.phrase.in_language(adopting.language.key)
        form.errors["since"] = said
    except msgspec.ValidationError:
        form.errors["since"] = adopting.no_time
    return None


def _adopting(
    request: Request,
    language: str,
    municipality: str,
    topic: str,
    form: Form,
    now: datetime,
) -> Adopting | None:
    """Return the form of an unknown sensor; None: it is none, or not any more."""
    settings = request.app.state.settings
    with database_of(request).connection() as connection:
        found = adopt.find(connection, settings.ingest, municipality, topic, now=now)
    return Adopting(found[0], Language(language), form, settings) if found else None
