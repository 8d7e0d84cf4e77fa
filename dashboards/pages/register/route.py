"""Registering sites, sensors and what belongs to them, one form for each entry."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl

import msgspec
from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from api import session
from dashboards import addresses
from dashboards.forms import Person, Posted, Sent
from dashboards.pages.register.fields import FIELDS, TIME, FormKind, NotWritten, read
from dashboards.pages.register.view import (
    LISTS,
    SWAPPED,
    Entering,
    ask_page,
    entry_page,
    recognised,
    swap_page,
    town_page,
    towns_page,
)
from dashboards.permitted import towns_where
from dashboards.render import LanguageKey, Now, PageNumber, database_of, page_router
from verkehrspuls.errors import UnknownKey, UsageError
from verkehrspuls.language import Language
from verkehrspuls.model import Sensor, Town
from verkehrspuls.registry import edit, maintenance
from verkehrspuls.registry.ending import end
from verkehrspuls.registry.faults import Faulty
from verkehrspuls.registry.registration import Entry
from verkehrspuls.registry.swap import swap
from verkehrspuls.text import mark
from verkehrspuls.wording import Phrase

router = page_router()

_THERE = mark("there is one of this key already; choose another one")
_NO_TIME = mark("it is no time; write it as 2026-11-21T20:00:00Z")


@router.get("/{language:language}/register")
def towns(request: Request, language: LanguageKey, person: Person) -> Response:
    """Show the towns where the reader registers; a single one at once."""
    found = towns_where(request, person.session, "register")
    if len(found) == 1:
        return RedirectResponse(addresses.register(language, found[0].key), 303)
    named = [(addresses.register(language, town.key), town.name) for town in found]
    return towns_page(request, Language(language), named)


@router.get("/{language:language}/register/{municipality}")
def registered(
    request: Request,
    language: LanguageKey,
    municipality: str,
    person: Person,
    kind: FormKind = "site",
    search: Annotated[str, Query(max_length=200)] = "",
    state: Annotated[str, Query(max_length=40)] = "",
    page: PageNumber = 1,
    done: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Show what is registered of a town."""
    return town_page(
        request,
        Language(language),
        _town(request, municipality),
        kind=kind if kind in LISTS else "site",
        search=search,
        state=state,
        page=page,
        done=done,
    )


@router.get("/{language:language}/register/{municipality}/sensor/{sensor}/swap")
def ask_for_device(
    request: Request,
    language: LanguageKey,
    municipality: str,
    sensor: str,
    person: Person,
    now: Now,
) -> Response:
    """Show the form by which another sensor takes over from one."""
    town = _town(request, municipality)
    entering = Entering(town, "sensor", "", Language(language))
    return swap_page(request, entering, _sensor(town, sensor), now=now)


@router.post("/{language:language}/register/{municipality}/sensor/{sensor}/swap")
def swap_devices(
    request: Request,
    language: LanguageKey,
    municipality: str,
    sensor: str,
    sent: Sent,
    now: Now,
) -> Response:
    """Let another sensor take over from one."""
    town = _town(request, municipality)
    old = _sensor(town, sensor)
    entering = Entering(town, "sensor", "", Language(language))
    names = [field.name for field in SWAPPED]
    typed = {name: sent.text(name) for name in names}
    entering.form.values = typed
    fields, wrong = read("sensor", typed, town.time_zone)
    wrong = {name: phrase for name, phrase in wrong.items() if name in names}
    at = _moment(typed["at"], town, wrong)
    if wrong or at is None:
        entering.refuse(wrong)
        return swap_page(request, entering, old, now=now)
    new = fields.pop("key")
    try:
        with session.transaction_for(request, sent.visit.viewer)() as connection:
            swap(connection, municipality, sensor, new, fields, at=at)
    except Faulty as error:
        here = {f.field: f.phrase for f in error.faults if f.field in names}
        entering.take(error, Entry("sensor", new))
        entering.refuse(here)
        return swap_page(request, entering, old, now=now)
    return _done(language, municipality, "sensor", new, "swapped")


@router.get("/{language:language}/register/{municipality}/new/{kind}")
def new_entry(
    request: Request,
    language: LanguageKey,
    municipality: str,
    kind: FormKind,
    person: Person,
    now: Now,
    of: Annotated[str, Query(max_length=64)] = "",
    told: Annotated[str, Query(max_length=2000)] = "",
) -> Response:
    """Show a form for a new entry.

    `of`: the site or sensor that it is part of; `told`: what is known of its fields,
    as a form is sent.
    """
    entering = Entering(_town(request, municipality), kind, "", Language(language))
    entering.form.values = {"of": of}
    if kind in ("site", "sensor"):
        entering.form.values |= {"status": "planned"}
    elif kind == "installation":
        hour = now.replace(minute=0, second=0, microsecond=0)
        since = TIME.show(hour.isoformat(), entering.town.time_zone)
        entering.form.values |= {"since": since}
    names = {field.name for field in FIELDS[kind]}
    given = parse_qsl(told)
    entering.form.values |= {name: text for name, text in given if name in names}
    return entry_page(request, entering, now=now)


@router.post("/{language:language}/register/{municipality}/new/{kind}")
def add_entry(
    request: Request,
    language: LanguageKey,
    municipality: str,
    kind: FormKind,
    sent: Sent,
    now: Now,
) -> Response:
    """Register a new entry."""
    entering = Entering(_town(request, municipality), kind, "", Language(language))
    return _save(request, entering, sent, now)


@router.get("/{language:language}/register/{municipality}/{kind}/{key:path}")
def show_entry(
    request: Request,
    language: LanguageKey,
    municipality: str,
    kind: FormKind,
    key: str,
    person: Person,
    now: Now,
    done: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Show an entry in its form."""
    entering = _entering(request, language, municipality, kind, key)
    newest: list[maintenance.Entry] = []
    if kind in ("site", "sensor"):
        of: dict[str, Any] = {kind: key}
        with database_of(request).connection() as connection:
            newest = maintenance.entries(connection, municipality, limit=1, **of)
    return entry_page(
        request, entering, now=now, newest=newest[0] if newest else None, done=done
    )


@router.post("/{language:language}/register/{municipality}/{kind}/{key:path}")
def change_entry(
    request: Request,
    language: LanguageKey,
    municipality: str,
    kind: FormKind,
    key: str,
    sent: Sent,
    now: Now,
) -> Response:
    """Change an entry, register its end, or remove what was never used."""
    entering = _entering(request, language, municipality, kind, key)
    act = sent.text("act")
    if act == "ask":
        return ask_page(request, entering)
    if act not in ("remove", "end"):
        return _save(request, entering, sent, now)
    wrong: dict[str, Phrase] = {}
    at = _moment(sent.text("at"), entering.town, wrong) if act == "end" else now
    if at is None:
        entering.refuse(wrong)
        return entry_page(request, entering, now=now)
    try:
        with session.transaction_for(request, sent.visit.viewer)() as connection:
            if act == "end":
                end(connection, municipality, entering.entry, at=at, now=now)
            else:
                seen = sent.text("version")
                edit.put_entry(
                    connection, municipality, entering.entry, None, seen=seen
                )
    except Faulty as error:
        entering.take(error, entering.entry)
        return entry_page(request, entering, now=now)
    except UsageError as error:
        entering.form.refuse(error, entering.language, now=now)
        return entry_page(request, entering, now=now)
    if act == "end":
        return _done(language, municipality, kind, key, "ended")
    return _done(language, municipality, "", "", "removed")


def _save(request: Request, entering: Entering, sent: Posted, now: Now) -> Response:
    """Register what was typed, or show it with what is wrong."""
    town, kind, form = entering.town, entering.kind, entering.form
    names = {field.name for field in FIELDS[kind]} | {"of"}
    form.values = {name: sent.text(name) for name in names & sent.values.keys()}
    if sent.text("act") == "convert" and (place := recognised(town, form.values)):
        form.values |= {
            "latitude": str(place.latitude),
            "longitude": str(place.longitude),
        }
        return entry_page(request, entering, now=now)
    fields, wrong = read(kind, form.values, town.time_zone, before=entering.before)
    if wrong:
        entering.refuse(wrong)
        return entry_page(request, entering, now=now)
    entry = entering.entry if entering.key else _named(entering, fields)
    try:
        with session.transaction_for(request, sent.visit.viewer)() as connection:
            changes = edit.put_entry(
                connection, town.key, entry, fields, seen=sent.text("version") or None
            )
    except Faulty as error:
        entering.take(error, entry)
    except edit.EntryChanged:
        entering.town = _town(request, town.key)
        if entering.key:
            form.status, entering.is_changed = 412, True
        else:
            name = "since" if kind == "installation" else "key"
            entering.refuse({name: Phrase(_THERE)})
    except UsageError as error:
        form.refuse(error, entering.language, now=now)
    else:
        # an installation is named by its start, which may have been changed
        kept = [c.entry.key for c in changes if c.after and c.entry.kind == kind]
        key = kept[0] if kept else entry.key
        return _done(entering.language.key, town.key, kind, key, "saved")
    return entry_page(request, entering, now=now)


def _named(entering: Entering, fields: dict[str, str]) -> Entry:
    """Return the entry that a new form describes."""
    owner = entering.form.values.get("of", "")
    match entering.kind:
        case "channel":
            key = f"{owner}/{fields['key']}"
        case "installation":
            since = fields["since"].replace("Z", "+00:00")
            key = f"{owner}/{fields['output']}/{since}"
        case _:
            key = fields["key"]
    return Entry(entering.kind, key)


def _town(request: Request, municipality: str) -> Town:
    with database_of(request).connection() as connection:
        return edit.read(connection, municipality)


def _entering(
    request: Request, language: str, municipality: str, kind: FormKind, key: str
) -> Entering:
    town = _town(request, municipality)
    entering = Entering(town, kind, key, Language(language))
    if entering.before is None:
        raise UnknownKey(kind=kind, key=f"{municipality}/{key}")
    return entering


def _sensor(town: Town, key: str) -> Sensor:
    for sensor in town.sensors:
        if sensor.key == key:
            return sensor
    raise UnknownKey(kind="sensor", key=f"{town.key}/{key}")


def _moment(text: str, town: Town, wrong: dict[str, Phrase]) -> datetime | None:
    """Read the time of an end or a swap; None: what is wrong is noted."""
    try:
        return msgspec.convert(TIME.read(text, town.time_zone), datetime)
    except NotWritten as error:
        wrong["at"] = error.phrase
    except msgspec.ValidationError:
        wrong["at"] = Phrase(_NO_TIME)
    return None


def _done(
    language: str, municipality: str, kind: str, key: str, done: str
) -> RedirectResponse:
    address = addresses.register(language, municipality, kind, key)
    return RedirectResponse(f"{address}?done={done}", 303)
