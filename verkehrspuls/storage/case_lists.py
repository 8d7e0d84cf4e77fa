"""Lists and counts of anomaly cases, as pages and API read them.

Times are aware UTC and periods half-open `[start, end)`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from verkehrspuls.cases import Case
from verkehrspuls.storage.by_place import Place, read_by_site
from verkehrspuls.storage.database import Connection, execute, read_records

#: Days after its end during which an undecided case is current. One that had ended for
#: longer when it was found is history: nobody has to decide it.
CURRENT_DAYS: Final = 7
#: How open cases stand, see `vp.case_stands`.
CURRENT: Final = ("current",)
UNDECIDED: Final = ("current", "older")
HISTORY: Final = ("history",)
OPEN: Final = (*UNDECIDED, *HISTORY)


def list_cases(
    connection: Connection,
    *,
    municipality: str | None = None,
    site: str | None = None,
    quantity: str | None = None,
    direction: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    case: int | None = None,
    standing: Sequence[str] | None = OPEN,
    state: str | None = None,
    severity: str | None = None,
    assigned_to: int | None = None,
    now: datetime | None = None,
    limit: int | None = None,
    skip: int = 0,
) -> list[Case]:
    """List anomaly cases, newest first; with a period, those that touch it.

    A case shows what was found at the site, of the quantity, in the direction and
    period asked for. `standing` selects cases that are `current`, `older`, `history` or
    `closed` at `now`, by default the time of the database; None selects all.
    """
    return read_records(
        connection,
        Case,
        "list_cases",
        municipality=municipality,
        site=site,
        quantity=quantity,
        direction=direction,
        start=start,
        end=end,
        case=case,
        standing=None if standing is None else list(standing),
        state=state,
        severity=severity,
        assigned_to=assigned_to,
        current_days=CURRENT_DAYS,
        now=now,
        limit=limit,
        skip=skip,
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """What an open case found on a channel."""

    anomaly_case_id: int
    channel: str
    direction: str
    reason: str
    began: datetime
    ended: datetime
    score: float


def list_findings(
    connection: Connection,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
) -> list[Finding]:
    """List what open cases found at a site in a period, by case and direction.

    Of a case and direction, what names it comes first.
    """
    return read_records(
        connection,
        Finding,
        "read_findings",
        site_id=site_id,
        quantity=quantity,
        start=start,
        end=end,
    )


class Counts(NamedTuple):
    """How many cases are open, by how they stand."""

    current: int = 0
    older: int = 0
    history: int = 0

    @property
    def undecided(self) -> int:
        """Those that were once to be looked at."""
        return self.current + self.older


#: key of a municipality, and of a site or None for all of its sites
Where = tuple[str, str | None]


def count_cases(
    connection: Connection,
    *,
    municipality: str | None = None,
    site: str | None = None,
    now: datetime | None = None,
) -> dict[Where, Counts]:
    """Count the open cases of `list_cases`; places without one are absent."""
    rows = execute(
        connection,
        "count_cases",
        municipality=municipality,
        site=site,
        current_days=CURRENT_DAYS,
        now=now,
    )
    return {
        (row["municipality"], row["site"]): Counts(
            row["current"], row["older"], row["history"]
        )
        for row in rows
    }


def sum_towns(counted: Mapping[Where, Counts]) -> Counts:
    """Sum up the counts of all municipalities."""
    towns = [counts for (_, site), counts in counted.items() if site is None]
    return Counts(*(sum(each) for each in zip(*towns, strict=True)))


def list_open_cases(
    connection: Connection,
    places: Sequence[Place],
    *,
    start: datetime,
    end: datetime,
) -> tuple[int, ...]:
    """Find the open cases that touch what was counted at places in a period."""
    found = list_open_cases_of_sites(connection, places, start=start, end=end)
    return tuple(sorted({case for cases in found.values() for case in cases}))


def list_open_cases_of_sites(
    connection: Connection,
    places: Sequence[Place],
    *,
    start: datetime,
    end: datetime,
) -> dict[int, list[int]]:
    """Find the same by `site_id`; sites without such a case are absent."""
    return read_by_site(
        connection,
        "list_open_cases",
        lambda anomaly_case_id: anomaly_case_id,
        places,
        start,
        end,
    )
