"""What was done at a site or with a sensor: noted, corrected, and with photographs."""

from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from api import session
from dashboards import addresses
from dashboards.forms import AGAIN, Person, Sent, sentence
from dashboards.pages.maintenance.view import Log, log_page
from dashboards.pages.register.fields import FIELDS, read
from dashboards.render import LanguageKey, Now, database_of, page_router
from verkehrspuls.errors import BadParameter, UnknownKey
from verkehrspuls.language import Language
from verkehrspuls.registry import edit, maintenance, photographs
from verkehrspuls.registry.maintenance import Maintenance
from verkehrspuls.registry.photographs import NotAPhotograph
from verkehrspuls.text import mark

router = page_router()

Kind = Literal["site", "sensor"]
Number = Annotated[int, Query(ge=1, le=2**31 - 1)]
#: photographs that are sent at once
_AT_ONCE: Final = 3
LARGER: Final = {
    r"/\w+/register/[^/]+/maintenance/.+": _AT_ONCE * photographs.MAX_BYTES
}
_CHOOSE: Final = mark("You were logged out meanwhile: choose the photographs again.")


@router.get("/{language:language}/register/{municipality}/photograph/{photograph}")
def photograph(
    request: Request,
    language: LanguageKey,
    municipality: str,
    photograph: int,
    person: Person,
) -> Response:
    """Show a photograph."""
    if not 0 < photograph < 2**31:
        raise UnknownKey(kind="photograph", key=photograph)
    with database_of(request).connection() as connection:
        image = maintenance.photograph(connection, municipality, photograph)
    return Response(image, media_type="image/jpeg")


@router.get("/{language:language}/register/{municipality}/maintenance/{kind}/{key}")
def show_log(
    request: Request,
    language: LanguageKey,
    municipality: str,
    kind: Kind,
    key: str,
    person: Person,
    now: Now,
    number: Number | None = None,
    done: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Show the log, with a form for a new entry, or for correcting one."""
    log = _log(request, language, municipality, kind, key)
    log.correct(number, now=now)
    return log_page(request, log, done=done)


@router.post("/{language:language}/register/{municipality}/maintenance/{kind}/{key}")
def change_log(
    request: Request,
    language: LanguageKey,
    municipality: str,
    kind: Kind,
    key: str,
    sent: Sent,
    now: Now,
    number: Number | None = None,
) -> Response:
    """Note what was done, correct it, or remove an entry or a photograph."""
    log = _log(request, language, municipality, kind, key)
    act, _, of = sent.text("act").partition(" ")
    writing = session.transaction_for(request, sent.visit.viewer)
    if act in ("remove", "remove-photograph") and of.isascii() and of.isdigit():
        remove = (
            maintenance.remove if act == "remove" else maintenance.remove_photograph
        )
        with writing() as connection:
            remove(connection, municipality, min(int(of), 2**31 - 1))
        return _done(log, "removed")
    log.correct(number, now=now)
    form = log.form
    names = {field.name for field in FIELDS["maintenance"]}
    form.values = {name: sent.text(name) for name in names & sent.values.keys()}
    fields, wrong = read("maintenance", form.values, log.town.time_zone)
    if wrong or AGAIN in sent.values:
        form.status = 422
        if AGAIN in sent.values:
            form.errors["photographs"] = log.language.phrase(_CHOOSE)
        for name, phrase in wrong.items():
            form.errors[name] = sentence(phrase.in_language(log.language.key))
        return log_page(request, log)
    done = msgspec.convert({**fields, kind: key}, Maintenance)
    try:
        with writing() as connection:
            if number is None:
                entry = maintenance.add(connection, municipality, done)
            else:
                entry = number
                maintenance.change(connection, municipality, number, done)
            for upload in sent.uploads:
                name = upload.name
                maintenance.add_photograph(connection, municipality, entry, upload.data)
    except NotAPhotograph as error:
        form.status = error.http_status
        form.errors["photographs"] = f"{name}: {log.language.phrase(error.reason)}"
    except BadParameter as error:
        form.refuse(error, log.language, now=now)
    else:
        return _done(log, "saved")
    return log_page(request, log)


def _log(
    request: Request, language: str, municipality: str, kind: Kind, key: str
) -> Log:
    with database_of(request).connection() as connection:
        town = edit.read(connection, municipality)
        records = town.sites if kind == "site" else town.sensors
        record = next((each for each in records if each.key == key), None)
        if record is None:
            raise UnknownKey(kind=kind, key=f"{municipality}/{key}")
        which: dict[str, Any] = {kind: key}
        found = maintenance.entries(connection, municipality, limit=500, **which)
    return Log(town, kind, record, found, Language(language))


def _done(log: Log, done: str) -> RedirectResponse:
    address = addresses.maintenance(
        log.language.key, log.town.key, log.kind, log.record.key
    )
    return RedirectResponse(f"{address}?done={done}", 303)
