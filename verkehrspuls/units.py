"""Convert units of foreign payloads into those of our quantities.

Names are those of SenML (RFC 8428 and its secondary units, RFC 8798), of UCUM, and what
devices print. A unit of another dimension than the quantity's is not converted, and
neither are shares of gas volume (ppm, ppb): they need temperature and pressure.
"""

from typing import Final, NamedTuple


class Unit(NamedTuple):
    """A unit as `value * scale + offset` in its dimension's base unit."""

    dimension: str
    scale: float = 1.0
    offset: float = 0.0


_C: Final = Unit("temperature in °C")
_F: Final = Unit("temperature in °C", 5 / 9, -160 / 9)
_UGM3: Final = Unit("concentration in µg/m³")
_DB: Final = Unit("level in dB")
_PERCENT: Final = Unit("share in percent")
_MS: Final = Unit("speed in m/s")
_KMH: Final = Unit("speed in m/s", 1 / 3.6)
_MPH: Final = Unit("speed in m/s", 0.44704)
_KNOT: Final = Unit("speed in m/s", 1852 / 3600)
_DEGREE: Final = Unit("angle in degrees")

UNITS: Final = {
    **dict.fromkeys(("°C", "Cel", "C", "degC"), _C),
    **dict.fromkeys(("°F", "[degF]", "F", "degF"), _F),
    "K": Unit("temperature in °C", 1.0, -273.15),
    # the micro sign and the Greek letter look the same
    **dict.fromkeys(("µg/m³", "\u03bcg/m³", "ug/m3", "µg/m3", "\u03bcg/m3"), _UGM3),
    **dict.fromkeys(("mg/m3", "mg/m³"), Unit("concentration in µg/m³", 1e3)),
    **dict.fromkeys(("g/m3", "g/m³"), Unit("concentration in µg/m³", 1e6)),
    "kg/m3": Unit("concentration in µg/m³", 1e9),
    **dict.fromkeys(("dB(A)", "dB", "dBA"), _DB),
    **dict.fromkeys(("%", "%RH", "/100", "percent"), _PERCENT),
    **dict.fromkeys(("/", "1"), Unit("share in percent", 100.0)),
    **dict.fromkeys(("m/s", "mps"), _MS),
    **dict.fromkeys(("km/h", "kmh", "kph"), _KMH),
    **dict.fromkeys(("mph", "[mi_i]/h"), _MPH),
    **dict.fromkeys(("kn", "[kn_i]"), _KNOT),
    **dict.fromkeys(("°", "deg"), _DEGREE),
    "rad": Unit("angle in degrees", 57.29577951308232),
    "m": Unit("length in m"),
    "cm": Unit("length in m", 0.01),
    "mm": Unit("length in m", 0.001),
    "[in_i]": Unit("length in m", 0.0254),
    "[ft_i]": Unit("length in m", 0.3048),
}


def convertible(unit: str, into: str) -> bool:
    """Return whether values of a unit can be converted into another."""
    known, wanted = UNITS.get(unit), UNITS.get(into)
    return unit == into or (
        known is not None and wanted is not None and known.dimension == wanted.dimension
    )


def units_of(into: str) -> list[str]:
    """List the units that can be converted into this one."""
    return [unit for unit in UNITS if convertible(unit, into)] or [into]


def convert(value: float, unit: str, into: str) -> float:
    """Convert a value between units that are `convertible`."""
    if unit == into:
        return value
    known, wanted = UNITS[unit], UNITS[into]
    base = value * known.scale + known.offset
    # 12 digits: further digits are noise of the conversion
    return float(f"{(base - wanted.offset) / wanted.scale:.12g}")
