"""What persons do with cases: decide, undo, assign, comment, and look at their history.

Who does it, and where they may, is for the database to say: over the web by the
credential of the connection's viewer. All is committed by the caller.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, NamedTuple

import psycopg

from analytics.cases.states import (
    SUSPECTED,
    WITHDRAWN,
    before_decision,
    check_transition,
    excludes,
)
from verkehrspuls.cases import CaseInFull, Change, Member
from verkehrspuls.errors import UnknownKey, UsageError, VerkehrspulsError
from verkehrspuls.storage.case_lists import list_cases
from verkehrspuls.storage.database import Connection, execute, read_records

MAX_COMMENT_LENGTH: Final = 10_000
#: cases that are decided at once
MAX_CASES: Final = 500


class CaseChanged(UsageError):
    """Case {case} has changed since you looked at it: look again, then decide."""

    code = "case-changed"
    http_status = 409

    #: what was not seen
    changes: tuple[Change, ...]


class NotYourCase(UsageError):
    """You may not decide case {case}: it is of {municipality}."""

    code = "not-your-case"
    http_status = 403


class NothingToUndo(UsageError):
    """No decision of case {case} can be undone: none was the last that happened."""

    code = "nothing-to-undo"
    http_status = 409


class NotAssignable(UsageError):
    """The case cannot be assigned to that person, who may not decide it."""

    code = "not-assignable"
    http_status = 422


@dataclass(frozen=True, slots=True)
class Standing:
    """How a case stands."""

    anomaly_case_id: int
    state: str
    effect: str
    withdrawn_at: datetime | None
    assigned_to: int | None
    municipality: str
    #: whether the viewer may decide it
    is_decided_here: bool
    version: int


class Person(NamedTuple):
    """Somebody to whom cases can be assigned."""

    account_id: int
    email: str
    name: str


class Outcome(NamedTuple):
    """What became of one of several cases."""

    case: int
    #: hours of figures that are computed anew; None: nothing was done
    hours: int | None
    #: why not
    error: VerkehrspulsError | None = None


def change(
    connection: Connection,
    case: int,
    *,
    who: str | None = None,
    state: str | None = None,
    effect: str | None = None,
    comment: str = "",
    seen: int | None = None,
) -> int:
    """Decide a case; return how many hours of figures are computed anew because of it.

    `seen` is the `version` that the person saw: a case that changed since is refused.
    """
    stands = _find(connection, case, seen=seen)
    before = WITHDRAWN if stands.withdrawn_at else stands.state
    after, then = state or before, effect or stands.effect
    check_transition(before, after)
    if (after, then) == (before, stands.effect):
        if comment:
            _note(connection, case, "comment", who, comment)
        return 0
    return _put(connection, stands, after, then, "decided", who, comment)


def undo(
    connection: Connection,
    case: int,
    *,
    who: str | None = None,
    comment: str = "",
    seen: int | None = None,
) -> int:
    """Undo the newest decision, if nothing came after it; return as `change`."""
    stands = _find(connection, case, seen=seen)
    before = before_decision(_history(connection, case))
    if before is None:
        raise NothingToUndo(case=case)
    return _put(connection, stands, before.state, before.effect, "undone", who, comment)


def assign(
    connection: Connection,
    case: int,
    *,
    to: int | None,
    who: str | None = None,
    comment: str = "",
    seen: int | None = None,
) -> int:
    """Assign a case to an account that may decide it, or to nobody; return 0."""
    stands = _find(connection, case, seen=seen)
    if to == stands.assigned_to:
        if comment:
            _note(connection, case, "comment", who, comment)
        return 0
    try:
        execute(connection, "assign_case", anomaly_case_id=case, assignee=to)
    except psycopg.errors.CheckViolation as error:
        raise NotAssignable from error
    _note(connection, case, "assigned", who, comment, assignee=to)
    return 0


def remark(
    connection: Connection, case: int, *, who: str | None = None, comment: str
) -> int:
    """Write a comment on a case, whatever its state; return 0."""
    _find(connection, case, seen=None)
    _note(connection, case, "comment", who, comment)
    return 0


def each(
    connection: Connection, cases: Iterable[int], do: Callable[[int], int]
) -> list[Outcome]:
    """Do something with each of several cases, all or nothing of it.

    Their municipalities are locked first, in the order of the detectors.
    """
    numbers = list(dict.fromkeys(cases))
    if len(numbers) > MAX_CASES:
        raise UsageError(reason=f"at most {MAX_CASES} cases are decided at once")
    execute(connection, "lock_municipalities_of_cases", cases=numbers)
    return [_try(connection, number, do) for number in numbers]


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
        history=_history(connection, case),
    )


def people(connection: Connection, municipality: str) -> list[Person]:
    """List to whom cases can be assigned; nobody, if the viewer decides none there."""
    return read_records(connection, Person, "case_people", municipality=municipality)


def person(connection: Connection, municipality: str, email: str) -> int:
    """Find the account of somebody to whom cases can be assigned."""
    for known in people(connection, municipality):
        if known.email == email.strip().lower():
            return known.account_id
    raise NotAssignable


def _find(connection: Connection, case: int, *, seen: int | None) -> Standing:
    """How a case stands; nobody else changes it, until the transaction ends."""
    execute(connection, "lock_municipalities_of_cases", cases=[case])
    found = read_records(connection, Standing, "find_case", anomaly_case_id=case)
    if not found:
        raise UnknownKey(kind="case", key=case)
    stands = found[0]
    if not stands.is_decided_here:
        raise NotYourCase(case=case, municipality=stands.municipality)
    if seen is not None and seen != stands.version:
        history = _history(connection, case)
        unseen = tuple(one for one in history if one.case_event_id > seen)
        raise CaseChanged(case=case, changes=unseen)
    return stands


def _put(
    connection: Connection,
    stands: Standing,
    state: str,
    effect: str,
    kind: str,
    who: str | None,
    comment: str,
) -> int:
    case = stands.anomaly_case_id
    execute(
        connection,
        "decide_case",
        anomaly_case_id=case,
        state=state,
        effect=effect,
        undoes=kind == "undone",
    )
    _note(connection, case, kind, who, comment)
    was_excluded = excludes(stands.state, stands.effect)
    if state == SUSPECTED or excludes(state, effect) != was_excluded:
        # returned to the detectors, it is also judged again
        return execute(connection, "mark_case_stale", anomaly_case_id=case).rowcount
    return 0


def _try(connection: Connection, case: int, do: Callable[[int], int]) -> Outcome:
    try:
        with connection.transaction():
            return Outcome(case, do(case))
    except UsageError as error:
        return Outcome(case, None, error)


def _history(connection: Connection, case: int) -> list[Change]:
    return read_records(connection, Change, "case_history", anomaly_case_id=case)


def _note(
    connection: Connection,
    case: int,
    kind: str,
    who: str | None,
    text: str,
    *,
    assignee: int | None = None,
) -> None:
    execute(
        connection,
        "note_case",
        anomaly_case_id=case,
        kind=kind,
        who=who,
        comment=text,
        assignee=assignee,
    )
