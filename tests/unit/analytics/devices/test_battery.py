"""When a battery ends."""

from datetime import date, timedelta

import pytest

from analytics.devices.battery import end

FIRST = date(2026, 1, 1)


def told(*levels: float, every: int = 1) -> date | None:
    """Return the end that is forecast from levels, one every so many days."""
    return end([FIRST + timedelta(days=every * n) for n in range(len(levels))], levels)


def test_an_even_fall_goes_on_to_zero() -> None:
    falling = told(*(90.0 - n for n in range(11)))
    assert falling == FIRST + timedelta(days=90)


def test_wrong_values_between_change_little() -> None:
    levels = [90.0 - n for n in range(31)]
    levels[5] = levels[20] = 85.5
    found = told(*levels)
    assert found
    assert abs((found - (FIRST + timedelta(days=90))).days) <= 1


def test_a_new_battery_begins_anew() -> None:
    levels = [*(30.0 - n for n in range(20)), *(100.0 - n for n in range(11))]
    # day 20 is the first with the new one
    assert told(*levels) == FIRST + timedelta(days=120)


@pytest.mark.parametrize(
    "levels",
    [
        pytest.param([90.0, 80.0, 70.0], id="three days are too few"),
        pytest.param([90.0] * 30, id="it does not fall"),
        pytest.param([*[90.0] * 29, 89.0], id="a percent may be a step"),
        pytest.param([50.0 + n for n in range(9)], id="the sun charges it"),
    ],
)
def test_what_is_not_known_is_not_told(levels: list[float]) -> None:
    assert told(*levels) is None


def test_an_end_in_more_than_ten_years_is_not_told() -> None:
    assert told(100, 98, every=70) == FIRST + timedelta(days=3500)
    assert told(100, 98, every=80) is None
