"""Where places may lie: coordinates (WGS 84) that can be those of a German town."""

import math
from collections.abc import Sequence
from typing import Final

#: South, north, west and east of Germany, with room for what lies across a border.
SOUTH: Final = 47.0
NORTH: Final = 55.3
WEST: Final = 5.5
EAST: Final = 15.5
#: No two sites of a municipality lie further apart.
FARTHEST_KM: Final = 100.0
_RADIUS_KM: Final = 6371.0
#: Places that differ by less in latitude and longitude are no 80 km apart.
_NEAR: Final = 0.5


def is_believable(latitude: float, longitude: float) -> bool:
    """Tell whether a place lies in or near Germany."""
    return SOUTH <= latitude <= NORTH and WEST <= longitude <= EAST


def middle(known: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the middle latitude and longitude: one that is wrong moves nothing."""
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
    """Tell whether two places lie further apart than those of a municipality may."""
    if abs(one[0] - other[0]) < _NEAR and abs(one[1] - other[1]) < _NEAR:
        return False
    return distance_km(one, other) > FARTHEST_KM


def explain(latitude: float, longitude: float) -> str:
    """Say what is wrong with a place; empty where it is believable."""
    if is_believable(latitude, longitude):
        return ""
    swapped = (
        f"; latitude and longitude may be swapped: latitude = {longitude:g}, "
        f"longitude = {latitude:g} does"
        if is_believable(longitude, latitude)
        else ""
    )
    return (
        f"latitude = {latitude:g}, longitude = {longitude:g} does not lie in "
        f"Germany{swapped}"
    )
