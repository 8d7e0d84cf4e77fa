"""`/sites/{municipality}/{site}/forecast`: coming volumes, and past errors."""

from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter

from analytics.reports.extracts import ALL
from analytics.reports.forecast import report_forecast
from api import PREFIX
from api.parameters import Direction, MunicipalityKey, SiteKey, Store, quantity_of
from api.problems import RESPONSES
from api.schemas import forecast as schemas
from verkehrspuls.quantities import COUNTED

router = APIRouter(prefix=PREFIX, tags=["figures"])
ORDER: Final = 50


@router.get(
    "/sites/{municipality}/{site}/forecast",
    operation_id="readForecast",
    summary="Read the forecast",
    response_model=schemas.Forecast,
    responses=RESPONSES,
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
) -> dict[str, Any]:
    """Return the newest forecast, and the errors of earlier ones."""
    report = report_forecast(
        store, municipality, site, quantity=quantity, direction=direction
    )
    return {
        "site": report.site,
        "quantity": report.quantity,
        "direction": report.direction,
        "intervals": report.intervals.to_dicts(),
        "errors": [asdict(error) for error in report.errors],
    }
