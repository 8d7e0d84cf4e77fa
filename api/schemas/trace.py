"""Response of `/devices/{municipality}/trace`."""

from datetime import datetime

from pydantic import BaseModel, Field


class TracedSensor(BaseModel):
    """A sensor that was attached."""

    sensor: str
    name: str
    output: str
    interval_s: int


class TracedHour(BaseModel):
    """What came of a sensor in an hour of receipt."""

    sensor: str
    hour: datetime
    messages_received: int
    messages_rejected: int
    readings_received: int
    readings_stored: int
    rejects: dict[str, int] = Field(description="messages by reason")


class TracedReading(BaseModel):
    """A reading that covers the moment."""

    time: datetime
    interval_s: int
    sensor: str | None
    received_at: datetime
    revision: int
    replaced_at: datetime | None = Field(description="null: it holds")


class TracedFigure(BaseModel):
    """A figure in which the moment is."""

    time: datetime
    interval_s: int
    observed_s: int
    valid: bool | None


class TracedBeside(BaseModel):
    """A reading of the moment on another channel of the same sensor."""

    channel: str
    received_at: datetime


class Traced(BaseModel):
    """Why a moment of a channel is in figures, or is not."""

    at: datetime
    fails: str = Field(
        description="the first step that fails: attached, received, decoded, stored, "
        "figure or left-out; empty: all hold"
    )
    attached: list[TracedSensor]
    received: list[TracedHour]
    beside: list[TracedBeside]
    readings: list[TracedReading] = Field(description="those that hold first")
    figures: list[TracedFigure] = Field(description="the shortest first")
    left_out: list[str] = Field(description="`excluded`, or a fault that is suspected")
