"""Bringing a sensor into service: checklist, newest messages, replay, and trials."""

from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from api import session
from dashboards import addresses
from dashboards.forms import Form, Person, Sent
from dashboards.pages.commissioning.view import Trying, page
from dashboards.render import LanguageKey, Now, page_router
from verkehrspuls.language import Language
from verkehrspuls.registry import edit, replays

router = page_router()


@router.get("/{language:language}/commissioning/{municipality}/{sensor}")
def commissioning(
    request: Request,
    language: LanguageKey,
    municipality: str,
    sensor: str,
    person: Person,
    now: Now,
    done: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Show how far a sensor is in service."""
    trying = Trying(municipality, sensor, Language(language), Form())
    return page(request, trying, now, done=done)


@router.post("/{language:language}/commissioning/{municipality}/{sensor}")
def act(
    request: Request,
    language: LanguageKey,
    municipality: str,
    sensor: str,
    sent: Sent,
    now: Now,
) -> Response:
    """Ask for a replay, or show what a message would become."""
    if sent.text("act") == "replay":
        with session.transaction_for(request, sent.visit.viewer)() as connection:
            edit.require(connection, municipality)
            replays.ask(connection, municipality, sensor)
        address = addresses.commissioning(language, municipality, sensor)
        return RedirectResponse(f"{address}#messages", 303)
    trying = Trying(municipality, sensor, Language(language), Form(sent.values))
    return page(request, trying, now)
