"""The pages of all towns and of one town."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from fastapi import Request, Response

from api.parameters import MunicipalityKey
from dashboards import describe
from dashboards.language import Language
from dashboards.pages.towns import view
from dashboards.pages.towns.standing import standing
from dashboards.render import (
    LanguageKey,
    Now,
    PageNumber,
    database_of,
    known,
    page_router,
    render,
)
from verkehrspuls.errors import UnknownKey
from verkehrspuls.storage.case_lists import Counts, sum_towns
from verkehrspuls.storage.sites import list_municipalities

router = page_router()


@router.get("/{language:language}/")
def all_towns(
    request: Request, language: LanguageKey, at: Now, page: PageNumber = 1
) -> Response:
    """Show all towns."""
    now_standing = standing(request, database_of(request), at)
    return _known(request, language, now_standing, at, page=page)


@router.get("/{language:language}/towns/{municipality}")
def one_town(
    request: Request,
    language: LanguageKey,
    municipality: MunicipalityKey,
    at: Now,
    page: PageNumber = 1,
) -> Response:
    """Show one town."""
    database = database_of(request)
    now_standing = standing(request, database, at)
    if not _has(now_standing["municipalities"], municipality):
        # registered a moment ago, perhaps
        with database.connection() as connection:
            registered = list_municipalities(connection)
        if _has(registered, municipality):
            request.app.state.standing = None
            now_standing = standing(request, database, at)
    return _known(request, language, now_standing, at, page=page, only=municipality)


def _has(towns: Iterable[Mapping[str, Any]], key: str) -> bool:
    return any(town["key"] == key for town in towns)


def _known(
    request: Request,
    language: LanguageKey,
    standing: Mapping[str, Any],
    at: datetime,
    **shown: Any,
) -> Response:
    tongue = Language(language)
    return known(
        request,
        tongue,
        at,
        standing["made_of"],
        make=lambda: _towns(request, tongue, standing, at, **shown),
    )


def _towns(
    request: Request,
    language: Language,
    standing: Mapping[str, Any],
    at: datetime,
    *,
    page: int,
    only: str | None = None,
) -> Response:
    towns = [m for m in standing["municipalities"] if only in (None, m["key"])]
    if only and not towns:
        raise UnknownKey(kind="municipality", key=only)
    sites = [s for s in standing["sites"] if only in (None, s["municipality"])]
    cases = [c for c in standing["cases"] if only in (None, c["municipality"])]
    counts = standing["counts"]
    shown = view.lines(
        sites,
        standing["newest"],
        counts,
        language,
        now=at,
        values=standing["values"],
        air=standing["air"],
    )
    listed = view.listed(shown, towns, counts, language, page=page)
    in_all = counts.get((only, None), Counts()) if only else sum_towns(counts)
    zones = {(s["municipality"], s["key"]): s["time_zone"] for s in sites}
    return render(
        request,
        language,
        "pages/towns/towns.html",
        of=towns,
        towns=towns,
        town=towns[0] if only else None,
        listed=listed,
        counts=view.counts(shown),
        corridors=[
            c for c in standing["corridors"] if only in (None, c["municipality"])
        ],
        sentence=view.sentence(shown, in_all, language) if shown else "",
        map=view.map_chart(shown, language, municipalities=towns, listed=listed)
        if shown
        else None,
        cases=view.case_lines(cases[: view.MAX_CASES_LISTED], zones, language),
        more_cases=max(0, len(cases) - view.MAX_CASES_LISTED),
        open_cases=describe.open_cases_sentence(in_all, language),
        history=describe.history(in_all, language),
        describe=describe,
        now=at,
    )
