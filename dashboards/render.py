"""Rendering: a page's template in the reader's language, made only if it is new.

Nothing is kept in the server: the address is the state.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, NamedTuple, TypeVar
from urllib.parse import urlencode

import jinja2
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse
from starlette.convertors import StringConvertor, register_url_convertor

from api import conditional, negotiation
from api.database import Seen
from api.query import is_tracking
from api.viewer import Visit, is_unsure, seen_by, viewer_of, visit_of
from dashboards import addresses, period
from dashboards.assets import Assets
from dashboards.forms import Form
from dashboards.owners import owners
from dashboards.remembered import Remembered
from verkehrspuls import __version__
from verkehrspuls.language import Language
from verkehrspuls.locales import locales
from verkehrspuls.storage.sites import Municipality, Site
from verkehrspuls.text import catalogue, mark

#: key of one of `locales`: an address with another one is no page
LanguageKey = str

_Response = TypeVar("_Response", bound=Response)


class _LanguageConvertor(StringConvertor):
    """Matches the language of a page's address; the API's addresses have none."""

    regex = "|".join(locales())


register_url_convertor("language", _LanguageConvertor())

#: number of the page of a list that is too long for one
PageNumber = Annotated[int, Query(ge=1, le=1_000_000)]


class Link(NamedTuple):
    """A page's entry in the navigation: a marked text, the path below the language."""

    text: str
    path: str
    #: in the header as well, not in the footer only
    header: bool = False


def page_router() -> APIRouter:
    """Return a router for the addresses of a page."""
    return APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


def now() -> datetime:
    """Return the time that pages take as now."""
    return datetime.now(UTC)


Now = Annotated[datetime, Depends(now)]


@cache
def _templates(key: str) -> jinja2.Environment:
    language = Language(key)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dashboards", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(  # type: ignore[attr-defined]  # of i18n
        catalogue(key), newstyle=True
    )
    environment.globals |= {
        "language": language,
        "version": __version__,
        "is_day": period.is_day,
        "addresses": addresses,
    }
    return environment


def render(
    request: Request,
    language: Language,
    template: str,
    *,
    of: Iterable[Municipality | Site] = (),
    address: str | None = None,
    form: object = None,
    **context: Any,
) -> HTMLResponse:
    """Render a page; `of` are the towns, or sites, whose data it shows.

    `address` is the one to print, if it is not the requested one. A form may say when
    to try again.
    """
    assets: Assets = request.app.state.assets
    # pages of prose have a file for each language, or else the English one
    found = _templates(language.key)
    english = template.replace(f".{language.key}.", ".en.")
    page = found.select_template([template, english])
    visit = visit_of(request)
    text = page.render(
        assets=assets.addresses,
        switches=_switches(request, language),
        path=request.url.path,
        links=request.app.state.links,
        address=address or _with_query(request, request.url.path),
        visit=visit,
        form_token=visit.form_token() if visit else "",
        unsure=is_unsure(request),
        place=_place(visit, language) if visit else "",
        owners=owners(of, request.app.state.settings.pages),
        form=form,
        **context,
    )
    return HTMLResponse(text, headers=form.headers if isinstance(form, Form) else None)


def known(
    request: Request,
    language: Language,
    at: datetime,
    *made_of: object,
    make: Callable[[], Response],
) -> Response:
    """Return a page: 304 if the browser has it, else from the cache, else rendered.

    Its tag is made of all that a page depends on: address, language, version, viewer,
    the minute (pages say how long ago something was), settings, and the data, of which
    `made_of` is the state.
    """
    parts = (
        request.url.path,
        query_of(request),
        language.key,
        __version__,
        visit_of(request),
        is_unsure(request),
        viewer_of(request),
        at.replace(second=0, microsecond=0),
        request.app.state.settings.pages,
        *made_of,
    )
    tag = conditional.tag(*(repr(part).encode() for part in parts))
    headers = {"ETag": tag}
    held = request.headers.getlist("if-none-match")
    # `*` matches any existing page, and it is not known yet whether there is one
    if "*" not in held and negotiation.holds(held, tag):
        return Response(None, 304, headers)
    remembered: Remembered = request.app.state.remembered
    other: list[Response] = []

    def text() -> bytes:
        made = make()
        if made.status_code != 200:
            other.append(made)
            raise _NotThePage
        return bytes(made.body)

    try:
        return HTMLResponse(remembered.get(tag, text), headers=headers)
    except _NotThePage:
        return other[0]


class _NotThePage(Exception):
    """Raised with a response that is an error and must not be cached."""


def query_of(request: Request) -> str:
    """Return the query of an address, without tracking parameters."""
    asked = request.query_params.multi_items()
    return urlencode([pair for pair in asked if not is_tracking(pair[0])])


def _place(visit: Visit, language: Language) -> str:
    """Return for which town somebody is logged in, or for how many."""
    towns = {held.town for held in visit.session.roles}
    if None in towns:
        return language.phrase(mark("whole installation"))
    if len(towns) > 1:
        return language.plural("%(count)s town", "%(count)s towns", len(towns))
    return "".join(town for town in towns if town)


def _switches(request: Request, language: Language) -> list[tuple[Language, str]]:
    """Return the addresses of the same page, with its query, in other languages."""
    path = request.url.path
    first, slash, rest = path.removeprefix("/").partition("/")
    if first not in locales():
        return [(other, f"/{other.key}/") for other in language.others]
    return [
        (other, _with_query(request, f"/{other.key}{slash or '/'}{rest}"))
        for other in language.others
    ]


def _with_query(request: Request, path: str) -> str:
    return f"{path}?{found}" if (found := query_of(request)) else path


def language_of(request: Request) -> Language:
    """Return the language of a page's address, else that of the reader's browser."""
    first = request.url.path.removeprefix("/").partition("/")[0]
    return Language(first if first in locales() else preferred(request))


def preferred(request: Request) -> str:
    """Return the language of the reader's browser, else German."""
    asked = ",".join(request.headers.getlist("accept-language"))
    return negotiation.language(asked, tuple(locales()))


def database_of(request: Request) -> Seen:
    """Return the database as the viewer of a page sees it."""
    return seen_by(request)
