"""What the detectors make of simulated towns, in which it is known what happened."""

from datetime import UTC, datetime

from analytics.detectors import reasons
from analytics.jobs import case_days, case_hours, claims
from analytics.jobs.store import open_store
from simulators.world import DAY_S, standard
from tests import labelled
from verkehrspuls.settings import Analytics

TOWNS = ("linz-am-rhein", "landkreis-kusel")
END = datetime(2026, 9, 28, tzinfo=UTC)
WEEKS = 7
#: before it there is too little to compare with
LEARNED_WEEKS = 3


def test_events_are_found_and_little_else(plain_database: str) -> None:
    """Floors far below what is measured, see docs/reference/detectors.md."""
    world = standard(seed=1)
    last = int(END.timestamp()) // DAY_S
    first = last - 7 * WEEKS
    judged = (first + 7 * LEARNED_WEEKS) * DAY_S
    with open_store(plain_database, application="test") as store:
        labelled.load(store.connection, world, TOWNS, first=first, last=last)
        while claims.process(store, Analytics(), now=END):
            pass
        for judge in (case_hours.judge, case_days.judge):
            while judge(store, now=END):
                pass
        cases = labelled.found(store.connection)
        stored = store.connection.execute(
            "select distinct reason, rank, is_fault from case_member"
        ).fetchall()
    events = [
        event
        for event in world.truth(first * DAY_S, last * DAY_S)
        if event["municipality"] in TOWNS
    ]
    late = [event for event in events if event["start"].timestamp() >= judged]
    noticed = list(labelled.noticed(late, cases))
    sure = [
        found for kind, found in noticed if kind in ("stuck", "dropout", "incident")
    ]
    assert len(sure) >= 4
    assert all(sure)
    shown = [case for case in cases if case.began.timestamp() >= judged]
    right = [c for c in shown if any(labelled.explains(e, c) for e in events)]
    assert len(right) >= len(shown) / 2
    known = reasons()
    assert {row[0] for row in stored} > {"incident-speed", "silent", "spike"}
    assert any(is_fault for *_, is_fault in stored)
    assert all(
        (rank, is_fault) == (known[code].rank, known[code].is_fault)
        for code, rank, is_fault in stored
    )
