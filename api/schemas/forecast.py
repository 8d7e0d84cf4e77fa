"""Response of `/sites/{municipality}/{site}/forecast`."""

from datetime import datetime

from pydantic import BaseModel, Field

from api.schemas.common import Rows, SiteOfSeries


class ForecastInterval(BaseModel):
    """A coming volume; nine of ten lie between `low` and `high`."""

    time: datetime = Field(description="start of the interval, UTC")
    interval_s: int
    lead_s: int = Field(description="from `made_at` to the end of the interval")
    made_at: datetime = Field(description="nothing that began later was known")
    volume: float = Field(description="in the interval")
    low: float
    high: float
    method: str


class ForecastError(BaseModel):
    """Errors of the forecasts of the last weeks, for one lead."""

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
    intervals: Rows[ForecastInterval] = Field(
        description="empty where too little is known of the weeks before, or where "
        "there are no hours: daily totals are not forecast"
    )
    errors: list[ForecastError]
