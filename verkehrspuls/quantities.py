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


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity with unit, name for display, and physically possible range."""

    key: str
    name: str
    unit: str
    minimum: float
    maximum: float
    mean: Mean = "arithmetic"


#: Counted modes with the unit of their flow.
COUNTED: Final = {
    q.key: q
    for q in (
        Quantity("motor", _("Motor vehicles"), "Kfz/h", 0, 10_000),
        Quantity("bicycle", _("Bicycles"), "Rad/h", 0, 20_000),
        Quantity("pedestrian", _("Pedestrians"), "Fuß/h", 0, 50_000),
    )
}

#: Names of what is counted, after a number.
NOUNS: Final = {
    "motor": _("vehicles"),
    "bicycle": _("bicycles"),
    "pedestrian": _("people"),
}

#: Environment quantities by the key that a payload uses.
ENVIRONMENT: Final = {
    q.key: q
    for q in (
        Quantity("no2_ugm3", _("Nitrogen dioxide NO₂"), "µg/m³", -5, 2_000),
        Quantity("o3_ugm3", _("Ozone O₃"), "µg/m³", -5, 1_000),
        Quantity("so2_ugm3", _("Sulphur dioxide SO₂"), "µg/m³", -5, 2_000),
        Quantity("pm10_ugm3", _("Particulate matter PM10"), "µg/m³", -5, 5_000),
        Quantity("pm25_ugm3", _("Particulate matter PM2.5"), "µg/m³", -5, 5_000),
        Quantity("laeq_db", _("Noise level LAeq"), "dB(A)", 10, 140, "energetic"),
        Quantity("temperature_c", _("Temperature"), "°C", -50, 60),
        Quantity("humidity_pct", _("Relative humidity"), "%", 0, 100),
        Quantity("wind_ms", _("Wind speed"), "m/s", 0, 75),
        Quantity("wind_deg", _("Wind direction"), "°", 0, 360, "circular"),
        Quantity("precipitation_mm", _("Precipitation"), "mm", 0, 200, "sum"),
        Quantity("water_level_cm", _("Water level"), "cm", -500, 2_000),
    )
}

QUANTITIES: Final = COUNTED | ENVIRONMENT

assert COUNTED.keys() == VOLUME_CLASSES.keys()  # noqa: S101 - two tables, one set of keys
