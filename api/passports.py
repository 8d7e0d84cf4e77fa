"""The passport of a figure, as answers carry it."""

from pydantic import BaseModel, Field


class Basis(BaseModel):
    """What a figure rests on, but for the shares."""

    days_used: int | None
    days_required: int | None
    method: str = Field(description="name and version")
    cases: list[int] = Field(description="open cases that touch the period")


class PassportOfFigure(Basis):
    """Where a figure comes from: shares of what was expected."""

    observed: float = Field(ge=0, le=1)
    normalised: float = Field(ge=0, le=1)
    imputed: float = Field(ge=0, le=1)
    excluded: float = Field(ge=0, le=1)
