"""Requests and responses of the routes of `api.routes.studies`."""

from datetime import date

from pydantic import BaseModel, Field

from api.schemas.common import Simulated
from api.schemas.passports import WITHOUT_SUSPECTED, PassportOfFigure
from api.schemas.reasons import ReasonOfFigure


class Change(BaseModel):
    """A relative change: 0.1 is ten percent more."""

    value: float | None
    lower: float | None = Field(description="of an interval of 95 %")
    upper: float | None
    detectable: float | None = Field(
        description="the least change that would have been found with 80 %"
    )
    clear: bool = Field(description="the interval leaves out that nothing changed")
    days_before: int
    days_after: int
    weeks_before: int
    weeks_after: int
    days_paired: int | None = Field(
        description="days that were compared with their partner in the other period"
    )
    days_unlike: int | None = Field(
        description="left out with their partner: one is a holiday or in school "
        "holidays, and the other is not"
    )
    reason: ReasonOfFigure | None


class BeforeAfter(Simulated):
    """A measure: the change at the site beyond the change at its controls."""

    municipality: str
    site: str
    quantity: str
    measure: date
    weeks: int
    effect: Change
    effect_without_suspected: Change | None = Field(description=WITHOUT_SUSPECTED)
    without_controls: Change
    controls: dict[str, Change]
    placebo: Change = Field(
        description="found in the middle of the time before, where there is nothing"
    )
    passport: PassportOfFigure


class Compared(Simulated):
    """A comparison."""

    municipality: str
    site: str
    quantity: str
    change: Change
    change_without_suspected: Change | None = Field(description=WITHOUT_SUSPECTED)
    passport: PassportOfFigure


class Ranked(BaseModel):
    """A site by its change."""

    site: str
    change: float | None
    change_without_suspected: float | None = Field(
        description="without what is suspected to be of a sensor's fault"
    )
    lower: float | None
    upper: float | None
    detectable: float | None
    clear: bool
    days_before: int
    days_after: int
    days_paired: int | None
    reason: str | None
    passport: PassportOfFigure


class Ranking(Simulated):
    """Sites by the change of their volume; intervals hold for all together."""

    municipality: str
    quantity: str
    middle: date
    weeks: int
    counting: int = Field(description="sites that count the quantity")
    considered: int = Field(description="of them; the others come with `skip`")
    sites: list[Ranked]
