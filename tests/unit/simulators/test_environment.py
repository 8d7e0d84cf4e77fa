"""Weather and environment: sizes that are plausible, and the right signs."""

from datetime import UTC, datetime

import numpy as np
import pytest

from simulators.environment import growth, sound_power, values, water_level
from simulators.noise import smooth
from simulators.town import load_towns
from simulators.weather import rain_mm_h, weather
from simulators.world import DAY_S, World
from verkehrspuls.quantities import ENVIRONMENT

QUIET = World(seed=1, towns=load_towns(), scenarios=())
#: a Tuesday
DAY = int(datetime(2026, 11, 17, tzinfo=UTC).timestamp()) // DAY_S
YEAR = (DAY - 365) * DAY_S + np.arange(365 * 24) * 3600.0


def test_a_smooth_process_is_standard_normal_and_smooth() -> None:
    seconds = np.arange(20_000) * 300.0
    process = smooth(1, "any", seconds, period_s=3000)
    assert process.mean() == pytest.approx(0, abs=0.06)
    assert process.std() == pytest.approx(1, abs=0.04)
    assert np.diff(process).std() < 0.25


def test_a_year_of_weather_is_that_of_the_region() -> None:
    year = weather(1, "kaiserslautern", YEAR, altitude_m=250)
    assert 8 < year.temperature_c.mean() < 12
    assert -20 < year.temperature_c.min() < 0
    assert 24 < year.temperature_c.max() < 40
    assert 500 < year.rain_mm_h.sum() < 1300
    assert 0.03 < (year.rain_mm_h > 0.1).mean() < 0.25
    assert 2 < year.wind_ms.mean() < 4
    july = year.temperature_c[-139 * 24 : -109 * 24].mean()
    january = year.temperature_c[-320 * 24 : -290 * 24].mean()
    assert july > january + 12
    afternoon = year.temperature_c[14::24].mean()
    morning = year.temperature_c[4::24].mean()
    assert afternoon > morning + 4


def test_towns_share_their_weather_but_not_all_of_it() -> None:
    here, there = (rain_mm_h(1, town, YEAR) > 0 for town in ("one", "other"))
    both = (here & there).mean()
    assert both > 3 * here.mean() * there.mean()
    assert (here != there).any()


def test_sound_power_is_that_of_rls_19() -> None:
    # 10 lg(M) + 10 lg(1/v) + L_W0(v) - 30 with L_W0 = 88 + 10 lg(1 + (50/20)^3.06)
    car = sound_power((np.array([1000.0]), np.zeros(1), np.zeros(1)), np.array([50.0]))
    by_hand = 30 + 10 * np.log10(1 / 50) + 88 + 10 * np.log10(1 + 2.5**3.06) - 30
    assert 10 * np.log10(car[0]) == pytest.approx(by_hand)
    assert by_hand == pytest.approx(83.4, abs=0.1)


def test_moist_air_is_read_as_dust() -> None:
    # kappa 0.3 over 1.65, by 1/0.9 - 1
    assert growth(np.array([90.0]))[0] == pytest.approx(1 + 0.3 / 1.65 * 9)
    assert growth(np.array([100.0]))[0] == growth(np.array([95.0]))[0]


def test_values_are_possible_and_of_the_registered_quantities() -> None:
    for town in QUIET.towns:
        for site, interval_s in (
            *((key, 600) for key in town.behaviour.stations),
            *((key, 900) for key in town.behaviour.gauges),
        ):
            found = values(QUIET, town.key, site, DAY, interval_s)
            assert {c.quantity for c in town.site(site).channels} <= set(found)
            for name, series in found.items():
                assert len(series) == DAY_S // interval_s
                assert np.isfinite(series).all()
                assert series.min() >= ENVIRONMENT[name].minimum
                assert series.max() <= ENVIRONMENT[name].maximum


def test_noise_and_nitrogen_dioxide_follow_the_street() -> None:
    days = [DAY + 7 * week for week in range(-6, 0)]
    found = [
        values(QUIET, "kaiserslautern", "umwelt-einsiedlerhof", day, 600)
        for day in days
    ]
    # 16 to 17 h and 2 to 3 h UTC
    for name, more in (("laeq_db", 4), ("no2_ugm3", 2)):
        peak = np.mean([one[name][16 * 6 : 17 * 6] for one in found])
        night = np.mean([one[name][2 * 6 : 3 * 6] for one in found])
        assert peak > night + more, name
    for one in found:
        assert (one["pm25_ugm3"] < one["pm10_ugm3"] + 3).all()


def test_wind_thins_the_exhaust() -> None:
    found = [
        values(QUIET, "kaiserslautern", "umwelt-einsiedlerhof", day, 600)
        for day in range(DAY - 28, DAY)
    ]
    wind = np.concatenate([one["wind_ms"] for one in found])
    no2 = np.concatenate([one["no2_ugm3"] for one in found])
    assert np.corrcoef(wind, no2)[0, 1] < -0.2


@pytest.mark.parametrize(
    ("town", "site"),
    [("landkreis-kusel", "pegel-odenbach"), ("linz-am-rhein", "pegel-linz")],
)
def test_a_river_rises_after_rain(town: str, site: str) -> None:
    simulated = QUIET.by_key[town]
    gauge = simulated.behaviour.gauges[site]
    level = water_level(1, simulated, site, YEAR)
    rain = rain_mm_h(1, town, YEAR)
    lag = int(gauge.delay_h)
    window = np.ones(lag)
    before = np.convolve(rain, window)[: len(rain)]
    wet = before > np.quantile(before, 0.95)
    risen = level[lag:] - level[:-lag]
    assert risen[wet[lag:]].mean() > 2 * np.abs(risen.mean()) + 1
    assert 0 < level.min() < level.max() < 800


def test_a_river_does_not_jump_at_midnight() -> None:
    found = [
        values(QUIET, "landkreis-kusel", "pegel-odenbach", day, 900)["water_level_cm"]
        for day in range(DAY - 10, DAY)
    ]
    steps = np.abs(np.diff(np.concatenate(found)))
    within = np.delete(steps, np.arange(95, len(steps), 96))
    assert steps[95::96].max() <= within.max() < 15
