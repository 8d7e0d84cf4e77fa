"""Weather as smooth seeded processes: plausible in size and rhythm, not a forecast.

Towns share the region's weather for the most part, because they lie within 150 km.
Climate figures are those of a low mountain range in south-west Germany, set by hand:
yearly mean 10 °C at 250 m, warmest in mid-July, 600 to 1,200 mm of rain a year.
"""

from dataclasses import dataclass

import numpy as np

from simulators.noise import Floats, smooth

_YEAR_S = 365.2425 * 86_400
_REGION_SHARE = 0.9


@dataclass(frozen=True)
class Weather:
    """Weather at times: °C, %, m/s, degrees from which it blows, mm/h."""

    temperature_c: Floats
    humidity_pct: Floats
    wind_ms: Floats
    wind_deg: Floats
    rain_mm_h: Floats


def season(seconds: Floats, *, warmest_day: float = 196.0) -> Floats:
    """Return the season at times: 1 in mid-July, -1 in mid-January."""
    return np.asarray(np.cos(2 * np.pi * (seconds / _YEAR_S - warmest_day / 365.2425)))


def weather(seed: int, town: str, seconds: Floats, *, altitude_m: float) -> Weather:
    """Return a town's weather at times (s since 1970, UTC)."""
    summer = season(seconds)
    wet = _process(seed, town, "wet", seconds, hours=18)
    cloud = 1 / (1 + np.exp(-2.0 * wet))
    # warmest at 15 h local solar time, which is about 14 h UTC here
    day = np.cos(2 * np.pi * (seconds / 86_400 - 14 / 24))
    swing = (4.2 + 2.0 * summer) * (1.35 - 0.9 * cloud)
    temperature = (
        10.5
        - 0.0065 * (altitude_m - 250)
        + 9.0 * summer
        + 3.2 * _process(seed, town, "air", seconds, hours=60)
        + swing * day
        - 1.2 * cloud
    )
    rain = rain_mm_h(seed, town, seconds)
    humidity = (
        77.0
        - 5.0 * summer
        - 2.4 * swing * day
        + 9.0 * _process(seed, town, "moist", seconds, hours=15)
        + 10.0 * (rain > 0.1)
    )
    wind = 2.9 * np.exp(
        0.42 * _process(seed, town, "wind", seconds, hours=14)
        + 0.22 * smooth(seed, f"{town}/gust", seconds, period_s=1800)
        + 0.12 * day
        - 0.12
    )
    direction = (
        235.0
        + 55.0 * _process(seed, town, "direction", seconds, hours=20)
        + 12.0 * smooth(seed, f"{town}/veer", seconds, period_s=1800)
    )
    return Weather(
        temperature_c=temperature,
        humidity_pct=np.clip(humidity, 22.0, 100.0),
        wind_ms=wind,
        wind_deg=direction % 360.0,
        rain_mm_h=rain,
    )


def rain_mm_h(seed: int, town: str, seconds: Floats) -> Floats:
    """Return the intensity of rain: fronts that last hours, with showers in them."""
    wet = _process(seed, town, "wet", seconds, hours=18)
    shower = smooth(seed, f"{town}/shower", seconds, period_s=2400)
    # the second factor has mean 1
    return np.asarray(1.05 * np.clip(wet - 0.9, 0, None) * np.exp(0.9 * shower - 0.405))


def _process(
    seed: int, town: str, name: str, seconds: Floats, *, hours: float
) -> Floats:
    region = smooth(seed, f"region/{name}", seconds, period_s=hours * 3600)
    local = smooth(seed, f"{town}/{name}", seconds, period_s=hours * 3600)
    return np.asarray(_REGION_SHARE * region + np.sqrt(1 - _REGION_SHARE**2) * local)
