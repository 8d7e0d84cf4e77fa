"""Response of `/sites/{municipality}/{site}/series`."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from api.schemas.cases import Case
from api.schemas.common import SiteOfSeries
from api.schemas.passports import Basis


class ColumnOfSeries(BaseModel):
    """Description of a column."""

    name: str
    unit: str | None = Field(description="`1` for a share")
    description: str


class PassportOfSeries(Basis):
    """Origin of the figures: shares of the period up to now."""

    observed: float | None = Field(ge=0, le=1)
    normalised: float | None = Field(ge=0, le=1)
    imputed: float | None = Field(ge=0, le=1)
    excluded: float | None = Field(ge=0, le=1)
    intervals_expected: int
    intervals_present: int
    open_cases: list[Case] = Field(description="those that touch the period")


class Series(BaseModel):
    """Figures of a site, with their passport."""

    site: SiteOfSeries
    quantity: str
    direction: str | None
    from_: datetime = Field(serialization_alias="from")
    to: datetime
    bin: Literal["PT15M", "PT1H", "P1D"]
    columns: list[ColumnOfSeries]
    passport: PassportOfSeries
    rows: list[dict[str, Any]] = Field(description="null is unknown, never zero")
