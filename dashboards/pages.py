"""The pages' addresses. Nothing is kept in the server: the address is the state."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

import jinja2
from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException

from api import casework
from api.database import Database
from api.errors import BadParameter
from api.parameters import MunicipalityKey, SiteKey
from api.problems import Problem
from dashboards import case_page, corridor_page, overview, period, site_page
from dashboards.assets import Assets
from dashboards.language import Language
from dashboards.period import BINS, PRESETS
from dashboards.view import view
from verkehrspuls import __version__
from verkehrspuls.errors import UnknownKey
from verkehrspuls.storage import series
from verkehrspuls.text import (
    LANGUAGES,
    catalogue,
    mark,
    translate,
    translate_plural,
)

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

LanguageKey = Literal["de", "en"]


class _LanguageConvertor(StringConvertor):
    """Of a page's address; those of the API are none."""

    regex = "|".join(LANGUAGES)


register_url_convertor("language", _LanguageConvertor())

CaseNumber = Annotated[int, Path(ge=1, le=2**63 - 1)]

#: how long the towns' pages may be old, in seconds
OVERVIEW_S: Final = 10
#: remembers the language that a person switched to
COOKIE: Final = "language"

_PROBLEMS: Final = {
    404: (
        mark("There is nothing here"),
        mark("The address may be mistyped, or the site is not public."),
    ),
    422: (
        mark("This cannot be shown"),
        mark("Something in the address does not fit. Choose the period anew."),
    ),
    503: (
        mark("The data cannot be reached"),
        mark("The database does not answer at the moment. Reload in a few seconds."),
    ),
}
_OTHER_PROBLEM: Final = (
    mark("Something went wrong"),
    mark("The server made an error. Try again; if it stays, tell the operator."),
)


def now() -> datetime:
    """The clock of the pages."""
    return datetime.now(UTC)


Now = Annotated[datetime, Depends(now)]


@lru_cache(maxsize=len(LANGUAGES))
def _templates(key: str) -> jinja2.Environment:
    language = Language(key)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dashboards"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        lambda text: translate(text, key),
        lambda one, many, count: translate_plural(one, many, count, key),
        newstyle=True,
    )
    environment.globals |= {"language": language, "version": __version__}
    return environment


def _render(
    request: Request, language: Language, template: str, **context: Any
) -> HTMLResponse:
    assets: Assets = request.app.state.assets
    page = _templates(language.key).get_template(template)
    text = page.render(
        assets=assets.addresses,
        switch=_switch(request, language),
        path=request.url.path,
        **context,
    )
    response = HTMLResponse(text)
    if _preferred(request) != language.key:
        response.set_cookie(
            COOKIE, language.key, max_age=31_536_000, samesite="lax", httponly=True
        )
    return response


def _switch(request: Request, language: Language) -> str:
    """The same page, with its query, in the other language."""
    path = request.url.path
    first, slash, rest = path.removeprefix("/").partition("/")
    other = language.other.key
    if first not in LANGUAGES:
        return f"/{other}/"
    query = f"?{request.url.query}" if request.url.query else ""
    return f"/{other}{slash or '/'}{rest}{query}"


def _preferred(request: Request) -> str:
    """The reader's language: the one switched to, else the browser's, else German."""
    chosen = request.cookies.get(COOKIE)
    if chosen in LANGUAGES:
        return chosen
    for part in request.headers.get("accept-language", "").split(","):
        tag = part.partition(";")[0].strip().lower().partition("-")[0]
        if tag in LANGUAGES:
            return tag
    return LANGUAGES[0]


def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


@router.get("/")
def root(request: Request) -> Response:
    """Lead to the overview in the reader's language."""
    return RedirectResponse(
        f"/{_preferred(request)}/", status_code=302, headers={"Vary": "Accept-Language"}
    )


@router.get("/assets/{name}")
def asset(request: Request) -> Response:
    """Serve a style sheet or script, to be kept for ever."""
    assets: Assets = request.app.state.assets
    found = assets.respond(request)
    if found is None:
        raise HTTPException(404)
    return found


@router.get("/favicon.ico")
def icon(request: Request) -> Response:
    """Lead browsers that ask by habit to the icon."""
    return RedirectResponse(request.app.state.assets.addresses["icon.svg"], 308)


@router.get("/{language:language}/about")
def about(request: Request, language: LanguageKey) -> Response:
    """Say what is measured, and why."""
    return _render(request, Language(language), f"about.{language}.html")


@router.get("/{language:language}/accessibility")
def accessibility(request: Request, language: LanguageKey) -> Response:
    """Say how accessible the pages are."""
    return _render(request, Language(language), f"accessibility.{language}.html")


@router.get("/{language:language}/")
def all_towns(request: Request, language: LanguageKey, at: Now) -> Response:
    """Show all towns."""
    database = _database(request)
    return _towns(request, Language(language), _standing(request, database, at), at)


@router.get("/{language:language}/{municipality}")
def one_town(
    request: Request, language: LanguageKey, municipality: MunicipalityKey, at: Now
) -> Response:
    """Show one town."""
    standing = _standing(request, _database(request), at)
    return _towns(request, Language(language), standing, at, only=municipality)


@router.get("/{language:language}/case/{number}")
def one_case(request: Request, language: LanguageKey, number: CaseNumber) -> Response:
    """Show one anomaly case."""
    tongue = Language(language)
    with _database(request).connection() as connection:
        case = casework.show(connection, number)
        towns = series.municipalities(connection)
    names = {town["key"]: town["name"] for town in towns}
    return _render(
        request,
        tongue,
        "case.html",
        case=case,
        town=names[case["municipality"]],
        page=case_page.case_page(case, tongue),
    )


@router.get("/{language:language}/{municipality}/corridor/{corridor}")
def one_corridor(
    request: Request,
    language: LanguageKey,
    municipality: MunicipalityKey,
    corridor: SiteKey,
    at: Now,
    day: date | None = None,
) -> Response:
    """Show one corridor on a local day; the newest one that has ended by default."""
    tongue = Language(language)
    database = _database(request)
    with database.connection() as connection:
        rows = series.corridors(
            connection, municipality=municipality, corridor=corridor
        )
        towns = series.municipalities(connection)
    if not rows:
        raise UnknownKey(kind="corridor", key=f"{municipality}/{corridor}")
    found = rows[0]
    shown = day or corridor_page.default_day(at, found["time_zone"])
    if not 1970 < shown.year < 2200:
        raise BadParameter(parameter="day", detail=period.YEARS)
    with database.frames() as url:
        page = corridor_page.corridor_page(found, url, shown, tongue)
    return _render(
        request,
        tongue,
        "corridor.html",
        corridor=found,
        town={town["key"]: town["name"] for town in towns}[municipality],
        day=shown,
        page=page,
    )


@router.get("/{language:language}/{municipality}/{site}")
def one_site(
    request: Request,
    language: LanguageKey,
    municipality: MunicipalityKey,
    site: SiteKey,
    at: Now,
) -> Response:
    """Show one site."""
    tongue = Language(language)
    query = dict(request.query_params)
    database = _database(request)
    with database.connection() as connection:
        found = series.site(connection, municipality, site)
        shown = view(found, query, tongue, now=at)
        with database.frames() as url:
            content = site_page.content(
                shown,
                query,
                connection=connection,
                url=url,
                settings=request.app.state.settings.analytics,
            )
    zones = {(municipality, site): found["time_zone"]}
    return _render(
        request,
        tongue,
        "site.html",
        site=found,
        page=content,
        period=content.view.period,
        cases=overview.case_lines(content.cases, zones, tongue),
        older_cases=overview.case_lines(content.older_cases, zones, tongue),
        presets=PRESETS,
        bins=BINS,
        sensor_states=site_page.SENSOR_STATES,
        preset_query=lambda key: _query(query, period=key),
        now=at,
    )


def _query(query: Mapping[str, str], **changed: str) -> str:
    kept = {key: query[key] for key in ("quantity", "compare") if query.get(key)}
    return "?" + urlencode(kept | changed)


def _standing(request: Request, database: Database, at: datetime) -> dict[str, Any]:
    """How all sites stand, read anew every few seconds."""
    held: tuple[datetime, dict[str, Any]] | None = getattr(
        request.app.state, "standing", None
    )
    if held and abs((at - held[0]).total_seconds()) < OVERVIEW_S:
        return held[1]
    with database.connection() as connection:
        found: dict[str, Any] = {
            "municipalities": series.municipalities(connection),
            "sites": series.sites(connection),
            "corridors": series.corridors(connection),
            "cases": series.cases(connection, current_only=True, now=at),
        }
    with database.frames() as url:
        found["newest"] = series.latest(url, now=at)
    request.app.state.standing = (at, found)
    return found


def _towns(
    request: Request,
    language: Language,
    standing: Mapping[str, Any],
    at: datetime,
    *,
    only: str | None = None,
) -> Response:
    towns = [m for m in standing["municipalities"] if only in (None, m["key"])]
    if only and not towns:
        raise UnknownKey(kind="municipality", key=only)
    sites = [s for s in standing["sites"] if only in (None, s["municipality"])]
    cases = [c for c in standing["cases"] if only in (None, c["municipality"])]
    shown = overview.lines(sites, standing["newest"], cases, language, now=at)
    zones = {(s["municipality"], s["key"]): s["time_zone"] for s in sites}
    return _render(
        request,
        language,
        "towns.html",
        towns=towns,
        town=towns[0] if only else None,
        lines=shown,
        counts=overview.counts(shown),
        corridors=[
            c for c in standing["corridors"] if only in (None, c["municipality"])
        ],
        sentence=overview.sentence(shown, cases, language) if shown else "",
        map=overview.map_chart(shown, language, municipalities=towns)
        if shown
        else None,
        cases=overview.case_lines(cases, zones, language),
        now=at,
    )


def problem_page(request: Request, problem: Problem) -> Response:
    """Show an error as a page, with what to do."""
    first = request.url.path.removeprefix("/").partition("/")[0]
    language = Language(first if first in LANGUAGES else _preferred(request))
    errors = problem.errors or ()
    # a part of the path that cannot be is a page that is not there
    astray = any(error.pointer.startswith("#/path/") for error in errors)
    status = 404 if astray else problem.status
    heading, advice = _PROBLEMS.get(status, _OTHER_PROBLEM)
    # what is not one of our texts is for programs
    details = [
        f"{language.phrase(detail)}."
        for error in errors
        if (detail := error.detail.removesuffix(".")) in catalogue("de")
    ]
    response = _render(
        request,
        language,
        "problem.html",
        problem=problem,
        heading=language.phrase(heading),
        advice=language.phrase(advice),
        details=details,
        again=request.url.path if status == 422 else None,
    )
    response.status_code = status
    return response
