"""`/sites/{municipality}/{site}/forecast`: coming volumes, and past errors."""

from typing import Annotated, Final

from fastapi import APIRouter

from analytics.reports.extracts import ALL
from analytics.reports.forecast import Report, report_forecast
from api import PREFIX
from api.parameters import Direction, MunicipalityKey, SiteKey, Store, quantity_of
from api.problems import READ_RESPONSES
from api.schemas import forecast as schemas
from verkehrspuls.quantities import COUNTED

router = APIRouter(prefix=PREFIX, tags=["figures"], responses=READ_RESPONSES)
ORDER: Final = 50


@router.get(
    "/sites/{municipality}/{site}/forecast",
    summary="Read the forecast",
    response_model=schemas.Forecast,
)
def read_forecast(
    store: Store,
    municipality: MunicipalityKey,
    site: SiteKey,
    quantity: Annotated[
        str | None,
        quantity_of(COUNTED, "what is counted; default is the site's first"),
    ] = None,
    direction: Direction = ALL,
) -> Report:
    """Return the newest forecast, and the errors of earlier ones."""
    return report_forecast(
        store, municipality, site, quantity=quantity, direction=direction
    )
