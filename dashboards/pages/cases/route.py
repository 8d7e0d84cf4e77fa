"""The page that lists anomaly cases, and on which several are decided at once."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final

from fastapi import Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from analytics.cases import casework
from analytics.reports.cases import Report, report_cases
from api.viewer import Visit, visit_of
from dashboards import acts, addresses
from dashboards.describe import SEVERITIES
from dashboards.forms import Form, Sent, day_in
from dashboards.pages.cases.view import STATES, Filter, cases_page, filter_options
from dashboards.render import (
    LanguageKey,
    Link,
    PageNumber,
    database_of,
    page_router,
    render,
)
from verkehrspuls.language import Language
from verkehrspuls.storage.database import Connection
from verkehrspuls.storage.sites import list_municipalities, list_sites
from verkehrspuls.text import mark

router = page_router()
LINK: Final = Link(mark("Cases"), "cases", header=True)

ROWS: Final = 50


def _filter(
    town: str = "",
    site: str = "",
    state: str = "",
    severity: str = "",
    mine: str = "",
    from_: Annotated[str, Query(alias="from")] = "",
    until: str = "",
    page: PageNumber = 1,
    select: str = "",
) -> Filter:
    return Filter(
        town=town,
        site=site,
        state=state,
        severity=severity,
        mine=bool(mine),
        first=from_,
        until=until,
        page=page,
        all=select == "all",
    )


Chosen = Annotated[Filter, Depends(_filter)]


@router.get("/{language:language}/cases")
def all_cases(
    request: Request,
    language: LanguageKey,
    chosen: Chosen,
    done: str = "",
    count: Annotated[int, Query(ge=0, le=casework.MAX_CASES)] = 0,
    hours: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> Response:
    """List anomaly cases, newest first."""
    page_language = Language(language)
    says = acts.done(done, hours, page_language, cases=count)
    return _page(request, page_language, chosen, Form(), says=says)


@router.post("/{language:language}/cases")
def decide_cases(
    request: Request, language: LanguageKey, chosen: Chosen, sent: Sent
) -> Response:
    """Do the same with several cases; those that are refused stay selected."""
    page_language = Language(language)
    act = acts.read(sent.values)
    picked = acts.picked(sent.values)
    form = acts.form_of(act, page_language)
    if form.status == 200 and not 0 < len(picked) <= casework.MAX_CASES:
        form.status = 422
        text = mark("Select at least one case.")
        if picked:
            text = mark("These are too many cases.")
        form.general = page_language.phrase(text)
    if form.status != 200:
        return _page(request, page_language, chosen, form, picked=picked)
    with database_of(request).writing() as connection:
        outcomes = casework.each(
            connection,
            picked,
            lambda case: acts.do(connection, case, act, seen=picked[case]),
        )
    kept = {one.case: one.error for one in outcomes if one.error}
    hours = sum(one.hours or 0 for one in outcomes)
    count = len(outcomes) - len(kept)
    if not kept:
        query = chosen.query(done=act.name, count=count, hours=hours)
        return RedirectResponse(f"{addresses.cases(language)}?{query}", status_code=303)
    form.status = 409
    form.general = page_language.plural(
        "%(count)s case stays as it is; it is still selected.",
        "%(count)s cases stay as they are; they are still selected.",
        len(kept),
    )
    return _page(
        request,
        page_language,
        chosen,
        form,
        says=acts.done(act.name, hours, page_language, cases=count) if count else "",
        picked={case: picked[case] for case in kept},
        reasons={
            case: acts.reason(error, page_language) for case, error in kept.items()
        },
    )


def _page(
    request: Request,
    language: Language,
    chosen: Filter,
    form: Form,
    *,
    says: str = "",
    picked: Mapping[int, int] | None = None,
    reasons: Mapping[int, str] | None = None,
) -> Response:
    visit = visit_of(request)
    with database_of(request).connection() as connection:
        towns = list_municipalities(connection)
        sites = (
            list_sites(connection, municipality=chosen.town, heard=False)
            if chosen.town
            else []
        )
        report = _read(connection, chosen, visit, form.errors, language)
        page = cases_page(
            report.cases,
            language,
            may=lambda town: visit is not None and visit.session.may("cases", town),
            picked=picked or {},
            reasons=reasons or {},
            all_picked=chosen.all,
        )
        people = (
            casework.people(connection, page.towns[0]) if len(page.towns) == 1 else []
        )
    pages = max(1, -(-report.total // ROWS))
    response = render(
        request,
        language,
        "pages/cases/cases.html",
        of=[town for town in towns if chosen.town in ("", town.key)],
        page=page,
        lead=language.plural(
            "%(count)s case. A person decides what it means.",
            "%(count)s cases. A person decides what they mean.",
            report.total,
        ),
        filter=chosen,
        form=form,
        options=filter_options(chosen, towns, sites, language),
        here=f"?{chosen.query()}",
        turn=lambda number: f"?{chosen.query(page=number)}",
        pages=pages,
        effects=acts.effects(form.values.get("effect", ""), language, of_several=True),
        people=acts.people(people, form.values.get("to", ""), language),
        says=says,
    )
    response.status_code = form.status
    if form.errors and form.status == 200:
        response.status_code = 422
    return response


def _read(
    connection: Connection,
    chosen: Filter,
    visit: Visit | None,
    errors: dict[str, str],
    language: Language,
) -> Report:
    """Read the cases; what of the filter makes no sense is left out, and said."""
    first = day_in(chosen.first, "from", errors, language)
    until = day_in(chosen.until, "until", errors, language)
    for name, value, known in (
        ("state", chosen.state, STATES),
        ("severity", chosen.severity, SEVERITIES),
    ):
        if value and value not in known:
            errors[name] = language.phrase("Choose one from the list.")
    asked = STATES.get(chosen.state, STATES[""])
    account = visit.session.account_id if visit and chosen.mine else None
    return report_cases(
        connection,
        municipality=chosen.town or None,
        site=(chosen.town and chosen.site) or None,
        start=first,
        end=until and until + timedelta(days=1),
        standing=asked.standing,
        state=asked.state,
        severity=chosen.severity if chosen.severity in SEVERITIES else None,
        assigned_to=account,
        limit=ROWS,
        skip=(chosen.page - 1) * ROWS,
    )
