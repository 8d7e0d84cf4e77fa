"""Requests and responses of `/cases`."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from analytics.cases import casework
from api.schemas.common import Simulated


class Case(Simulated):
    """Something unusual or broken."""

    anomaly_case_id: int
    municipality: str
    site: str
    site_name: str
    channel: str
    channel_name: str
    quantity: str
    direction: str
    direction_name: str
    detector: str
    began: datetime = Field(description="of all that was found together")
    ended: datetime
    found_began: datetime = Field(description="of the finding that names the case")
    found_ended: datetime
    observed: float | None = Field(description="by the finding that names the case")
    usual: float | None
    score: float = Field(description="how unlikely; greater is more unlikely")
    reason: str = Field(description="code of the reason, e.g. `above-usual`")
    severity: Literal["low", "medium", "high"]
    detectors: list[str] = Field(description="that found something of it")
    channels: int = Field(description="how many channels show it; `channel` leads")
    sites: int
    state: Literal["suspected", "confirmed", "explained", "rejected"]
    effect: Literal["exclude", "caveat", "keep"]
    open: bool
    current: bool = Field(description="open, and ended no more than a week ago")
    standing: Literal["current", "older", "history", "closed"] = Field(
        description="`history` is open, but had ended for more than a week when it was "
        "found: nobody has to look at it now"
    )
    opened_at: datetime
    updated_at: datetime
    withdrawn_at: datetime | None


class CaseInWords(Case):
    """A case, and a sentence with what is unusual, since when, and why."""

    assignee: str | None = Field(
        None, description="to whom it is assigned, for who belongs to the municipality"
    )
    version: int = Field(0, description="of its newest event; `seen` of a decision")
    sentence_de: str
    sentence_en: str


class Counts(BaseModel):
    """Numbers of open cases."""

    current: int = Field(description="that last or ended no more than a week ago")
    older: int = Field(description="that nobody decided since")
    history: int = Field(
        description="that had ended for more than a week when they were found, as in "
        "what is imported"
    )


class Cases(BaseModel):
    """Cases, newest first."""

    counts: Counts = Field(
        description="of all that are open in the municipality or at the site, whatever "
        "else is asked for"
    )
    total: int = Field(description="how many match, beside `limit` and `skip`")
    cases: list[CaseInWords]


class Member(BaseModel):
    """The findings of one detector on one channel."""

    detector: str
    began: datetime
    ended: datetime
    observed: float | None
    usual: float | None
    score: float
    reason: str
    withdrawn_at: datetime | None
    site: str
    site_name: str
    channel: str
    channel_name: str
    quantity: str
    direction: str
    direction_name: str


class Change(BaseModel):
    """A change of a case."""

    at: datetime
    kind: str = Field(
        description="opened, raised, withdrawn, returned, decided, comment, assigned "
        "or undone"
    )
    who: str = Field(
        description="a name, for who belongs to the municipality; else as `acted_as`"
    )
    acted_as: str = Field(
        "", description="detectors, planner, engineer, token, command or person"
    )
    assignee: str | None = Field(
        None, description="to whom it was assigned, for who belongs to the municipality"
    )
    state: str
    effect: str
    severity: str
    comment: str


class CaseInFull(CaseInWords):
    """A case with its evidence and its history."""

    members: list[Member]
    history: list[Change]


class Remark(BaseModel):
    """Something that a person does with a case."""

    comment: str = Field("", max_length=casework.MAX_COMMENT_LENGTH)
    seen: int | None = Field(
        None,
        ge=0,
        le=2**63 - 1,
        description="the `version` that you saw: if the case changed since, it stays "
        "as it is",
    )


class Decision(Remark):
    """A person's decision; fields that are not given stay."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"state": "explained", "comment": "road works"}]
        }
    )

    state: Literal["suspected", "confirmed", "explained", "rejected"] | None = None
    effect: Literal["exclude", "caveat", "keep"] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.state is None and self.effect is None:
            raise ValueError("name a state, an effect, or both")
        return self


class Undoing(Remark):
    """Undoes the newest decision."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"seen": 7}]})


class Assignment(Remark):
    """Assigns a case."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"to": "anne@example.org"}]}
    )

    to: str | None = Field(
        description="e-mail of somebody who may decide the case; null: nobody",
        max_length=254,
    )


class Seen(BaseModel):
    """One of several cases."""

    case: int = Field(ge=1, le=2**63 - 1)
    seen: int | None = Field(None, ge=0, le=2**63 - 1, description="as of a decision")


class Decisions(BaseModel):
    """A decision for several cases; fields that are not given stay."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"cases": [{"case": 1, "seen": 7}], "state": "rejected"},
            ]
        }
    )

    cases: list[Seen] = Field(min_length=1, max_length=casework.MAX_CASES)
    state: Literal["suspected", "confirmed", "explained", "rejected"] | None = None
    effect: Literal["exclude", "caveat", "keep"] | None = None
    comment: str = Field("", max_length=casework.MAX_COMMENT_LENGTH)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.state is None and self.effect is None:
            raise ValueError("name a state, an effect, or both")
        return self


class Outcome(BaseModel):
    """What became of one of several cases."""

    case: int
    decided: bool
    hours: int | None = Field(description="of figures that are recomputed")
    code: str | None = Field(None, description="why it was not decided; see the errors")
    detail: str | None = None


class Outcomes(BaseModel):
    """What became of several cases, in the order that they were named."""

    decided: int
    refused: int
    cases: list[Outcome]


class Comment(BaseModel):
    """A person's comment."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"comment": "the counter was cleaned"}]}
    )

    comment: str = Field(min_length=1, max_length=casework.MAX_COMMENT_LENGTH)
