"""Write the findings of detectors: members, their cases, and the events of cases."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final

import polars as pl

from analytics import frames
from analytics.cases.groups import MAX_PAUSE, Groups, group
from analytics.cases.members import Judgement
from analytics.cases.severity import LEVELS
from analytics.detectors import reasons
from analytics.jobs.store import Store

#: Author of changes that no person made.
DETECTORS: Final = "detectors"
_COLUMNS: Final = tuple(frames.CASES)


@dataclass(frozen=True, slots=True)
class _Changed:
    """The span of a member that was written or withdrawn."""

    channel_id: int
    began: datetime
    ended: datetime


@dataclass(frozen=True, slots=True)
class _Mixed(_Changed):
    """The span of a member of a case that has members of several audiences."""

    anomaly_case_id: int


class TownFailed(Exception):
    """The cases of this municipality could not be judged; its marks remain."""

    def __init__(self, municipality: int) -> None:
        super().__init__(f"municipality {municipality}")
        self.municipality = municipality


@contextmanager
def of_town(municipality: int) -> Iterator[None]:
    """Turn errors into `TownFailed`, so that other municipalities are judged."""
    try:
        yield
    except Exception as error:
        raise TownFailed(municipality) from error


def write(store: Store, judgements: Sequence[Judgement]) -> None:
    """Write and withdraw members, and regroup the cases that they touch.

    This runs in the transaction of the store, which locks the municipalities until its
    end.
    """
    changed: list[_Changed] = []
    found = pl.concat([one.cases for one in judgements])
    if not found.is_empty():
        columns = {name: found[name].to_list() for name in _COLUMNS}
        known = reasons()
        named = [known[code] for code in columns["reason"]]
        changed += store.records(
            _Changed,
            "put_members",
            **columns,
            rank=[one.rank for one in named],
            is_fault=[one.is_fault for one in named],
        )
    if withdrawn := [member for one in judgements for member in one.withdrawn]:
        changed += store.records(_Changed, "withdraw_members", members=withdrawn)
    if changed:
        _regroup(store, changed)


def part_mixed(store: Store) -> int:
    """Part undecided cases of several audiences; return how many there were.

    A site that became private leaves the case that it shared with public ones, so that
    what the case says of itself tells nothing of it.
    """
    mixed = store.records(_Mixed, "mixed_members")
    cases = [list(of_one) for _, of_one in groupby(mixed, _case_of)]
    for members in cases:
        with store.connection.transaction():
            _regroup(store, members)
    return len(cases)


def stored(store: Store, spans: pl.DataFrame) -> pl.DataFrame:
    """Read the STORED_CASES that touch SPANS."""
    return store.frame(
        "cases_of_channels",
        frames.STORED_CASES,
        channels=spans["channel_id"].to_list(),
        since=spans["since"].to_list(),
        until=spans["until"].to_list(),
    )


def _case_of(member: _Mixed) -> int:
    return member.anomaly_case_id


def _regroup(store: Store, changed: Sequence[_Changed]) -> None:
    channels = sorted({row.channel_id for row in changed})
    locked = store.execute("lock_municipalities", channels=channels).fetchall()
    municipalities = [row["municipality_id"] for row in locked]
    found = store.frame(
        "members_to_group",
        frames.MEMBERS,
        municipalities=municipalities,
        since=min(row.began for row in changed) - MAX_PAUSE,
        until=max(row.ended for row in changed) + MAX_PAUSE,
    )
    if not found.is_empty():
        _put(store, group(found))
    for row in store.execute("withdraw_cases", municipalities=municipalities):
        _note(store, row["anomaly_case_id"], "withdrawn")


def _put(store: Store, groups: Groups) -> None:
    numbers: dict[int, int] = {}
    for case in groups.cases.sort("began", "group").iter_rows(named=True):
        numbers[case["group"]] = _put_case(store, case)
    store.execute(
        "put_member_cases",
        members=groups.members["case_member_id"].to_list(),
        cases=[numbers[number] for number in groups.members["group"]],
    )


def _put_case(store: Store, case: dict[str, Any]) -> int:
    """Write a case, with an event if it changed; return its number."""
    number: int | None = case["anomaly_case_id"]
    if number is None:
        number = int(store.one("open_case", **case)["anomaly_case_id"])
        store.execute("put_case", **case | {"anomaly_case_id": number})
        _note(store, number, "opened")
        return number
    before = store.execute("put_case", **case).fetchone()
    if before is not None and before["withdrawn_at"] is not None:
        _note(store, number, "returned")
    elif before is not None and _worse(case["severity"], before["severity"]):
        _note(store, number, "raised")
    return number


def _worse(severity: str, before: str) -> bool:
    return LEVELS.index(severity) > LEVELS.index(before)


def _note(store: Store, case: int, kind: str) -> None:
    store.execute(
        "note_case",
        anomaly_case_id=case,
        kind=kind,
        who=DETECTORS,
        comment="",
        assignee=None,
    )
