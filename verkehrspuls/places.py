"""Plausible places: coordinates (WGS 84) of a German town."""

import math
from collections.abc import Sequence
from typing import Final

#: South, north, west and east of Germany, with a margin across the borders.
SOUTH: Final = 47.0
NORTH: Final = 55.3
WEST: Final = 5.5
EAST: Final = 15.5
#: Maximum distance between sites of a municipality.
MAX_DISTANCE_KM: Final = 100.0
_RADIUS_KM: Final = 6371.0
#: Places whose latitude and longitude differ by less are not 80 km apart.
_NEAR_DEGREES: Final = 0.5


def is_plausible(latitude: float, longitude: float) -> bool:
    """Return whether a place lies in or near Germany."""
    return SOUTH <= latitude <= NORTH and WEST <= longitude <= EAST


def middle(known: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the median latitude and longitude, which tolerate a wrong place."""
    south, west = (sorted(axis)[len(known) // 2] for axis in zip(*known, strict=True))
    return south, west


def distance_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return the great-circle distance of two places (latitude, longitude)."""
    (south, west), (north, east) = (map(math.radians, place) for place in (one, other))
    chord = (
        math.sin((north - south) / 2) ** 2
        + math.cos(south) * math.cos(north) * math.sin((east - west) / 2) ** 2
    )
    return 2 * _RADIUS_KM * math.asin(math.sqrt(chord))


def are_far(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Return whether two places are too far apart for one municipality."""
    if (
        abs(one[0] - other[0]) < _NEAR_DEGREES
        and abs(one[1] - other[1]) < _NEAR_DEGREES
    ):
        return False
    return distance_km(one, other) > MAX_DISTANCE_KM


def explain(latitude: float, longitude: float) -> str:
    """Explain what is wrong with a place; empty if it is plausible."""
    if is_plausible(latitude, longitude):
        return ""
    swapped = (
        f"; latitude and longitude may be swapped: latitude = {longitude:g}, "
        f"longitude = {latitude:g} does"
        if is_plausible(longitude, latitude)
        else ""
    )
    return (
        f"latitude = {latitude:g}, longitude = {longitude:g} does not lie in "
        f"Germany{swapped}"
    )
