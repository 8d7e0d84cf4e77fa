from datetime import date

import pytest

from dashboards.key_figures import key_figures
from tests.unit.dashboards.frames import days

FIRST = date(2026, 3, 2)


def test_only_valid_days_make_the_mean() -> None:
    frame = days(FIRST, [1000, 2000, 100], valid=[True, True, False])
    found = key_figures(frame, FIRST, date(2026, 3, 4), holidays=())
    assert found.daily.value == pytest.approx(1650)
    assert (found.daily.valid, found.daily.days) == (2, 3)


def test_sum_is_what_was_counted_on_all_days() -> None:
    frame = days(FIRST, [1000, 2000, 100], valid=[True, True, False])
    assert key_figures(frame, FIRST, date(2026, 3, 4), holidays=()).total == 3100


@pytest.mark.parametrize("last", [date(2026, 3, 2), date(2026, 3, 6)])
def test_too_few_valid_days_have_no_mean(last: date) -> None:
    frame = days(FIRST, [1000, 100], valid=[True, False])
    found = key_figures(frame, FIRST, last, holidays=())
    assert found.daily.value is None
    assert not found.daily.allowed


def test_day_without_figures_is_not_observed() -> None:
    frame = days(FIRST, [1000], valid=[True])
    assert key_figures(frame, FIRST, date(2026, 3, 5), holidays=()).observed == 0.25


def test_holiday_is_no_workday() -> None:
    frame = days(FIRST, [1000, 2000, 9000], valid=[True] * 3)
    found = key_figures(frame, FIRST, date(2026, 3, 4), holidays={date(2026, 3, 4)})
    assert found.workday.value == pytest.approx(1650)
    assert found.workday.days == 2


def test_heavy_share_is_of_the_whole_volume() -> None:
    frame = days(FIRST, [1000, 3000], valid=[True, True])
    found = key_figures(frame, FIRST, date(2026, 3, 3), holidays=())
    assert found.heavy == pytest.approx(0.1)
    assert found.peak == 375
