"""What a detector is: one frozen record, at the end of the file that finds its hits."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import polars as pl

#: The family of what happens on the street.
TRAFFIC: Final = "traffic"
#: What is short and sharp ranks behind all reasons that name a case by themselves.
BEHIND_NAMES: Final = 1000


@dataclass(frozen=True, slots=True)
class Days:
    """Local days that ended: CHANNEL_DAYS, VALUE_DAYS, and PAIRED_HOURS of them."""

    counts: pl.DataFrame
    values: pl.DataFrame
    pairs: pl.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A reason of hits, and its words."""

    code: str
    #: in a word or two, for marks in charts and lists; to be translated
    word: str
    #: what is unusual; `%(observed)s` and `%(usual)s` come with their unit
    sentence: str
    #: whether observed and usual are km/h, whatever the channel measures
    is_speed: bool = False
    #: whether observed and usual of hits in a row add up, as counts of hours do
    adds_up: bool = True
    #: Points that it adds to the severity of a case, see `analytics.cases.severity`.
    severity: int = 0
    #: Place in the order of the reasons that name a case, whatever else was found, …
    names: int | None = None
    #: … and in that of what is short and sharp on the street.
    sharp: int | None = None
    #: whether values are suspected to be of a sensor's fault, not measured
    is_fault: bool = False
    #: Codes of detectors whose hits in the same time explain it: then it is left out.
    explained_by: tuple[str, ...] = ()

    @property
    def rank(self) -> int | None:
        """Place among the reasons that name a case, however long it is; None: last."""
        if self.names is not None:
            return self.names
        return None if self.sharp is None else BEHIND_NAMES + self.sharp


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """A detector: what it judges, the words of its hits, and what they belong to.

    It judges with at least one function, each of which returns HITS. Which frames they
    take, and when they are called: `analytics.cases.judging`.
    """

    code: str
    #: what it finds, as many; to be translated
    name: str
    #: why its hits are believed; `%(score)s` is the score; to be translated
    evidence: str
    reasons: tuple[Reason, ...]
    #: What it judges and what its score is, for the reference.
    judges: str
    score: str
    #: whether scores are whole numbers
    whole_score: bool = False

    #: whole hours (STORED_VOLUMES) of counting channels, each by itself
    hours: Callable[[pl.DataFrame], pl.DataFrame] | None = None
    #: whole hours (USUAL_HOURS) of a town's counting channels together
    town: Callable[[pl.DataFrame], pl.DataFrame] | None = None
    #: finished quarter-hours (STORED_VOLUMES), and those of motor vehicles
    quarters: Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame] | None = None
    #: hours of air and noise (ENVIRONMENT_HOURS), and the quantities of channels
    values: Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame] | None = None
    #: readings (INTERVALS), and when sensors were INSTALLED
    gaps: Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame] | None = None
    #: local days that ended
    days: Callable[[Days], pl.DataFrame] | None = None
    #: devices (DEVICES), as they are now
    devices: Callable[[pl.DataFrame], pl.DataFrame] | None = None

    #: What its hits can share a case with: hits of the same family. By default traffic
    #: for counting channels, environment for all others.
    family: str | None = None
    #: whether what it finds spreads to near sites of the street
    spreads: bool = False
    #: whether what it finds at many sites of a town, in the same way, has one cause
    is_common: bool = False
    #: Hits of a town that began within this time of each other have one cause.
    together: timedelta | None = None
