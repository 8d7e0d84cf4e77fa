from datetime import date
from typing import Any

import polars as pl
import pytest

from analytics import frames
from analytics.calendar import MEMBERS, known_terms, with_calendar
from tests.frames import make, one

HOLIDAYS = make(
    frames.SCHOOL_HOLIDAYS,
    [
        {"name": "Osterferien", "first": date(2026, 3, 30), "last": date(2026, 4, 10)},
        {"name": "Sommerferien", "first": date(2026, 6, 29), "last": date(2026, 8, 7)},
    ],
    state="RP",
)


def on(day: date, state: str = "RP", **given: Any) -> dict[str, Any]:
    """What the calendar says of a day at site 1, and to what means it belongs."""
    frame = make(
        {"site_id": pl.Int32(), "state": pl.String(), "day": pl.Date()},
        [{"site_id": 1, "state": state, "day": day}],
    )
    found = with_calendar(frame, **{"school_holidays": HOLIDAYS, **given})
    member = one(found.select(**MEMBERS))
    return {**one(found), "means": {name for name, is_in in member.items() if is_in}}


@pytest.mark.parametrize(
    ("day", "kind", "means"),
    [
        (date(2026, 6, 9), "workday", {"dtv", "dtv_w5", "dtv_w3"}),
        (date(2026, 6, 8), "workday", {"dtv", "dtv_w5"}),
        (date(2026, 6, 6), "saturday", {"dtv", "saturday"}),
        (date(2026, 6, 7), "sunday_or_holiday", {"dtv", "sunday_or_holiday"}),
        # Corpus Christi, a Thursday
        (date(2026, 6, 4), "sunday_or_holiday", {"dtv", "sunday_or_holiday"}),
        (
            date(2026, 7, 7),
            "school_holiday_workday",
            {"dtv", "school_holiday_workday"},
        ),
        # days off within school holidays
        (date(2026, 7, 4), "saturday", {"dtv", "saturday"}),
        (date(2026, 4, 6), "sunday_or_holiday", {"dtv", "sunday_or_holiday"}),
    ],
)
def test_a_day_belongs_to_several_means(day: date, kind: str, means: set[str]) -> None:
    found = on(day)
    assert found["day_type"] == kind
    assert found["means"] == means


def test_school_holidays_that_are_not_known_are_not_school() -> None:
    for day, state in ((date(2025, 6, 10), "RP"), (date(2026, 6, 9), "NW")):
        found = on(day, state)
        assert found["school_holiday"] is None
        assert found["day_type"] == "workday"
        assert found["means"] == {"dtv"}


def test_a_missing_year_is_a_hole_and_not_school() -> None:
    later = make(
        frames.SCHOOL_HOLIDAYS,
        [
            {
                "name": "Osterferien",
                "first": date(2028, 4, 10),
                "last": date(2028, 4, 21),
            }
        ],
        state="RP",
    )
    both = pl.concat([later, HOLIDAYS])
    assert [last for _, last in known_terms(both)["RP"]] == [
        date(2026, 8, 7),
        date(2028, 4, 21),
    ]
    assert on(date(2027, 6, 8), school_holidays=both)["school_holiday"] is None


def test_without_any_school_holidays_all_is_unknown() -> None:
    none = frames.empty(frames.SCHOOL_HOLIDAYS)
    assert on(date(2026, 7, 7), school_holidays=none)["school_holiday"] is None


def test_bridge_days_lie_between_two_days_off() -> None:
    assert on(date(2026, 6, 5))["bridge_day"]
    assert not on(date(2026, 6, 3))["bridge_day"]
    assert not on(date(2026, 6, 4))["bridge_day"]


def test_events_are_named_at_their_site_only() -> None:
    events = make(
        frames.EVENTS,
        [
            {"site_id": 1, "name": "Stadtfest"},
            {"site_id": 1, "name": "Baustelle"},
            {"site_id": 2, "name": "Markt"},
        ],
        first=date(2026, 6, 12),
        last=date(2026, 6, 14),
    )
    assert on(date(2026, 6, 14), events=events)["event"] == "Baustelle, Stadtfest"
    assert on(date(2026, 6, 15), events=events)["event"] is None
