"""The page of a corridor."""

from fastapi import Request, Response

from api.parameters import MunicipalityKey, SiteKey
from dashboards import period
from dashboards.pages.corridor import view
from dashboards.render import LanguageKey, Now, database_of, known, page_router, render
from verkehrspuls.errors import BadParameter, UnknownKey
from verkehrspuls.language import Language
from verkehrspuls.storage.corridors import list_corridors
from verkehrspuls.storage.operation import count_changes
from verkehrspuls.storage.sites import list_municipalities

router = page_router()


@router.get("/{language:language}/corridors/{municipality}/{corridor}")
def one_corridor(
    request: Request,
    language: LanguageKey,
    municipality: MunicipalityKey,
    corridor: SiteKey,
    at: Now,
    day: str = "",
) -> Response:
    """Show one corridor on a local day; the newest one that has ended by default."""
    page_language = Language(language)
    database = database_of(request)
    with database.connection() as connection:
        changes = count_changes(connection)
        rows = list_corridors(connection, municipality=municipality, corridor=corridor)
        towns = list_municipalities(connection)
    if not rows:
        raise UnknownKey(kind="corridor", key=f"{municipality}/{corridor}")
    found = rows[0]
    town = next(town for town in towns if town.key == municipality)

    def made() -> Response:
        page, errors, entered = None, {}, day
        try:
            shown = period.read_day(day, "day")
        except BadParameter as error:
            errors["day"] = f"{page_language.phrase(error.detail)}."
        else:
            shown = shown or view.default_day(at, found.time_zone)
            entered = str(shown)
            page = view.corridor_page(found, shown, page_language, database)
        response = render(
            request,
            page_language,
            "pages/corridor/corridor.html",
            of=[town],
            corridor=found,
            town=town.name,
            form={"day": entered, "errors": errors},
            page=page,
        )
        response.status_code = 422 if errors else 200
        return response

    return known(request, page_language, at, changes, make=made)
