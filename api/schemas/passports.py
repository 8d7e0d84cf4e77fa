"""The passport of a figure in responses."""

from datetime import datetime
from typing import Final

from pydantic import BaseModel, Field

#: describes a figure without suspected data, beside the figure itself
WITHOUT_SUSPECTED: Final = (
    "the same without what is suspected to be of a sensor's fault, as long as nobody "
    "has decided; null where nothing is"
)


class CalibrationOfFigure(BaseModel):
    """What counts of a channel were multiplied with; readings stay as they were."""

    site: str
    channel: str
    since: datetime
    until: datetime | None = Field(description="null: it still holds")
    factor: float
    uncertainty: float | None = Field(
        description="half the width of the interval that contains it with 95 %"
    )
    source: str = Field(description="how it was found, such as a manual count")


class Basis(BaseModel):
    """Basis of a figure, except the shares."""

    days_used: int | None
    days_required: int | None
    method: str = Field(description="name and version")
    cases: list[int] = Field(description="open cases that touch the period")
    suspected: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share in which a fault of a sensor is suspected and nobody has "
        "decided: it is in the figure, which is told without it as well",
    )
    ambiguous_hours: list[datetime] = Field(
        [],
        description="hours (UTC) of the period that a wall clock showed twice: nobody "
        "knows which pass their readings are of",
    )
    calibrations: list[CalibrationOfFigure] = Field(
        [], description="factors that hold in the period, the oldest first"
    )


class PassportOfFigure(Basis):
    """Origin of a figure: shares of the expected data."""

    observed: float = Field(ge=0, le=1)
    normalised: float = Field(ge=0, le=1)
    imputed: float = Field(ge=0, le=1)
    excluded: float = Field(ge=0, le=1)
