"""Response of `/sites/{municipality}/{site}/health`."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, Field

from api.schemas.common import Simulated


class Verdict(BaseModel):
    """The verdict on a channel for a day, or an hour."""

    channel: str
    quantity: str
    direction: str
    day: date = Field(description="local day of the site")
    hour: datetime | None = Field(None, description="start of the hour; null for a day")
    verdict: str = Field(description="`good`, or the first test that failed")
    value: float | None = Field(description="what the test measured")
    threshold: float | None = Field(description="where the test fails")
    level: str | None = Field(
        description="highest level at which all channels fail: broker, municipality, "
        "site, sensor, quantity, direction or channel"
    )
    complete: bool = Field(description="false while the day runs")
    text: dict[str, str] = Field(description="what it means, by language")


class DroppedField(BaseModel):
    """A field that was left out of stored readings."""

    sensor: str
    field: str
    problem: str = Field(description="what was wrong with it: below, above or wrong")
    value: str = Field(description="the last one")
    fields: int = Field(description="how many were left out")
    first_hour: datetime = Field(description="of reception, UTC")
    last_hour: datetime


class SiteHealth(Simulated):
    """Channel health of a site."""

    municipality: str
    site: str
    bin: Literal["P1D", "PT1H"]
    first: date
    last: date
    method: str
    verdicts: list[Verdict]
    ambiguous_hours: list[datetime] = Field(
        description="hours (UTC) of these days that a wall clock showed twice: nobody "
        "knows which pass their readings are of"
    )
    fields_dropped: list[DroppedField] = Field(
        description="of the site's sensors, in the hours of reception of these days"
    )
