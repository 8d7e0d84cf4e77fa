"""The pages of all towns and of one town."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from fastapi import Request, Response

from analytics.reports.town import Report
from api.parameters import MunicipalityKey
from dashboards import describe
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
from verkehrspuls.language import Language
from verkehrspuls.storage.sites import Municipality, list_municipalities

router = page_router()


@router.get("/{language:language}/")
def all_towns(
    request: Request, language: LanguageKey, at: Now, page: PageNumber = 1
) -> Response:
    """Show all towns."""
    return _known(request, language, standing(request, at), at, page=page)


@router.get("/{language:language}/towns/{municipality}")
def one_town(
    request: Request,
    language: LanguageKey,
    municipality: MunicipalityKey,
    at: Now,
    page: PageNumber = 1,
) -> Response:
    """Show one town."""
    report = standing(request, at)
    if not _has(report.municipalities, municipality):
        # registered a moment ago, perhaps
        with database_of(request).connection() as connection:
            registered = list_municipalities(connection)
        if _has(registered, municipality):
            request.app.state.standing = None
            report = standing(request, at)
    return _known(request, language, report, at, page=page, only=municipality)


def _has(towns: Iterable[Municipality], key: str) -> bool:
    return any(town.key == key for town in towns)


def _known(
    request: Request,
    language: LanguageKey,
    report: Report,
    at: datetime,
    **shown: Any,
) -> Response:
    page_language = Language(language)
    return known(
        request,
        page_language,
        at,
        report.version,
        make=lambda: _towns(request, page_language, report, at, **shown),
    )


def _towns(
    request: Request,
    language: Language,
    report: Report,
    at: datetime,
    *,
    page: int,
    only: str | None = None,
) -> Response:
    report = report.of(only) if only else report
    towns, counts = report.municipalities, report.counts
    if only and not towns:
        raise UnknownKey(kind="municipality", key=only)
    shown = view.lines(report.sites(), counts, language, now=at)
    listed = view.listed(shown, towns, counts, language, page=page)
    zones = {
        (line.site.municipality, line.site.key): line.site.time_zone for line in shown
    }
    return render(
        request,
        language,
        "pages/towns/towns.html",
        of=towns,
        towns=towns,
        town=towns[0] if only else None,
        listed=listed,
        counts=view.counts(shown),
        corridors=report.corridors,
        sentence=view.sentence(shown, report.open_cases, language) if shown else "",
        map=view.map_chart(shown, language, municipalities=towns, listed=listed)
        if shown
        else None,
        cases=view.case_lines(report.cases[: view.MAX_CASES_LISTED], zones, language),
        more_cases=max(0, len(report.cases) - view.MAX_CASES_LISTED),
        open_cases=describe.open_cases_sentence(report.open_cases, language),
        history=describe.history(report.open_cases, language),
        describe=describe,
        now=at,
    )
