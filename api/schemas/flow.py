"""Response of `/sites/{municipality}/{site}/figures/{kind}`."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from api.schemas.common import SiteOfSeries
from api.schemas.passports import WITHOUT_SUSPECTED, PassportOfFigure
from api.schemas.reasons import ReasonOfFigure

Kind = Literal[
    "means",
    "aadt",
    "peaks",
    "design-hour",
    "classes",
    "speeds",
    "service",
    "noise-flows",
    "day-profile",
    "week-profile",
    "year-profile",
]


class FlowValue(BaseModel):
    """A value; null if there is a reason."""

    value: float | None
    unit: str = Field(description="`1` for a share or factor")
    lower: float | None = Field(description="of an interval of 95 %")
    upper: float | None
    above: bool = Field(description="the true value is greater than `value`")
    at: datetime | None = Field(description="when it was, for peaks")
    reason: ReasonOfFigure | None
    passport: PassportOfFigure


class FlowFigure(FlowValue):
    """A figure; null if there is a reason."""

    name: str
    without_suspected: FlowValue | None = Field(description=WITHOUT_SUSPECTED)


class FlowTable(BaseModel):
    """Rows that belong to the figures, with their own passport."""

    columns: list[str]
    rows: list[dict[str, Any]] = Field(description="null is unknown, never zero")
    passport: PassportOfFigure


class FlowFigures(BaseModel):
    """Figures of one kind."""

    site: SiteOfSeries
    kind: Kind
    quantity: str
    direction: str
    from_: datetime = Field(serialization_alias="from")
    to: datetime
    figures: list[FlowFigure]
    table: FlowTable | None
    table_without_suspected: FlowTable | None = Field(
        description="the same table, see `without_suspected`"
    )
