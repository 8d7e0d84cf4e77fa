"""`/sites`: the registry, as JSON and on the map."""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from api import PREFIX
from api.database import Seen
from api.parameters import NamedSite, OfMunicipality, Store
from api.problems import READ_RESPONSES
from api.schemas import sites as schemas
from verkehrspuls.errors import TooLong
from verkehrspuls.storage import known, sites
from verkehrspuls.storage.sites import Site, list_municipalities

router = APIRouter(prefix=PREFIX, tags=["registry"])
ORDER: Final = 20
MODELS: Final = (schemas.SiteFeatures,)

#: Maximum sites in a response; more are refused rather than cut off.
MAX_SITES: Final = 10_000
GEOJSON: Final = "application/geo+json"

Limit = Annotated[
    int | None, Query(ge=1, le=MAX_SITES, description="at most so many come")
]
Skip = Annotated[
    int, Query(ge=0, le=1_000_000, description="so many others come first")
]


@router.get(
    "/sites",
    summary="List sites",
    response_model=schemas.Sites,
    responses=READ_RESPONSES,
)
def list_sites(
    store: Store,
    municipality: OfMunicipality = None,
    limit: Limit = None,
    skip: Skip = 0,
) -> dict[str, object]:
    """List sites with their channels, by names of municipality and site.

    All of them, up to 10,000; `limit` and `skip` ask for a part.
    """
    total, found = _sites(store, municipality, limit, skip)
    return {"total": total, "sites": found}


@router.get(
    "/sites.geojson",
    summary="Sites as GeoJSON",
    response_class=JSONResponse,
    responses={
        200: {
            "description": "GeoJSON (RFC 7946); opens in QGIS by its address",
            "content": {
                GEOJSON: {"schema": {"$ref": "#/components/schemas/SiteFeatures"}}
            },
        },
        **READ_RESPONSES,
    },
)
def map_sites(
    store: Store,
    municipality: OfMunicipality = None,
    limit: Limit = None,
    skip: Skip = 0,
) -> JSONResponse:
    """Return sites as points with flat properties.

    All of them, up to 10,000; `limit` and `skip` ask for a part.
    """
    _, found = _sites(store, municipality, limit, skip)
    return JSONResponse(
        {"type": "FeatureCollection", "features": [_feature(site) for site in found]},
        media_type=GEOJSON,
    )


@router.get(
    "/sites/{municipality}/{site}",
    summary="Show a site",
    response_model=schemas.SiteDetail,
    responses=READ_RESPONSES,
)
def get_site(site: NamedSite) -> Site:
    """Show a site with its channels and sensors."""
    return site


def _sites(
    store: Seen, municipality: str | None, limit: int | None, skip: int
) -> tuple[int, list[Site]]:
    """Return how many sites there are, and those that were asked for."""
    with store.connection() as connection:
        towns = list_municipalities(connection)
        count = sum(t.sites for t in towns if municipality in (None, t.key))
        if count > MAX_SITES and limit is None:
            raise TooLong(
                parameter="limit",
                detail=f"There are {count} sites and at most {MAX_SITES} come at once: "
                "give a municipality, or `limit` and `skip`",
            )
        found = sites.list_sites(
            connection, municipality=municipality, limit=limit, skip=skip
        )
        if not found:
            known.require(connection, municipality)
        return count, found


def _feature(site: Site) -> dict[str, Any]:
    place = [site.longitude, site.latitude]
    quantities = sorted({channel.quantity for channel in site.channels})
    return {
        "type": "Feature",
        "id": f"{site.municipality}/{site.key}",
        "geometry": {"type": "Point", "coordinates": place}
        if None not in place
        else None,
        "properties": {
            "name": site.name,
            "municipality": site.municipality,
            "municipality_name": site.municipality_name,
            "simulated": site.simulated,
            "road": site.road,
            "place": site.place,
            "speed_limit_kmh": site.speed_limit_kmh,
            "status": site.status,
            "quantities": ", ".join(quantities),
            "channels": len(site.channels),
            "last_received_at": _stamp(site.last_received_at),
            "newest_reading_at": _stamp(site.newest_reading_at),
        },
    }


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
