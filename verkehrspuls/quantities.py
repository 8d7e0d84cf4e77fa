"""Quantities that a channel can measure: counted modes and environment quantities."""

from dataclasses import dataclass
from typing import Final, Literal

from verkehrspuls.classes import VOLUME_CLASSES
from verkehrspuls.text import mark as _

#: Tolerated share of a reading that others of its channel cover: clocks are slightly
#: uneven. See docs/reference/completeness.md.
OVERLAP_TOLERANCE: Final = 0.05

#: How values are averaged over an hour. Decibels by energy, wind directions as vectors;
#: rain is summed up.
Mean = Literal["arithmetic", "energetic", "circular", "sum"]

Average = Literal["hour", "day", "max_8h", "year"]
Kind = Literal["limit", "target", "information", "alert", "guideline"]


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit, target or guideline value of a standard, as a mean over `average`."""

    #: key of `analytics.environment.limits.STANDARDS`
    standard: str
    kind: Kind
    average: Average
    value: float
    #: permitted exceedances per calendar year
    allowed: int = 0
    #: number of consecutive hours that must exceed it
    hours: int = 1


@dataclass(frozen=True, slots=True)
class Classes:
    """How an index of air quality judges a quantity."""

    #: key of `analytics.environment.indices.INDICES`
    index: str
    #: upper ends of all classes except the last
    ends: tuple[float, ...]
    #: whether the mean of the last 24 hours is judged, not the hour
    over_a_day: bool = False


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity: unit, name for display, possible range, and how it is judged."""

    key: str
    name: str
    unit: str
    minimum: float
    maximum: float
    mean: Mean = "arithmetic"
    #: what is counted, after a number
    noun: str = ""
    #: decimals of values up to 100
    decimals: int = 1
    #: whether sound values may stay the same for hours, such as without rain
    may_be_constant: bool = False
    #: whether values that stay the same for hours make a case
    is_restless: bool = False
    #: least step that is a spike, and least change of the zero over two weeks that is a
    #: drift, in the unit [I]; None: not looked for
    spike_step: float | None = None
    drift_step: float | None = None
    #: mean of an hour above which there is a case
    exceeded_above: float | None = None
    #: Source: docs/reference/environment.md names it for each value.
    limits: tuple[Limit, ...] = ()
    classes: tuple[Classes, ...] = ()


#: Counted modes with the unit of their flow.
COUNTED: Final = {
    q.key: q
    for q in (
        Quantity("motor", _("Motor vehicles"), "Kfz/h", 0, 10_000, noun=_("vehicles")),
        Quantity("bicycle", _("Bicycles"), "Rad/h", 0, 20_000, noun=_("bicycles")),
        Quantity("pedestrian", _("Pedestrians"), "Fuß/h", 0, 50_000, noun=_("people")),
    )
}

#: Environment quantities by the key that a payload uses.
ENVIRONMENT: Final = {
    q.key: q
    for q in (
        Quantity(
            "no2_ugm3",
            _("Nitrogen dioxide NO₂"),
            "µg/m³",
            -5,
            2_000,
            is_restless=True,
            spike_step=40.0,
            drift_step=8.0,
            exceeded_above=200.0,
            limits=(
                Limit("39-bimschv", "limit", "hour", 200, allowed=18),
                Limit("39-bimschv", "limit", "year", 40),
                Limit("39-bimschv", "alert", "hour", 400, hours=3),
                Limit("eu-2030", "limit", "hour", 200, allowed=3),
                Limit("eu-2030", "limit", "day", 50, allowed=18),
                Limit("eu-2030", "limit", "year", 20),
                Limit("eu-2030", "information", "hour", 150),
                Limit("eu-2030", "alert", "hour", 200, hours=3),
                Limit("who-2021", "guideline", "day", 25, allowed=3),
                Limit("who-2021", "guideline", "year", 10),
            ),
            classes=(
                Classes("uba-2025", (10, 30, 60, 100)),
                Classes("european-2025", (10, 25, 60, 100, 150)),
                Classes("european-2017", (40, 90, 120, 230, 340)),
            ),
        ),
        Quantity(
            "o3_ugm3",
            _("Ozone O₃"),
            "µg/m³",
            -5,
            1_000,
            is_restless=True,
            spike_step=40.0,
            exceeded_above=180.0,
            limits=(
                Limit("39-bimschv", "target", "max_8h", 120, allowed=25),
                Limit("39-bimschv", "information", "hour", 180),
                Limit("39-bimschv", "alert", "hour", 240),
                Limit("eu-2030", "target", "max_8h", 120, allowed=18),
                Limit("eu-2030", "information", "hour", 180),
                Limit("eu-2030", "alert", "hour", 240, hours=3),
                Limit("who-2021", "guideline", "max_8h", 100, allowed=3),
            ),
            classes=(
                Classes("uba-2025", (24, 72, 144, 240)),
                Classes("european-2025", (60, 100, 120, 160, 180)),
                Classes("european-2017", (50, 100, 130, 240, 380)),
            ),
        ),
        Quantity(
            "so2_ugm3",
            _("Sulphur dioxide SO₂"),
            "µg/m³",
            -5,
            2_000,
            limits=(
                Limit("39-bimschv", "limit", "hour", 350, allowed=24),
                Limit("39-bimschv", "limit", "day", 125, allowed=3),
                Limit("39-bimschv", "alert", "hour", 500, hours=3),
                Limit("eu-2030", "limit", "hour", 350, allowed=3),
                Limit("eu-2030", "limit", "day", 50, allowed=18),
                Limit("eu-2030", "limit", "year", 20),
                Limit("eu-2030", "information", "hour", 275),
                Limit("eu-2030", "alert", "hour", 350, hours=3),
                Limit("who-2021", "guideline", "day", 40, allowed=3),
            ),
            classes=(
                Classes("uba-2025", (10, 30, 60, 100)),
                Classes("european-2025", (20, 40, 125, 190, 275)),
                Classes("european-2017", (100, 200, 350, 500, 750)),
            ),
        ),
        Quantity(
            "pm10_ugm3",
            _("Particulate matter PM10"),
            "µg/m³",
            -5,
            5_000,
            is_restless=True,
            spike_step=40.0,
            limits=(
                Limit("39-bimschv", "limit", "day", 50, allowed=35),
                Limit("39-bimschv", "limit", "year", 40),
                Limit("eu-2030", "limit", "day", 45, allowed=18),
                Limit("eu-2030", "limit", "year", 20),
                Limit("eu-2030", "information", "day", 90),
                Limit("eu-2030", "alert", "day", 90),
                Limit("who-2021", "guideline", "day", 45, allowed=3),
                Limit("who-2021", "guideline", "year", 15),
            ),
            classes=(
                Classes("uba-2025", (9, 27, 54, 90)),
                Classes("european-2025", (15, 45, 120, 195, 270)),
                Classes("european-2017", (20, 40, 50, 100, 150), over_a_day=True),
            ),
        ),
        Quantity(
            "pm25_ugm3",
            _("Particulate matter PM2.5"),
            "µg/m³",
            -5,
            5_000,
            is_restless=True,
            spike_step=30.0,
            limits=(
                Limit("39-bimschv", "limit", "year", 25),
                Limit("eu-2030", "limit", "day", 25, allowed=18),
                Limit("eu-2030", "limit", "year", 10),
                Limit("eu-2030", "information", "day", 50),
                Limit("eu-2030", "alert", "day", 50),
                Limit("who-2021", "guideline", "day", 15, allowed=3),
                Limit("who-2021", "guideline", "year", 5),
            ),
            classes=(
                Classes("uba-2025", (5, 15, 30, 50)),
                Classes("european-2025", (5, 15, 50, 90, 140)),
                Classes("european-2017", (10, 20, 25, 50, 75), over_a_day=True),
            ),
        ),
        Quantity(
            "laeq_db",
            _("Noise level LAeq"),
            "dB(A)",
            10,
            140,
            "energetic",
            is_restless=True,
            spike_step=10.0,
            drift_step=4.0,
        ),
        Quantity("temperature_c", _("Temperature"), "°C", -50, 60),
        Quantity("humidity_pct", _("Relative humidity"), "%", 0, 100),
        Quantity("wind_ms", _("Wind speed"), "m/s", 0, 75),
        Quantity("wind_deg", _("Wind direction"), "°", 0, 360, "circular"),
        Quantity(
            "precipitation_mm",
            _("Precipitation"),
            "mm",
            0,
            200,
            "sum",
            may_be_constant=True,
        ),
        Quantity(
            "water_level_cm",
            _("Water level"),
            "cm",
            -500,
            2_000,
            decimals=0,
            may_be_constant=True,
        ),
        Quantity(
            "parking_pct",
            _("Occupied parking"),
            "%",
            0,
            100,
            decimals=0,
            may_be_constant=True,
        ),
    )
}

QUANTITIES: Final = COUNTED | ENVIRONMENT

assert COUNTED.keys() == VOLUME_CLASSES.keys()  # noqa: S101 - two tables, one set of keys
