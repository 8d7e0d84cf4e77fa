"""The page with all rows of one of a site's tables."""

from urllib.parse import urlencode

from fastapi import Request, Response

from api.parameters import MunicipalityKey, SiteKey
from dashboards import addresses
from dashboards.pages.rows.view import rows_page
from dashboards.pages.site.known import known_site
from dashboards.pages.site.selection import Asked, selection
from dashboards.render import (
    LanguageKey,
    Now,
    PageNumber,
    database_of,
    page_router,
    render,
)
from verkehrspuls.language import Language
from verkehrspuls.storage.sites import Site

router = page_router()


@router.get("/{language:language}/towns/{municipality}/{site}/table")
def all_rows(
    request: Request,
    language: LanguageKey,
    municipality: MunicipalityKey,
    site: SiteKey,
    at: Now,
    query: Asked,
    of: str = "series",
    page: PageNumber = 1,
) -> Response:
    """Show all rows of one of a site's tables, page by page."""
    page_language = Language(language)
    kept = {name: value for name, value in query.items() if value}

    def made(found: Site) -> Response:
        shown = selection(found, query, page_language, now=at)
        content = rows_page(shown, database_of(request), of=of, page=page)
        return render(
            request,
            page_language,
            "pages/rows/rows.html",
            of=[found],
            site=found,
            page=content,
            quantity=content.quantity,
            period=shown.period,
            back=f"{addresses.site(language, municipality, site)}?{urlencode(kept)}",
            turn=lambda number: "?" + urlencode({"of": of} | kept | {"page": number}),
        )

    return known_site(request, page_language, at, municipality, site, make=made)
