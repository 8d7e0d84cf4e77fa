"""Request and response of short counts."""

from pydantic import BaseModel, ConfigDict, Field

from api.parameters import Instant
from api.schemas.common import Simulated
from api.schemas.passports import WITHOUT_SUSPECTED, PassportOfFigure
from api.schemas.reasons import ReasonOfFigure


class CountedHour(BaseModel):
    """A whole hour of a short count."""

    model_config = ConfigDict(extra="forbid")

    time: Instant = Field(description="its start, with offset")
    volume: float = Field(ge=0, le=100_000, strict=True)


class Count(BaseModel):
    """A short count to be extrapolated."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "quantity": "motor",
                    "hours": [{"time": "2026-03-03T06:00:00Z", "volume": 412}],
                }
            ]
        },
    )

    quantity: str = "motor"
    hours: list[CountedHour] = Field(min_length=1, max_length=500)


class ShortCountFigures(BaseModel):
    """Mean daily traffic from a short count, with its basis."""

    dtv: float | None
    lower: float | None = Field(description="of an interval of 95 %")
    upper: float | None
    factor: float | None
    site_error: float | None = Field(description="relative standard error of sites")
    day_error: float | None = Field(description="and of one day's count")
    days_counted: int
    more_days: int | None = Field(
        description="days more to be within 5 %; null: days alone will not do"
    )
    references: int = Field(description="permanent counters with the same hours")
    reason: ReasonOfFigure | None
    passport: PassportOfFigure = Field(
        description="of the days of the permanent counters"
    )


class ShortCount(Simulated, ShortCountFigures):
    """Mean daily traffic from a short count."""

    method: str
    without_suspected: ShortCountFigures | None = Field(description=WITHOUT_SUSPECTED)
