"""The report of a list of anomaly cases, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from verkehrspuls.cases import Case
from verkehrspuls.moments import utc
from verkehrspuls.storage import known
from verkehrspuls.storage.case_lists import (
    UNDECIDED,
    Counts,
    count_cases,
    list_cases,
    sum_towns,
)
from verkehrspuls.storage.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Some of the cases that match, and their number."""

    cases: Sequence[Case]
    #: number of all that match, whatever the limit
    total: int
    #: open cases of the place, by how they stand
    counts: Counts


def report_cases(
    connection: Connection,
    *,
    municipality: str | None = None,
    site: str | None = None,
    quantity: str | None = None,
    start: datetime | date | None = None,
    end: datetime | date | None = None,
    standing: Sequence[str] | None = UNDECIDED,
    state: str | None = None,
    severity: str | None = None,
    assigned_to: int | None = None,
    limit: int,
    skip: int = 0,
) -> Report:
    """List the cases of a place that touch a period; refuse an unknown place.

    A date means midnight in the municipality, else UTC. For `standing` see
    `case_lists.list_cases`.
    """
    zone = known.time_zone(connection, municipality)

    def read(limit: int, skip: int) -> list[Case]:
        return list_cases(
            connection,
            municipality=municipality,
            site=site,
            quantity=quantity,
            start=None if start is None else utc(start, zone),
            end=None if end is None else utc(end, zone),
            standing=standing,
            state=state,
            severity=severity,
            assigned_to=assigned_to,
            limit=limit,
            skip=skip,
        )

    found = read(limit, skip)
    # beyond the end no row contains the total
    first = found or (read(1, 0) if skip else [])
    if not first:
        known.require(connection, municipality, site=site)
    counts = count_cases(connection, municipality=municipality, site=site)
    return Report(
        cases=found,
        total=first[0].matching if first else 0,
        counts=sum_towns(counts),
    )
