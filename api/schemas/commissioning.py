"""Requests and responses of `/commissioning`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.parameters import KEY
from api.schemas.registry import EntryChange


class Guess(BaseModel):
    """What an unknown sensor may be."""

    key: str = Field(description="such as `profile/telraam/telraam`")
    name: dict[str, str] = Field(description="by language: de, en")
    payload_format: str
    ids: dict[str, str] = Field(description="that its topic says")
    missing: list[str] = Field(description="ids that have to be said")
    readings: int = Field(description="that its newest messages would become")
    used: int = Field(description="how many of these messages would be used")


class UnknownSensor(BaseModel):
    """A sender of kept messages that no registered sensor took."""

    sender: str = Field(description="its topic; of a native one without the kind")
    messages: int = Field(description="that are kept")
    first_at: datetime
    last_at: datetime
    sample: str = Field(description="the newest message, at most 2000 characters")
    guesses: list[Guess] = Field(description="what it may be, the best first")


class UnknownSensors(BaseModel):
    """The unknown sensors of a municipality."""

    unknown_sensors: list[UnknownSensor]


class Adoption(BaseModel):
    """How an unknown sensor is registered; what is left out is as guessed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"sender": "vp/v1/kaiserslautern/radar-9", "site": "pariser-strasse"}
            ]
        }
    )

    sender: str = Field(max_length=1024)
    site: str = Field(pattern=KEY)
    guess: str = Field("", max_length=200, description="key of a guess")
    key: str = Field("", max_length=64, description="of the sensor")
    name: str = Field("", max_length=200)
    since: datetime | None = Field(
        None, description="when it was installed; by default before its first message"
    )
    ids: dict[str, str] = Field({}, description="that its topic does not say")
    channels: dict[str, str] = Field(
        {}, description="key of the channel, by output; others are new"
    )


class Adopted(BaseModel):
    """What was registered; what it had sent is being replayed."""

    sensor: str = Field(description="its key")
    changes: list[EntryChange]


class Point(BaseModel):
    """A point of the checklist."""

    key: str
    name: dict[str, str] = Field(description="by language: de, en")
    state: Literal["done", "failed", "waiting", "none"] = Field(
        description="`none`: it does not apply"
    )
    found: dict[str, str] = Field(description="by language: de, en")


class Message(BaseModel):
    """One of the newest messages."""

    received_at: datetime
    came: Literal["received", "imported", "replayed"]
    outcome: Literal["accepted", "partly accepted", "rejected"]
    readings: int
    readings_rejected: int
    reason: str | None
    detail: dict[str, str] | None = Field(description="by language: de, en")


class Reading(BaseModel):
    """One of the newest readings."""

    time: datetime
    received_at: datetime
    interval_s: int
    site: str
    channel: str
    values: Mapping[str, Any] = Field(description="by class, or the quantity")


class Replay(BaseModel):
    """The last replay of kept messages that was asked for."""

    asked_at: datetime
    done_at: datetime | None = Field(description="null: it is due")
    messages: int
    used: int
    rejected: int
    cut: int = Field(description="of which only the beginning is kept")
    failed: str


class Commissioning(BaseModel):
    """How far a sensor is in service."""

    sensor: str
    topics: list[str] = Field(description="under which it has to publish")
    is_done: bool = Field(description="whether nothing is left to do, or to wait for")
    points: list[Point]
    messages: list[Message] = Field(description="the newest first")
    readings: list[Reading] = Field(description="the newest first")
    replay: Replay | None


class Attempt(BaseModel):
    """A message that is tried."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "topic": "vp/v1/kaiserslautern/radar-9/status",
                    "payload": '{"state": "online"}',
                }
            ]
        }
    )

    topic: str = Field(max_length=1024)
    payload: str = Field(max_length=100_000)


class TriedReading(BaseModel):
    """A reading that the message would become."""

    site: str
    channel: str
    time: datetime
    interval_s: int
    values: Mapping[str, Any] = Field(description="by class, or the quantity")


class Problem(BaseModel):
    """Why the message, or a part of it, would be rejected."""

    reason: str
    why: str
    advice: str
    readings: int


class Trial(BaseModel):
    """What a message would become; nothing was stored."""

    outcome: Literal["accepted", "partly accepted", "rejected", "unknown sensor"]
    sensor: str | None
    readings: list[TriedReading]
    problem: Problem | None
