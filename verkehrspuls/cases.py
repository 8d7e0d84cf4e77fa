"""Records of anomaly cases: what was found, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Severity = Literal["low", "medium", "high"]
State = Literal["suspected", "confirmed", "explained", "rejected"]
Effect = Literal["exclude", "caveat", "keep"]
#: As what somebody changed a case; of older events by persons no more is known.
ActedAs = Literal["detectors", "planner", "engineer", "token", "command", "person"]
Standing = Literal["current", "older", "history", "closed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a detector found on a channel."""

    site: str
    site_name: str
    channel: str
    channel_name: str
    quantity: str
    direction: str
    direction_name: str
    detector: str
    began: datetime
    ended: datetime
    observed: float | None
    usual: float | None
    score: float
    reason: str
    withdrawn_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member(Found):
    """The finding of one detector on one channel."""

    case_member_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(Found):
    """An anomaly case, as found at the site and in the period asked for.

    The channel and what was found there are of the member that names the case; `began`
    and `ended` are of all members together.
    """

    anomaly_case_id: int
    municipality: str
    #: of the member that names the case
    found_began: datetime
    found_ended: datetime
    state: State
    effect: Effect
    severity: Severity
    detectors: Sequence[str]
    #: numbers of channels and sites
    channels: int
    sites: int
    opened_at: datetime
    updated_at: datetime
    time_zone: str
    simulated: bool
    open: bool
    current: bool
    standing: Standing
    #: number of cases that match, without regard to limit and skip
    matching: int
    #: account, and name, for who belongs to the municipality
    assigned_to: int | None = None
    assignee: str | None = None
    #: its newest event, 0: there is none
    version: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a case."""

    case_event_id: int
    at: datetime
    kind: str
    #: a name, for who belongs to the municipality; else as `acted_as`
    who: str
    acted_as: ActedAs
    #: whom the case was assigned to, as `who`; None: nobody, or not to be known
    assignee: str | None
    state: State
    effect: Effect
    severity: Severity
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseInFull(Case):
    """A case with its members, also withdrawn ones, and its history."""

    members: Sequence[Member]
    history: Sequence[Change]
