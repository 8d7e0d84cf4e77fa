"""The record of a manual count, as a page and as a tagged PDF."""

from fastapi import Request, Response

from analytics.reports.manual_count import Report, report_manual_count
from api.records import document_of, record_of
from dashboards import addresses
from dashboards.forms import Person
from dashboards.render import LanguageKey, Now, database_of, page_router, render
from verkehrspuls.language import Language

router = page_router()


@router.get("/{language:language}/count/{municipality}/{site}/{count}/record")
def record(
    request: Request,
    language: LanguageKey,
    municipality: str,
    site: str,
    count: int,
    person: Person,
    now: Now,
) -> Response:
    """Show the record of a manual count, with fields for signatures."""
    report = _report(request, municipality, count, now)
    words = Language(language)
    return render(
        request,
        words,
        "pages/record/record.html",
        document=document_of(report, words, now=now),
        back=addresses.count(language, municipality, site, count),
        pdf=addresses.record(language, municipality, site, count, pdf=True),
    )


@router.get("/{language:language}/count/{municipality}/{site}/{count}/record.pdf")
def printed(
    request: Request,
    language: LanguageKey,
    municipality: str,
    site: str,
    count: int,
    person: Person,
    now: Now,
) -> Response:
    """Return the record as PDF/UA-1."""
    report = _report(request, municipality, count, now)
    return record_of(report, Language(language), now=now)


def _report(request: Request, municipality: str, number: int, now: Now) -> Report:
    return report_manual_count(
        database_of(request),
        municipality,
        number,
        now=now,
        rates=request.app.state.settings.acceptance,
    )
