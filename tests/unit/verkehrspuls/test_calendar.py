from datetime import UTC, date, datetime

import pytest

from verkehrspuls import calendar

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("day", "state", "kind"),
    [
        (date(2026, 11, 18), "RP", "workday"),
        (date(2026, 11, 21), "RP", "saturday"),
        (date(2026, 11, 22), "RP", "sunday_or_holiday"),
        # All Saints' Day is a holiday in both states
        (date(2027, 11, 1), "RP", "sunday_or_holiday"),
        # Assumption Day, a Saturday in 2026, is one in Saarland only
        (date(2026, 8, 15), "SL", "sunday_or_holiday"),
        (date(2026, 8, 15), "RP", "saturday"),
        # Epiphany is one in neither, Corpus Christi in both
        (date(2026, 1, 6), "RP", "workday"),
        (date(2026, 6, 4), "SL", "sunday_or_holiday"),
    ],
)
def test_day_types_follow_the_state(day: date, state: str, kind: str) -> None:
    assert calendar.day_type(day, state) == kind


def test_unknown_state_has_the_common_holidays() -> None:
    assert calendar.day_type(date(2026, 12, 25), "??") == "sunday_or_holiday"
    assert calendar.day_type(date(2026, 6, 4), "??") == "workday"


def test_holidays_are_named_in_german() -> None:
    names = calendar.public_holidays("RP", 2026)
    assert names[date(2026, 6, 4)] == "Fronleichnam"


@pytest.mark.parametrize(
    ("day", "length"),
    [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 3, 28), 24)],
)
def test_days_of_clock_change_are_shorter_and_longer(day: date, length: int) -> None:
    assert calendar.day_length_h(day, BERLIN) == length


def test_days_begin_at_local_midnight() -> None:
    began = datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert calendar.day_start(date(2026, 3, 29), BERLIN) == began
    assert calendar.day_end(date(2026, 3, 28), BERLIN) == began
    assert calendar.local_day(began, BERLIN) == date(2026, 3, 29)
