"""The page of a site."""

from collections.abc import Mapping
from datetime import datetime

from fastapi import Request, Response

from analytics.reports.sources import sites_of
from api.parameters import MunicipalityKey, SiteKey
from dashboards import describe
from dashboards.pages.site import view
from dashboards.pages.site.comparison import choices
from dashboards.pages.site.known import known_site
from dashboards.pages.site.period_form import form
from dashboards.pages.site.selection import Asked, selection
from dashboards.pages.towns.view import MAX_CASES_LISTED, case_lines
from dashboards.period import Period
from dashboards.render import LanguageKey, Now, database_of, page_router, render
from verkehrspuls.errors import BadParameter
from verkehrspuls.language import Language
from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage.sites import Site

router = page_router()


@router.get("/{language:language}/towns/{municipality}/{site}")
def one_site(
    request: Request,
    language: LanguageKey,
    municipality: MunicipalityKey,
    site: SiteKey,
    at: Now,
    query: Asked,
) -> Response:
    """Show one site."""
    page_language = Language(language)
    return known_site(
        request,
        page_language,
        at,
        municipality,
        site,
        make=lambda found: _site(request, page_language, found, query, at),
    )


def _site(
    request: Request,
    language: Language,
    found: Site,
    query: Mapping[str, str],
    at: datetime,
) -> Response:
    try:
        shown = selection(found, query, language, now=at)
        content = view.content(
            shown,
            query,
            reader=database_of(request),
            settings=request.app.state.settings.analytics,
        )
    except BadParameter as error:
        return _mistaken(request, language, found, query, error)
    zones = {(found.municipality, found.key): found.time_zone}
    return render(
        request,
        language,
        "pages/site/site.html",
        of=[found],
        site=found,
        page=content,
        form=form(
            found,
            query,
            language,
            period=content.view.period,
            choices=content.choices,
        ),
        cases=case_lines(content.cases[:MAX_CASES_LISTED], zones, language),
        other_cases={
            standing: case_lines(cases, zones, language)
            for standing, cases in content.other_cases.items()
        },
        open_cases=describe.open_cases_sentence(content.counts, language),
        history=describe.history(content.counts, language),
        printed=_span(content.view.period, language),
        sensor_states=view.SENSOR_STATES,
        now=at,
    )


def _span(shown: Period, language: Language) -> str:
    """Write a period in days, or in times if it is not of whole days."""
    if shown.whole_days:
        return language.days(shown.first, shown.last)
    ends = (language.moment(end, shown.zone) for end in (shown.start, shown.end))
    return " – ".join(ends)


def _mistaken(
    request: Request,
    language: Language,
    site: Site,
    query: Mapping[str, str],
    error: BadParameter,
) -> Response:
    """Show the form with what was entered, and what is wrong at its field."""
    measured = [channel.quantity for channel in site.channels]
    counted = next((quantity for quantity in measured if quantity in COUNTED), "")
    with database_of(request).connection() as connection:
        sites = sites_of(connection, site.municipality) if counted else []
    response = render(
        request,
        language,
        "pages/site/site_form.html",
        of=[site],
        site=site,
        form=form(
            site,
            query,
            language,
            choices=choices(site, counted, "", language, sites=sites)
            if counted
            else None,
            error=error,
        ),
    )
    response.status_code = 422
    return response
