"""Rename a site, move channels of it, or make it part of another one."""

from collections.abc import Callable
from typing import Final

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api import session
from dashboards import addresses
from dashboards.forms import Form, Person, Posted, Sent, sentence
from dashboards.pages.register.view import MOST_OPTIONS
from dashboards.render import LanguageKey, Now, database_of, page_router, render
from verkehrspuls.errors import UnknownKey, UsageError
from verkehrspuls.language import Language
from verkehrspuls.model import Site, Town
from verkehrspuls.registry import edit, moves
from verkehrspuls.registry.faults import Faulty
from verkehrspuls.storage.database import Connection
from verkehrspuls.text import mark

router = page_router()

_NONE_CHOSEN: Final = mark("Choose at least one channel.")
_NOWHERE: Final = mark("Choose a site.")


@router.get("/{language:language}/register/{municipality}/move/{site}")
def ask_where(
    request: Request,
    language: LanguageKey,
    municipality: str,
    site: str,
    person: Person,
) -> Response:
    """Show what can be done with a site."""
    return _page(request, Language(language), municipality, site, Form())


@router.post("/{language:language}/register/{municipality}/move/{site}")
def move(
    request: Request,
    language: LanguageKey,
    municipality: str,
    site: str,
    sent: Sent,
    now: Now,
) -> Response:
    """Do with a site what the button says."""
    page_language = Language(language)
    act = sent.text("act")
    form = Form(values=sent.values)
    for name, text in _missing(act, sent).items():
        form.errors[f"{act}-{name}"] = page_language.phrase(text)
        form.status = 422
    if act in _ACTS and not form.errors:
        try:
            with session.transaction_for(request, sent.visit.viewer)() as connection:
                key = _ACTS[act](connection, municipality, site, sent)
        except Faulty as error:
            form.status = error.http_status
            for fault in reversed(error.faults):
                text = sentence(fault.phrase.in_language(language))
                form.errors[f"{act}-{fault.field}"] = text
        except UsageError as error:
            form.refuse(error, page_language, now=now)
        else:
            address = addresses.register(language, municipality, "site", key)
            return RedirectResponse(f"{address}?done=moved", 303)
    return _page(request, page_language, municipality, site, form)


def _missing(act: str, sent: Posted) -> dict[str, str]:
    found = {}
    if act in ("move", "split") and not sent.values.getlist("channel"):
        found["channel"] = _NONE_CHOSEN
    if act in ("move", "merge") and not sent.text("into"):
        found["into"] = _NOWHERE
    return found


def _rename(connection: Connection, town: str, site: str, sent: Posted) -> str:
    moves.rename(connection, town, site, sent.text("key"))
    return sent.text("key")


def _move(connection: Connection, town: str, site: str, sent: Posted) -> str:
    channels = sent.values.getlist("channel")
    moves.move_channels(connection, town, site, channels, into=sent.text("into"))
    return sent.text("into")


def _split(connection: Connection, town: str, site: str, sent: Posted) -> str:
    moves.split(
        connection,
        town,
        site,
        sent.values.getlist("channel"),
        key=sent.text("key"),
        name=sent.text("name"),
    )
    return sent.text("key")


def _merge(connection: Connection, town: str, site: str, sent: Posted) -> str:
    moves.merge(connection, town, site, into=sent.text("into"))
    return sent.text("into")


#: what the buttons do; each returns the site that is shown then
_ACTS: Final[dict[str, Callable[[Connection, str, str, Posted], str]]] = {
    "rename": _rename,
    "move": _move,
    "split": _split,
    "merge": _merge,
}


def _page(
    request: Request, language: Language, municipality: str, site: str, form: Form
) -> Response:
    with database_of(request).connection() as connection:
        town = edit.read(connection, municipality)
    others = [(each.key, each.name) for each in town.sites if each.key != site]
    response = render(
        request,
        language,
        "pages/moving/moving.html",
        town=town,
        site=_site(town, site),
        others=others if len(others) <= MOST_OPTIONS else [],
        has_others=bool(others),
        chosen=set(getattr(form.values, "getlist", lambda _: [])("channel")),
        form=form,
    )
    response.status_code = form.status
    return response


def _site(town: Town, key: str) -> Site:
    for site in town.sites:
        if site.key == key:
            return site
    raise UnknownKey(kind="site", key=f"{town.key}/{key}")
