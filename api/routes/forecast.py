"""`/sites/{municipality}/{site}/forecast`: what is to come, and how far it was off."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from analytics.reports import extracts
from analytics.reports.extracts import ALL
from api import PREFIX
from api.parameters import MunicipalityKey, SiteKey, Store
from api.problems import RESPONSES
from api.schemas.common import SiteOfSeries
from verkehrspuls.errors import BadParameter
from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage import estimates
from verkehrspuls.storage.estimates import list_forecast_errors
from verkehrspuls.storage.sites import read_site

router = APIRouter(prefix=PREFIX, tags=["figures"])


class ForecastInterval(BaseModel):
    """A volume that is to come; nine of ten lie between `low` and `high`."""

    time: datetime = Field(description="start of the interval, UTC")
    interval_s: int
    lead_s: int = Field(description="from `made_at` to the end of the interval")
    made_at: datetime = Field(description="nothing that began later was known")
    volume: float = Field(description="in the interval")
    low: float
    high: float
    method: str


class ForecastError(BaseModel):
    """What forecasts of the last weeks missed by, for one lead."""

    interval_s: int
    lead_s: int
    since: datetime
    compared: int = Field(description="intervals of channels that were counted")
    wape: float | None = Field(
        description="sum of what was missed over the sum of what was counted"
    )
    coverage: float = Field(description="share that lay between low and high")


class Forecast(BaseModel):
    """The coming hour by quarter-hours, and the coming day by hours."""

    site: SiteOfSeries
    quantity: str
    direction: str
    intervals: list[ForecastInterval] = Field(
        description="empty where too little is known of the weeks before, or where "
        "there are no hours: daily totals are not forecast"
    )
    errors: list[ForecastError]


@router.get(
    "/sites/{municipality}/{site}/forecast",
    operation_id="readForecast",
    summary="Read the forecast",
    response_model=Forecast,
    responses=RESPONSES,
)
def read_forecast(
    store: Store,
    municipality: MunicipalityKey,
    site: SiteKey,
    quantity: Annotated[
        str | None,
        Query(
            description="what is counted; default is the site's first",
            examples=["motor"],
            json_schema_extra={"enum": list(COUNTED)},
        ),
    ] = None,
    direction: Annotated[
        str,
        Query(
            description="key of a direction, or `all` for the cross-section",
            pattern="^[a-z0-9-]{0,64}$",
            examples=["all"],
        ),
    ] = ALL,
) -> dict[str, Any]:
    """Give the newest forecast, and how far the ones before it were off."""
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
        of = {
            "site_id": found["site_id"],
            "quantity": selection.quantity,
            "direction": direction,
        }
        errors = list_forecast_errors(connection, **of)
    with store.frames() as url:
        intervals = estimates.read_forecast(url, **of)
    return {**of, "site": found, "intervals": intervals.to_dicts(), "errors": errors}
