"""The form of a municipality, for who has the permission `settings`."""

from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from api import session
from dashboards import addresses
from dashboards.forms import Person, Sent
from dashboards.pages.register.fields import FIELDS, read
from dashboards.pages.register.view import Entering, municipality_page, towns_page
from dashboards.permitted import towns_where
from dashboards.render import LanguageKey, Now, database_of, page_router
from verkehrspuls.errors import UsageError
from verkehrspuls.language import Language
from verkehrspuls.registry import edit
from verkehrspuls.registry.faults import Faulty

router = page_router()


@router.get("/{language:language}/municipality")
def towns(request: Request, language: LanguageKey, person: Person) -> Response:
    """Show the towns whose settings the reader changes; a single one at once."""
    found = towns_where(request, person.session, edit.SETTINGS)
    named = [(addresses.municipality(language, town.key), town.name) for town in found]
    if len(named) == 1:
        return RedirectResponse(named[0][0], 303)
    return towns_page(request, Language(language), named)


@router.get("/{language:language}/municipality/{municipality}")
def show(
    request: Request,
    language: LanguageKey,
    municipality: str,
    person: Person,
    done: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Show the municipality in its form."""
    entering = _entering(request, language, municipality)
    return municipality_page(request, entering, done=done)


@router.post("/{language:language}/municipality/{municipality}")
def change(
    request: Request, language: LanguageKey, municipality: str, sent: Sent, now: Now
) -> Response:
    """Change the municipality."""
    entering = _entering(request, language, municipality)
    form = entering.form
    names = {field.name for field in FIELDS["municipality"]}
    form.values = {name: sent.text(name) for name in names & sent.values.keys()}
    zone = entering.town.time_zone
    fields, wrong = read("municipality", form.values, zone, before=entering.before)
    if wrong:
        entering.refuse(wrong)
        return municipality_page(request, entering)
    try:
        with session.transaction_for(request, sent.visit.viewer)() as connection:
            seen = sent.text("version")
            edit.put_entry(connection, municipality, entering.entry, fields, seen=seen)
    except Faulty as error:
        entering.take(error, entering.entry)
    except edit.EntryChanged:
        entering.town = _entering(request, language, municipality).town
        form.status, entering.is_changed = 412, True
    except UsageError as error:
        form.refuse(error, entering.language, now=now)
    else:
        address = addresses.municipality(language, municipality)
        return RedirectResponse(f"{address}?done=saved", 303)
    return municipality_page(request, entering)


def _entering(request: Request, language: str, municipality: str) -> Entering:
    with database_of(request).connection() as connection:
        town = edit.read(connection, municipality, edit.SETTINGS)
    return Entering(town, "municipality", municipality, Language(language))
