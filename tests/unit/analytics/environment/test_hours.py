from math import log10

import pytest

from analytics.environment.hours import hours
from tests.frames import one, utc, values

T = utc("2026-11-18 10:00")
HALF = utc("2026-11-18 10:30")


def test_decibels_are_averaged_by_energy() -> None:
    readings = values(
        {"time": T, "value": 60.0}, {"time": HALF, "value": 70.0}, quantity="laeq_db"
    )
    found = one(hours(readings))
    assert found["mean"] == pytest.approx(10 * log10((10**6 + 10**7) / 2))
    assert (found["minimum"], found["maximum"]) == (60, 70)


def test_directions_are_averaged_on_the_circle() -> None:
    readings = values(
        {"time": T, "value": 350.0}, {"time": HALF, "value": 30.0}, quantity="wind_deg"
    )
    assert one(hours(readings))["mean"] == pytest.approx(10)


def test_opposite_directions_have_no_mean() -> None:
    readings = values(
        {"time": T, "value": 90.0}, {"time": HALF, "value": 270.0}, quantity="wind_deg"
    )
    assert hours(readings).is_empty()


def test_rain_adds_up() -> None:
    readings = values(
        {"time": T, "value": 0.2},
        {"time": HALF, "value": 0.5},
        quantity="precipitation_mm",
    )
    found = one(hours(readings))
    assert found["mean"] == pytest.approx(0.7)
    assert found["observed_s"] == 1200


def test_a_mean_weighs_by_duration() -> None:
    readings = values(
        {"time": T, "value": 10.0, "interval_s": 1800},
        {"time": HALF, "value": 40.0, "interval_s": 900},
        quantity="no2_ugm3",
    )
    found = one(hours(readings))
    assert found["mean"] == pytest.approx(20)
    assert found["observed_s"] == 2700


def test_hours_without_readings_are_missing() -> None:
    readings = values(
        {"time": T, "value": 1.0},
        {"time": utc("2026-11-18 12:00"), "value": 1.0},
        quantity="o3_ugm3",
    )
    assert hours(readings)["time"].dt.hour().sort().to_list() == [10, 12]


def test_channels_of_all_kinds_at_once() -> None:
    readings = values(
        {"time": T, "value": 5.0, "quantity": "temperature_c", "channel_id": 1},
        {"time": T, "value": 50.0, "quantity": "laeq_db", "channel_id": 2},
    )
    found = hours(readings).sort("channel_id")
    assert found["mean"].to_list() == pytest.approx([5, 50])
    assert hours(readings.clear()).is_empty()
