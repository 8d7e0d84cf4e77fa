"""Response of `/readings`."""

from typing import Literal

from pydantic import BaseModel, Field


class ItemOutcome(BaseModel):
    """Outcome of one message of a request."""

    index: int = Field(description="its place in the request, from 0")
    status: Literal["accepted", "partly-accepted", "rejected"] = Field(
        description="accepted is published; of what is partly accepted some readings "
        "cannot be used; rejected is not published"
    )
    reason: str | None = Field(None, description="code of the reason")
    detail: dict[str, str] | None = Field(None, description="by language: de, en")


class Intake(BaseModel):
    """Outcomes of the messages of a request."""

    accepted: int = Field(description="messages published, wholly or partly usable")
    rejected: int
    items: list[ItemOutcome]
