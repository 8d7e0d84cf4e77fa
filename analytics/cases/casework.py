"""What persons do with cases: decide, comment, and look at their history."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from analytics.cases.states import SUSPECTED, WITHDRAWN, check_transition, excludes
from verkehrspuls.cases import CaseInFull, Change, Member
from verkehrspuls.errors import UnknownKey
from verkehrspuls.storage.case_lists import list_cases
from verkehrspuls.storage.database import Connection, execute, read_records

MAX_COMMENT_LENGTH: Final = 10_000


@dataclass(frozen=True, slots=True)
class Standing:
    """State and effect of a case before a decision."""

    anomaly_case_id: int
    state: str
    effect: str
    withdrawn_at: datetime | None
    municipality: str


def change(
    connection: Connection,
    case: int,
    *,
    who: str,
    state: str | None = None,
    effect: str | None = None,
    comment: str = "",
    municipality: str | None = None,
) -> int:
    """Decide a case; return how many hours of figures are computed anew because of it.

    With a municipality only a case of that one. Committed by the caller.
    """
    stands = _find(connection, case, municipality=municipality)
    before = WITHDRAWN if stands.withdrawn_at else stands.state
    after, then = state or before, effect or stands.effect
    check_transition(before, after)
    if (after, then) == (before, stands.effect):
        if comment:
            _note(connection, case, "comment", who, comment)
        return 0
    execute(connection, "decide_case", anomaly_case_id=case, state=after, effect=then)
    _note(connection, case, "decided", who, comment)
    if after == SUSPECTED or excludes(after, then) != excludes(before, stands.effect):
        # returned to the detectors, it is also judged again
        return execute(connection, "mark_case_stale", anomaly_case_id=case).rowcount
    return 0


def remark(
    connection: Connection,
    case: int,
    *,
    who: str,
    comment: str,
    municipality: str | None = None,
) -> None:
    """Write a comment on a case, whatever its state. Committed by the caller."""
    _find(connection, case, municipality=municipality)
    _note(connection, case, "comment", who, comment)


def show(connection: Connection, case: int) -> CaseInFull:
    """Read a case with its members and its history."""
    found = list_cases(connection, case=case, standing=None)
    if not found:
        raise UnknownKey(kind="case", key=case)
    return CaseInFull(
        **asdict(found[0]),
        members=read_records(
            connection,
            Member,
            "case_members",
            anomaly_case_id=case,
        ),
        history=read_records(connection, Change, "case_history", anomaly_case_id=case),
    )


def _find(connection: Connection, case: int, *, municipality: str | None) -> Standing:
    """How a case stands; nobody else changes it, until the transaction ends."""
    execute(connection, "lock_municipality_of_case", anomaly_case_id=case)
    found = read_records(connection, Standing, "find_case", anomaly_case_id=case)
    if not found or municipality not in (None, found[0].municipality):
        raise UnknownKey(kind="case", key=case)
    return found[0]


def _note(connection: Connection, case: int, kind: str, who: str, text: str) -> None:
    execute(
        connection, "note_case", anomaly_case_id=case, kind=kind, who=who, comment=text
    )
