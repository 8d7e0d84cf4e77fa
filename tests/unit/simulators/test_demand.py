"""Demand: the rhythm of days, weeks and seasons on the local clock."""

from datetime import date

import numpy as np
import pytest

from simulators.demand import (
    PROFILES,
    STEPS,
    class_shares,
    day_factor,
    expected,
    local_day,
    outdoors,
    shape,
)
from simulators.town import Stream
from simulators.weather import Weather
from verkehrspuls.classes import HEAVY_CLASSES, MOTOR_CLASSES

ZONE = "Europe/Berlin"


def number(year: int, month: int, day: int) -> int:
    """Days since 1970."""
    return date(year, month, day).toordinal() - date(1970, 1, 1).toordinal()


def local_slots(day: int) -> list[int]:
    """The intervals of a local day, from the UTC days it lies in."""
    found = []
    for utc_day in (day - 1, day):
        clock = local_day(ZONE, utc_day)
        found += clock.slot[clock.date == day].tolist()
    return found


@pytest.mark.parametrize("profile", PROFILES)
def test_the_factors_of_an_ordinary_week_have_mean_one(profile: str) -> None:
    monday = number(2026, 2, 2)
    week = [day_factor(profile, "RP", monday + day) for day in range(7)]
    assert np.mean(week) == pytest.approx(1)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_day_spreads_its_whole_demand(profile: str) -> None:
    for day in range(number(2026, 2, 2), number(2026, 2, 9)):
        spread = shape(profile, "RP", day)
        assert len(spread) == STEPS
        assert spread.sum() == pytest.approx(1)
        assert (spread > 0).all()


def test_sunday_is_weaker_than_tuesday_on_a_street_but_not_on_a_leisure_path() -> None:
    sunday, tuesday = number(2026, 2, 8), number(2026, 2, 3)
    street = [day_factor("inbound", "RP", day) for day in (sunday, tuesday)]
    path = [day_factor("leisure", "RP", day) for day in (sunday, tuesday)]
    assert street[0] < 0.7 * street[1]
    assert path[0] > 1.5 * path[1]


def test_a_public_holiday_is_like_a_sunday_in_its_state_only() -> None:
    assumption, sunday = number(2028, 8, 15), number(2028, 8, 13)  # a Tuesday
    assert day_factor("shopping", "SL", assumption) == day_factor(
        "shopping", "SL", sunday
    )
    assert day_factor("shopping", "RP", assumption) > 1.5 * day_factor(
        "shopping", "RP", sunday
    )


def test_school_holidays_are_quiet_for_commuters() -> None:
    summer, june = number(2026, 7, 21), number(2026, 6, 16)
    assert day_factor("commute", "RP", summer) == pytest.approx(
        0.82 * day_factor("commute", "RP", june)
    )


def test_directions_peak_at_opposite_ends_of_the_day() -> None:
    tuesday = number(2026, 2, 3)
    inbound, outbound = (shape(p, "RP", tuesday) for p in ("inbound", "outbound"))
    assert 7 * 12 <= inbound.argmax() < 8 * 12
    assert 16 * 12 <= outbound.argmax() < 17 * 12


def test_a_day_of_23_hours_lacks_the_hour_that_is_skipped() -> None:
    slots = local_slots(number(2026, 3, 29))
    assert slots == [*range(2 * 12), *range(3 * 12, 24 * 12)]


def test_a_day_of_25_hours_has_the_repeated_hour_twice() -> None:
    slots = local_slots(number(2026, 10, 25))
    assert slots == [*range(3 * 12), *range(2 * 12, 24 * 12)]


def test_the_local_peak_moves_with_the_clock() -> None:
    stream = Stream(daily=1000, profile="inbound")
    peaks = []
    for day in (number(2026, 3, 24), number(2026, 3, 31)):  # two Tuesdays
        rates = expected(1, "town", stream, state="RP", clock=local_day(ZONE, day))
        peaks.append(int(rates.argmax()) // 12)
    assert peaks == [6, 5]  # 7 h local time, in UTC


def test_class_shares_add_up_and_lorries_rest_on_sunday() -> None:
    heavy = [MOTOR_CLASSES.index(name) for name in HEAVY_CLASSES]
    parts = {}
    for day in (number(2026, 2, 3), number(2026, 2, 8)):
        shares = class_shares(0.08, state="RP", zone=ZONE, day=day)
        assert shares.shape == (STEPS, len(MOTOR_CLASSES))
        assert shares.sum(axis=1) == pytest.approx(1)
        assert (shares >= 0).all()
        parts[day] = shares[:, heavy].sum(axis=1).mean()
    tuesday, sunday = parts.values()
    assert 0.06 < tuesday < 0.11
    assert sunday < 0.4 * tuesday


def test_rain_and_cold_keep_riders_away_but_not_drivers() -> None:
    def of(*, celsius: float, rain: float) -> Weather:
        one = np.ones(1)
        return Weather(celsius * one, 70 * one, 3 * one, 200 * one, rain * one)

    fine, wet, cold = (
        of(celsius=20, rain=0),
        of(celsius=20, rain=2),
        of(celsius=0, rain=0),
    )
    ride = {id(w): outdoors("commute", w)[0] for w in (fine, wet, cold)}
    assert ride[id(wet)] < 0.6 * ride[id(fine)]
    assert ride[id(cold)] < 0.8 * ride[id(fine)]
    assert outdoors("inbound", wet)[0] == 1
