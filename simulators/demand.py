"""Demand of vehicles, riders and walkers, before chance and events.

The expected count of a day is the channel's daily mean times factors for the day of the
week, season, school holidays and a deviation that a town's channels share. The day's
shape comes from a profile. Profiles are set by hand after the usual shapes of German
urban counts (two peaks by direction, a flat Sunday), not fitted to data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from simulators.noise import Floats, Ints, generator, smooth
from simulators.town import Stream
from simulators.weather import Weather, season
from verkehrspuls.calendar import DayType, day_type, public_holidays
from verkehrspuls.classes import MOTOR_CLASSES

STEP_S: Final = 300
#: count intervals of a UTC day
STEPS: Final = 86_400 // STEP_S

_EPOCH = date(1970, 1, 1).toordinal()

_INBOUND = (
    *(0.6, 0.4, 0.3, 0.4, 0.9, 2.6, 6.2, 8.6, 7.4, 5.6, 5.0, 5.1),
    *(5.4, 5.4, 5.5, 5.9, 6.3, 6.0, 5.0, 3.9, 2.9, 2.3, 1.7, 1.1),
)
_OUTBOUND = (
    *(0.8, 0.5, 0.4, 0.4, 0.6, 1.6, 3.9, 5.6, 5.0, 4.8, 5.0, 5.4),
    *(5.9, 6.0, 6.4, 7.6, 8.8, 8.6, 6.6, 4.8, 3.5, 2.8, 2.2, 1.4),
)
_SATURDAY = (
    *(1.2, 0.8, 0.6, 0.5, 0.6, 1.0, 2.0, 3.2, 4.6, 6.0, 7.2, 7.6),
    *(7.2, 6.8, 6.6, 6.4, 6.2, 5.8, 5.2, 4.2, 3.2, 2.6, 2.4, 2.0),
)
_SUNDAY = (
    *(1.8, 1.3, 0.9, 0.6, 0.5, 0.6, 1.0, 1.6, 2.6, 4.0, 5.6, 6.6),
    *(6.8, 7.2, 8.0, 8.0, 7.8, 7.4, 6.6, 5.4, 4.0, 3.2, 2.4, 1.6),
)
_COMMUTE = (
    *(0.3, 0.2, 0.1, 0.1, 0.3, 1.2, 4.2, 9.0, 8.0, 4.8, 4.0, 4.2),
    *(4.8, 5.2, 5.6, 6.8, 8.6, 9.2, 7.0, 5.0, 3.6, 2.6, 1.6, 0.8),
)
_LEISURE = (
    *(0.2, 0.1, 0.1, 0.1, 0.2, 0.6, 1.4, 2.4, 3.6, 5.6, 7.4, 8.2),
    *(8.0, 8.6, 9.4, 9.4, 8.8, 7.6, 5.8, 4.0, 2.6, 1.6, 0.8, 0.4),
)
_SHOPPING = (
    *(0.5, 0.3, 0.2, 0.2, 0.3, 0.6, 1.4, 2.8, 4.4, 6.2, 7.6, 8.2),
    *(8.6, 8.4, 8.4, 8.6, 8.6, 8.2, 6.6, 4.0, 2.4, 1.8, 1.3, 0.8),
)
#: Monday to Sunday, relative to the mean of Tuesday to Thursday
_MOTOR_WEEK = (0.98, 1.0, 1.0, 1.02, 1.06, 0.80, 0.62)
_COMMUTE_WEEK = (0.98, 1.02, 1.0, 1.0, 0.92, 0.62, 0.55)
_LEISURE_WEEK = (0.72, 0.72, 0.78, 0.75, 0.92, 1.45, 1.75)
_SHOPPING_WEEK = (0.88, 0.9, 0.95, 1.0, 1.1, 1.35, 0.5)


@dataclass(frozen=True)
class Profile:
    """The rhythm of a kind of demand over day, week and year."""

    #: hourly weights of a working day, a Saturday, and a Sunday or public holiday
    workday: tuple[float, ...]
    saturday: tuple[float, ...]
    sunday_or_holiday: tuple[float, ...]
    #: Monday to Sunday; a public holiday counts as Sunday
    week: tuple[float, ...]
    #: swing between winter (1 - season) and summer (1 + season)
    season: float
    #: factor of a working day in the school holidays
    school_holiday: float
    #: 1: rain and cold keep people away, as riders; 0: indifferent
    outdoors: float = 0.0


PROFILES: Final[Mapping[str, Profile]] = MappingProxyType(
    {
        "inbound": Profile(_INBOUND, _SATURDAY, _SUNDAY, _MOTOR_WEEK, 0.04, 0.91),
        "outbound": Profile(_OUTBOUND, _SATURDAY, _SUNDAY, _MOTOR_WEEK, 0.04, 0.91),
        "commute": Profile(
            *(_COMMUTE, _SHOPPING, _LEISURE, _COMMUTE_WEEK, 0.35, 0.82), outdoors=1.0
        ),
        "leisure": Profile(
            *(_LEISURE, _LEISURE, _LEISURE, _LEISURE_WEEK, 0.62, 1.25), outdoors=1.0
        ),
        "shopping": Profile(
            *(_SHOPPING, _SHOPPING, _LEISURE, _SHOPPING_WEEK, 0.1, 1.05), outdoors=0.45
        ),
    }
)


@dataclass(frozen=True)
class LocalDay:
    """The local clock over the count intervals of a UTC day."""

    #: s since 1970, UTC, at the start of each interval
    seconds: Floats
    #: interval of the local day, 0 to 287
    slot: Ints
    #: days since 1970 of each local date, and the distinct dates
    date: Ints
    dates: tuple[int, ...]
    season: Floats


@lru_cache(maxsize=256)
def local_day(zone: str, day: int) -> LocalDay:
    """Read the local clock over a UTC day (days since 1970)."""
    midnight = datetime.fromtimestamp(day * 86_400, UTC)
    clock = ZoneInfo(zone)
    offsets = np.array(
        [
            (local.replace(tzinfo=UTC) - local).seconds
            for h in range(24)
            for local in [(midnight + timedelta(hours=h)).astimezone(clock)]
        ]
    )
    seconds: Floats = day * 86_400 + np.arange(STEPS, dtype=np.float64) * STEP_S
    local = seconds.astype(np.int64) + np.repeat(offsets, STEPS // 24)
    return LocalDay(
        seconds=seconds,
        slot=local % 86_400 // STEP_S,
        date=local // 86_400,
        dates=tuple(np.unique(local // 86_400).tolist()),
        season=season(seconds),
    )


def expected(
    seed: int, town: str, stream: Stream, *, state: str, clock: LocalDay
) -> Floats:
    """Return a channel's expected counts per interval, before weather and events."""
    rates = np.empty(STEPS)
    for number in clock.dates:
        here = clock.date == number
        rates[here] = (
            stream.daily
            * day_factor(stream.profile, state, number)
            * _deviation(seed, town, number)
            * shape(stream.profile, state, number)[clock.slot[here]]
        )
    return np.asarray(rates * (1 + PROFILES[stream.profile].season * clock.season))


def ripple(seed: int, town: str, site: str, clock: LocalDay) -> Floats:
    """Return the half-hourly variation that a site's channels share; mean about 1."""
    process = smooth(seed, f"{town}/{site}/ripple", clock.seconds, period_s=1800)
    return np.asarray(np.exp(0.05 * process))


def outdoors(profile: str, weather: Weather) -> Floats:
    """Return the factor of the weather: rain and cold reduce riders and walkers."""
    dry = np.exp(-0.55 * np.sqrt(np.clip(weather.rain_mm_h, 0, None)))
    # 1 at 15 °C and above; a tenth less for each 4 °C below
    warm = np.clip(1 - 0.025 * (15.0 - weather.temperature_c), 0.35, 1.05)
    calm = np.clip(1 - 0.03 * (weather.wind_ms - 5.0), 0.6, 1.0)
    return np.asarray((dry * warm * calm) ** PROFILES[profile].outdoors)


def day_factor(profile: str, state: str, number: int) -> float:
    """Return the level of a local day (days since 1970), 1 on a mean day."""
    rhythm = PROFILES[profile]
    day = _date(number)
    kind = day_type(day, state)
    weekday = 6 if kind == "sunday_or_holiday" else day.weekday()
    factor = rhythm.week[weekday] / (sum(rhythm.week) / 7)
    if kind == "workday" and _is_school_holiday(state, number):
        factor *= rhythm.school_holiday
    return factor


def shape(profile: str, state: str, number: int) -> Floats:
    """Return how a local day spreads over its 288 intervals; sums to 1."""
    return _shape(profile, day_type(_date(number), state))


@lru_cache(maxsize=64)
def _shape(profile: str, kind: DayType) -> Floats:
    hours = np.array(getattr(PROFILES[profile], kind))
    centres = np.arange(24) + 0.5
    clock = (np.arange(STEPS) + 0.5) * STEP_S / 3600
    weights = np.interp(clock, centres, hours, period=24)
    return np.asarray(weights / weights.sum())


def _deviation(seed: int, town: str, number: int) -> float:
    """Return a town's factor on a day, some per cent around 1, for all its channels."""
    draw = generator(seed, f"{town}/day", number).standard_normal()
    return float(np.exp(0.035 * draw))


#: TLS 8+1 shares among light and among heavy vehicles of a working day, set by hand
_LIGHT: Final = {
    "unclassified": 0.006,
    "motorcycle": 0.012,
    "car": 0.868,
    "van": 0.1,
    "car_trailer": 0.014,
}
_HEAVY: Final = {
    "truck": 0.44,
    "truck_trailer": 0.13,
    "articulated": 0.27,
    "bus": 0.16,
}
#: hourly weight of heavy vehicles among all: lorries drive before and between the peaks
_HEAVY_HOURS: Final = (
    *(0.7, 0.8, 1.0, 1.4, 1.7, 1.5, 1.1, 0.95, 1.1, 1.4, 1.5, 1.45),
    *(1.35, 1.3, 1.2, 1.0, 0.75, 0.6, 0.5, 0.45, 0.45, 0.5, 0.55, 0.6),
)
#: share of heavy vehicles by type of day, relative to the mean of a week
_HEAVY_DAYS: Final[Mapping[DayType, float]] = MappingProxyType(
    {"workday": 1.1, "saturday": 0.45, "sunday_or_holiday": 0.22}
)


@lru_cache(maxsize=128)
def class_shares(heavy: float, *, state: str, zone: str, day: int) -> Floats:
    """Distribute motor vehicles over TLS 8+1, by interval and class; rows sum to 1.

    On Sundays and public holidays lorries may not drive (StVO § 30), buses may.
    """
    clock = local_day(zone, day)
    hours = np.interp(
        (clock.slot + 0.5) * STEP_S / 3600,
        np.arange(24) + 0.5,
        np.array(_HEAVY_HOURS) / np.mean(_HEAVY_HOURS),
        period=24,
    )
    week = np.ones(STEPS)
    for number in clock.dates:
        kind = day_type(_date(number), state)
        week[clock.date == number] = _HEAVY_DAYS[kind]
    part = np.clip(heavy * hours * week, 0, 0.6)
    rides = np.clip(0.75 + 0.75 * clock.season, 0.1, None)
    weights = {
        name: share * ((1 - part) if name in _LIGHT else part)
        for name, share in (_LIGHT | _HEAVY).items()
    }
    weights["motorcycle"] = weights["motorcycle"] * rides
    table = np.stack([weights[name] for name in MOTOR_CLASSES], axis=1)
    return np.asarray(table / table.sum(axis=1, keepdims=True))


@lru_cache(maxsize=4096)
def _is_school_holiday(state: str, number: int) -> bool:
    """Return whether a day (days since 1970) is in approximate school holidays.

    A rule of thumb near the real weeks, not the official dates.
    """
    day = _date(number)
    easter = next(
        holiday + timedelta(days=2)
        for holiday, name in public_holidays(state, day.year).items()
        if name == "Karfreitag"
    )
    return (
        timedelta(days=-13) <= day - easter <= timedelta(days=5)
        or timedelta(0) <= day - date(day.year, 7, 1) < timedelta(weeks=6)
        or date(day.year, 10, 5) <= day <= date(day.year, 10, 17)
        or (day.month, day.day) >= (12, 22)
        or (day.month, day.day) <= (1, 6)
    )


def _date(number: int) -> date:
    return date.fromordinal(_EPOCH + number)
