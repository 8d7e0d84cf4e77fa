"""Convert units of foreign payloads into those of our quantities."""

from ingest.reasons import Detail, Unusable
from verkehrspuls import units, wording
from verkehrspuls.text import mark as _
from verkehrspuls.units import UNITS

__all__ = ["UNITS", "convert"]


def convert(value: float, unit: str, into: str) -> float:
    """Convert a value; raise `Unusable` for an unknown unit or another dimension."""
    if not units.convertible(unit, into):
        known = units.units_of(into)
        text, values = wording.suggestion(unit, known)
        raise Unusable(
            "unknown-unit",
            _("{} cannot become {}; {}"),
            repr(unit[:80]),
            repr(into),
            Detail.of(text, *values),
        )
    return units.convert(value, unit, into)
