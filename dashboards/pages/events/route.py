"""Local events: listed, added, changed and removed."""

from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse
from msgspec import convert

from api import session
from dashboards import addresses
from dashboards.forms import Form, Person, Sent, sentence
from dashboards.pages.register.fields import FIELDS, LocalEvent, read
from dashboards.pages.register.view import Control, done_in_words, options_of
from dashboards.render import LanguageKey, Now, database_of, page_router, render
from verkehrspuls.errors import UnknownKey, UsageError
from verkehrspuls.language import Language
from verkehrspuls.registry import calendar, edit

router = page_router()


@router.get("/{language:language}/register/{municipality}/events")
def events(
    request: Request,
    language: LanguageKey,
    municipality: str,
    person: Person,
    done: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Show the events of a town, with a form for another one."""
    return _page(request, Language(language), municipality, Form(), done=done)


@router.post("/{language:language}/register/{municipality}/events")
def change(
    request: Request, language: LanguageKey, municipality: str, sent: Sent, now: Now
) -> Response:
    """Add an event, change the one of the same name and first day, or remove one."""
    page_language, form = Language(language), Form()
    writing = session.transaction_for(request, sent.visit.viewer)
    address = f"{addresses.register(language, municipality)}/events"
    act, _, number = sent.text("act").partition(" ")
    if act == "remove":
        with writing() as connection:
            edit.require(connection, municipality)
            known = calendar.events(connection, municipality=municipality)
            found = next((one for one in known if str(one.event) == number), None)
            if found is None:
                raise UnknownKey(kind="event", key=number[:20])
            calendar.remove_event(connection, found.event)
        return RedirectResponse(f"{address}?done=removed", 303)
    names = {field.name for field in FIELDS["event"]}
    form.values = {name: sent.text(name) for name in names & sent.values.keys()}
    fields, wrong = read("event", form.values, "UTC")
    for name, phrase in wrong.items():
        form.errors[name] = sentence(phrase.in_language(language))
        form.status = 422
    if wrong:
        return _page(request, page_language, municipality, form)
    event = convert(fields, LocalEvent)
    try:
        with writing() as connection:
            edit.require(connection, municipality)
            calendar.put_event(
                connection,
                municipality=municipality,
                site=event.site,
                name=event.name,
                first=event.first,
                last=event.last or event.first,
                note=event.note,
            )
    except UsageError as error:
        form.refuse(error, page_language, now=now)
        return _page(request, page_language, municipality, form)
    return RedirectResponse(f"{address}?done=saved", 303)


def _page(
    request: Request,
    language: Language,
    municipality: str,
    form: Form,
    *,
    done: str = "",
) -> Response:
    with database_of(request).connection() as connection:
        town = edit.read(connection, municipality)
        found = calendar.events(connection, municipality=municipality)
    names = {site.key: site.name for site in town.sites}
    response = render(
        request,
        language,
        "pages/events/events.html",
        town=town,
        form=form,
        controls=[
            Control(
                each,
                form.values.get(each.name, ""),
                options_of(each, town, language),
            )
            for each in FIELDS["event"]
        ],
        events=[
            (
                one.event,
                one.name,
                language.day(one.first)
                + (f" – {language.day(one.last)}" if one.last > one.first else ""),
                names.get(one.site or "", ""),
                one.note,
            )
            for one in sorted(found, key=lambda one: one.first, reverse=True)[:500]
        ],
        done=done_in_words(done, language),
    )
    response.status_code = form.status
    return response
