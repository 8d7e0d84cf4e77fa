"""Response of `/rejects`."""

from datetime import datetime

from pydantic import BaseModel, Field


class RejectsOfReason(BaseModel):
    """Messages rejected for one reason."""

    reason: str
    meaning: dict[str, str] = Field(description="by language: de, en")
    messages: int
    kept: int = Field(description="the others are only counted: there was no room")
    readings: int = Field(description="in them that could not be used")


class Rejects(BaseModel):
    """Rejected messages of a period."""

    from_: datetime = Field(serialization_alias="from")
    to: datetime
    reasons: list[RejectsOfReason]
