"""Sums over everything, for the operator and for caches."""

from dataclasses import dataclass
from datetime import datetime

from verkehrspuls.storage.alerts import HeldUp, held_up
from verkehrspuls.storage.case_lists import CURRENT_DAYS
from verkehrspuls.storage.database import Connection, one, read_record, read_records
from verkehrspuls.storage.tallies import Tallies


class OfMunicipality(Tallies, frozen=True, kw_only=True):
    """Sums of the ledger of a municipality; None is of no known sensor."""

    municipality: str | None


@dataclass(frozen=True, slots=True)
class OfReason:
    """Number of rejected messages of a reason, and of those that were not kept."""

    reason: str
    messages: int
    only_counted: int


@dataclass(frozen=True, slots=True)
class OpenCases:
    """Number of current cases of a municipality."""

    municipality: str
    cases: int


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Number of channels of a municipality with a verdict of channel health."""

    municipality: str
    verdict: str
    channels: int


@dataclass(frozen=True, slots=True)
class Work:
    """What is left to compute, and the newest message."""

    stale_buckets: int
    #: age of the newest committed message of a broker; None: none came
    since_last_commit_s: float | None
    #: when the broker's certificate expires; None: it speaks no TLS
    certificate_ends: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the operator's metrics show."""

    ledger: list[OfMunicipality]
    rejected: list[OfReason]
    cases: list[OpenCases]
    health: list[Verdicts]
    work: Work
    alerts: HeldUp


def count_changes(connection: Connection) -> int:
    """Count the transactions that changed registry, figures or cases.

    Read before the data itself, it is never newer than that. Batches of ingest are not
    counted: `last_received_at` and the state of sensors change with them.
    """
    return int(one(connection, "count_changes")["changes"])


def read_state(connection: Connection) -> State:
    """Sum up what the operator's metrics show, over all sites."""
    return State(
        ledger=read_records(connection, OfMunicipality, "sum_ledger"),
        rejected=read_records(connection, OfReason, "count_rejected"),
        cases=read_records(
            connection, OpenCases, "count_open_cases", current_days=CURRENT_DAYS
        ),
        health=read_records(connection, Verdicts, "count_health"),
        work=read_record(connection, Work, "read_work"),
        alerts=held_up(connection),
    )


def read_lag_s(connection: Connection) -> float | None:
    """Return the age of the newest committed message in seconds; None: none came."""
    return read_record(connection, Work, "read_work").since_last_commit_s
