"""The page of an anomaly case."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from analytics.cases import casework
from analytics.reports.case import report
from api.viewer import visit_of
from dashboards import acts, addresses
from dashboards.forms import Form, Sent
from dashboards.pages.case.view import case_page, desk, history
from dashboards.render import LanguageKey, Now, database_of, page_router, render
from verkehrspuls.cases import Change
from verkehrspuls.errors import UsageError
from verkehrspuls.language import Language
from verkehrspuls.storage.sites import list_municipalities

CaseNumber = Annotated[int, Path(ge=1, le=2**63 - 1)]


router = page_router()


@router.get("/{language:language}/cases/{number}")
def one_case(
    request: Request,
    language: LanguageKey,
    number: CaseNumber,
    at: Now,
    done: str = "",
    hours: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> Response:
    """Show one anomaly case."""
    page_language = Language(language)
    says = acts.done(done, hours, page_language)
    return _page(request, page_language, number, at, Form(), says=says)


@router.post("/{language:language}/cases/{number}")
def decide_one_case(
    request: Request, language: LanguageKey, number: CaseNumber, at: Now, sent: Sent
) -> Response:
    """Do what a person decided; what was typed stays where that is refused."""
    page_language = Language(language)
    act = acts.read(sent.values)
    form = acts.form_of(act, page_language)
    changes: tuple[Change, ...] = ()
    if form.status == 200:
        try:
            with database_of(request).writing() as connection:
                seen = acts.version(sent.values)
                hours = acts.do(connection, number, act, seen=seen)
        except UsageError as error:
            form.status = error.http_status
            reason = acts.reason(error, page_language)
            if isinstance(error, casework.NotAssignable):
                form.errors["to"] = reason
            else:
                form.general = reason
            if isinstance(error, casework.CaseChanged):
                changes = error.changes
        else:
            query = urlencode({"done": act.name} | ({"hours": hours} if hours else {}))
            back = f"{addresses.case(language, number)}?{query}"
            return RedirectResponse(back, status_code=303)
    return _page(request, page_language, number, at, form, changes=changes)


def _page(
    request: Request,
    language: Language,
    number: int,
    at: datetime,
    form: Form,
    *,
    says: str = "",
    changes: Sequence[Change] = (),
) -> Response:
    database = database_of(request)
    found = report(database, number, now=at)
    case = found.case
    visit = visit_of(request)
    may = visit is not None and visit.session.may("cases", case.municipality)
    with database.connection() as connection:
        towns = list_municipalities(connection)
        people = casework.people(connection, case.municipality) if may else []
    town = next(town for town in towns if town.key == case.municipality)
    response = render(
        request,
        language,
        "pages/case/case.html",
        of=[town],
        case=case,
        town=town.name,
        page=case_page(found, language),
        says=says,
        desk=desk(case, people, form.values, language) if may else None,
        form=form,
        changes=history(changes, case.time_zone, language),
    )
    response.status_code = form.status
    return response
