"""`/sites/{municipality}/{site}/forecast`: coming volumes, and past errors."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter

from analytics.reports import extracts
from analytics.reports.extracts import ALL
from api import PREFIX
from api.parameters import Direction, MunicipalityKey, SiteKey, Store, quantity_of
from api.problems import RESPONSES
from api.schemas import forecast as schemas
from verkehrspuls.errors import BadParameter
from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage import estimates
from verkehrspuls.storage.estimates import list_forecast_errors
from verkehrspuls.storage.sites import read_site

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
    with store.connection() as connection:
        found = read_site(connection, municipality, site)
        selection = extracts.select(
            found,
            quantity=quantity,
            direction=direction,
            start=None,
            end=None,
            bin="PT1H",
            now=datetime.now(UTC),
        )
        if selection.quantity not in COUNTED:
            raise BadParameter(
                parameter="quantity", detail="Only what is counted is forecast"
            )
        chosen: dict[str, Any] = {
            "site_id": found.site_id,
            "quantity": selection.quantity,
            "direction": direction,
        }
        errors = [asdict(error) for error in list_forecast_errors(connection, **chosen)]
    with store.frames() as url:
        intervals = estimates.read_forecast(url, **chosen)
    return {
        **chosen,
        "site": found,
        "intervals": intervals.to_dicts(),
        "errors": errors,
    }
