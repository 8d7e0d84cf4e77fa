"""The page of an anomaly case."""

from typing import Annotated

from fastapi import Path, Request, Response

from analytics.reports.case import report
from dashboards.language import Language
from dashboards.pages.case.view import case_page
from dashboards.render import LanguageKey, Now, database_of, page_router, render
from verkehrspuls.storage.sites import list_municipalities

CaseNumber = Annotated[int, Path(ge=1, le=2**63 - 1)]


router = page_router()


@router.get("/{language:language}/cases/{number}")
def one_case(
    request: Request, language: LanguageKey, number: CaseNumber, at: Now
) -> Response:
    """Show one anomaly case."""
    page_language = Language(language)
    database = database_of(request)
    found = report(database, number, now=at)
    case = found.case
    with database.connection() as connection:
        towns = list_municipalities(connection)
    town = next(town for town in towns if town.key == case.municipality)
    return render(
        request,
        page_language,
        "pages/case/case.html",
        of=[town],
        case=case,
        town=town.name,
        page=case_page(found, page_language),
    )
