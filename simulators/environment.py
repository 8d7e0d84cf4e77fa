"""Air, noise and water that follow traffic, wind and rain.

The formulas are deliberately simple; docs/reference/simulator.md has them with their
sources. Devices are low-cost ones: particulate matter is read by light scattering and
therefore too high in moist air.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import numpy as np

from simulators.demand import STEP_S, STEPS
from simulators.noise import Floats, generator, smooth
from simulators.street import Passage, light_and_heavy, passages
from simulators.town import Gauge, SimulatedTown, Station
from simulators.weather import rain_mm_h, season, weather
from simulators.world import DAY_S, World

#: exhaust lingers: e-folding time of its concentration at the kerb
_LINGER_S: Final = 2400.0
#: number of light vehicles whose NOx and dust equal those of a heavy one
_HEAVY_EMISSION: Final = 6.0
#: RLS-19 emission by vehicle group Pkw, Lkw1, Lkw2: A in dB, B in km/h, exponent C
_RLS19: Final = ((88.0, 20.0, 3.06), (100.3, 40.0, 4.33), (105.4, 50.0, 4.88))
#: hygroscopicity of urban aerosol, and its dry density in g/cm³ (Crilley et al. 2018)
_KAPPA, _DENSITY = 0.3, 1.65


@lru_cache(maxsize=128)
def values(
    world: World, municipality: str, site: str, day: int, interval_s: int
) -> Mapping[str, Floats]:
    """Return the true values of an environment site on a UTC day, by quantity."""
    town = world.by_key[municipality]
    seconds = day * DAY_S + np.arange(DAY_S // interval_s) * float(interval_s)
    if site in town.behaviour.gauges:
        level = water_level(world.seed, town, site, seconds)
        return {"water_level_cm": np.round(level)}
    station = town.behaviour.stations[site]
    found = dict(_air(world, town, station, site, seconds))
    chance = generator(world.seed, f"{municipality}/{site}", day)
    for name, (digits, spread, lowest) in _DEVICE.items():
        noisy = found[name] + spread * chance.standard_normal(len(seconds))
        found[name] = np.round(np.maximum(noisy, lowest), digits)
    found["humidity_pct"] = np.minimum(found["humidity_pct"], 100.0)
    found["wind_deg"] %= 360.0
    return found


#: decimal places, standard deviation and lowest value of a device's readings
_DEVICE: Final = {
    "temperature_c": (1, 0.1, -50.0),
    "humidity_pct": (1, 0.6, 0.0),
    "wind_ms": (1, 0.15, 0.0),
    "wind_deg": (0, 4.0, 0.0),
    "precipitation_mm": (1, 0.0, 0.0),
    "no2_ugm3": (1, 0.8, 0.0),
    "o3_ugm3": (1, 1.2, 0.0),
    "pm10_ugm3": (1, 0.7, 0.0),
    "pm25_ugm3": (1, 0.4, 0.0),
    "laeq_db": (1, 0.4, 20.0),
}


def _air(
    world: World, town: SimulatedTown, station: Station, site: str, seconds: Floats
) -> Mapping[str, Floats]:
    interval_s = float(seconds[1] - seconds[0])
    middle = seconds + interval_s / 2
    air = weather(world.seed, town.key, middle, altitude_m=town.behaviour.altitude_m)
    exhaust, sound = _traffic(world, town, station, seconds)
    summer = season(middle)

    def drift(name: str, hours: float) -> Floats:
        return smooth(world.seed, f"{town.key}/{name}", middle, period_s=hours * 3600)

    thin = 1 / (air.wind_ms + 0.8)
    near = 10 / (station.distance_m + 5)
    calm = (3 / (air.wind_ms + 1)) ** 0.4
    no2_far = station.no2 * (1 - 0.28 * summer) * np.exp(0.3 * drift("no2", 26)) * calm
    no2 = no2_far + 0.046 * exhaust * thin * near
    sun = np.cos(2 * np.pi * (middle / DAY_S - 14 / 24))
    o3 = 48 + 20 * summer + 13 * sun * (1 + 0.6 * summer) + 8 * drift("o3", 30)
    dust = station.pm10 * (1 - 0.15 * summer) * np.exp(0.4 * drift("pm", 40) - 0.08)
    dust *= calm * np.exp(-0.3 * air.rain_mm_h)
    wear = exhaust * thin * near
    dry_road = 1 / (1 + 4 * air.rain_mm_h)
    moist = growth(air.humidity_pct)
    nature = 10 ** (3.0 + 0.35 * np.log2(1 + air.wind_ms)) + 10 ** (
        2.6 + 1.1 * np.log10(1 + 3 * air.rain_mm_h)
    ) * (air.rain_mm_h > 0)
    day_night = station.laeq - 5 * (1 - np.clip(sun + 0.6, 0, 1))
    loud = sound / (2 * station.distance_m) + 10 ** (day_night / 10) + nature
    return {
        "temperature_c": air.temperature_c,
        "humidity_pct": air.humidity_pct,
        "wind_ms": air.wind_ms,
        "wind_deg": air.wind_deg,
        "precipitation_mm": air.rain_mm_h * interval_s / 3600,
        "no2_ugm3": no2,
        "o3_ugm3": np.maximum(o3 - 0.6 * (no2 - 10), 2.0),
        "pm10_ugm3": (dust + 0.009 * wear * dry_road) * moist,
        "pm25_ugm3": (0.62 * dust + 0.003 * wear) * moist,
        "laeq_db": 10 * np.log10(loud),
    }


def growth(humidity_pct: Floats) -> Floats:
    """Return the factor by which light scattering reads too high in moist air.

    Source: κ-Köhler growth, by mass.
    """
    water = np.minimum(humidity_pct, 95.0) / 100
    return np.asarray(1 + _KAPPA / _DENSITY / (1 / water - 1))


def sound_power(groups: tuple[Floats, Floats, Floats], speed_kmh: Floats) -> Floats:
    """Return the emission of a metre of road by RLS-19, as a power ratio (not in dB).

    `groups` are Pkw, Lkw1 and Lkw2 in veh/h. 10 lg of the result is L_W' in dB(A).
    Surface, gradient, junctions and reflections are left out.
    """
    total = np.zeros_like(speed_kmh)
    for flow, (a, b, c) in zip(groups, _RLS19, strict=True):
        level = a + 10 * np.log10(1 + (speed_kmh / b) ** c)
        total = total + flow * 10 ** (level / 10) / speed_kmh
    return np.asarray(total / 1000)


def _traffic(
    world: World, town: SimulatedTown, station: Station, seconds: Floats
) -> tuple[Floats, Floats]:
    """Return a street's emissions: lingering exhaust (light veh/h), sound power."""
    day = int(seconds[0]) // DAY_S
    exhaust = np.zeros(2 * STEPS)
    sound = np.zeros(STEPS)
    for number, place in ((day - 1, slice(0, STEPS)), (day, slice(STEPS, None))):
        for passage in passages(world, town.key, station.traffic, number).values():
            groups = _groups_per_hour(passage)
            exhaust[place] += groups[0] + _HEAVY_EMISSION * (groups[1] + groups[2])
            if number == day:
                sound += sound_power(groups, passage.speed_kmh)
    age = np.arange(24) * float(STEP_S)
    weight = np.exp(-age / _LINGER_S)
    lingering = np.convolve(exhaust, weight / weight.sum())[STEPS : 2 * STEPS]
    merge = STEPS // len(seconds)
    return (
        lingering.reshape(-1, merge).mean(axis=1),
        sound.reshape(-1, merge).mean(axis=1),
    )


def _groups_per_hour(passage: Passage) -> tuple[Floats, Floats, Floats]:
    car, lorry, heavy = (group * (3600 / STEP_S) for group in light_and_heavy(passage))
    return car, lorry, heavy


def water_level(seed: int, town: SimulatedTown, site: str, seconds: Floats) -> Floats:
    """Return a river's level in cm: slow changes from afar, and the answer to rain.

    Rain runs off like through a cascade of three reservoirs (Nash 1957), scaled to 1 at
    its peak; in summer a part of it evaporates.
    """
    gauge: Gauge = town.behaviour.gauges[site]
    memory_h = int(8 * gauge.delay_h)
    first_h = int(seconds[0]) // 3600 - memory_h
    last_h = int(seconds[-1]) // 3600 + 2
    hours = np.arange(first_h, last_h) * 3600.0
    rain = rain_mm_h(seed, town.key, hours) * (1 - 0.4 * season(hours))
    age = np.arange(memory_h + 1) / gauge.delay_h
    answer = (age * np.exp(1 - age)) ** 2
    risen = gauge.rise_cm_mm * np.convolve(rain, answer, mode="valid")
    afar = smooth(seed, f"{town.key}/{site}", seconds, period_s=10 * DAY_S)
    return np.asarray(
        gauge.mean_cm
        + gauge.afar_cm * afar
        + np.interp(seconds, hours[memory_h:], risen)
    )
