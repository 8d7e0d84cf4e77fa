"""Plausible places: coordinates (WGS 84) of a German town, and other systems.

Of maps and plans come UTM (ETRS89, which is WGS 84 to less than a metre) and, from
earlier years, Gauß-Krüger (DHDN): its shift holds to 3 m in western Germany, and to
some metres elsewhere.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from verkehrspuls.text import mark
from verkehrspuls.wording import Phrase

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


def explain(latitude: float, longitude: float) -> Phrase | None:
    """Explain what is wrong with a place; None if it is plausible."""
    if is_plausible(latitude, longitude):
        return None
    place = (f"{latitude:g}", f"{longitude:g}")
    if is_plausible(longitude, latitude):
        return Phrase(_SWAPPED, (*place, *reversed(place)))
    return Phrase(_ELSEWHERE, place)


_ELSEWHERE: Final = mark("latitude = {}, longitude = {} does not lie in Germany")
_SWAPPED: Final = mark(
    "latitude = {}, longitude = {} does not lie in Germany; latitude and longitude may "
    "be swapped: latitude = {}, longitude = {} does"
)


class Place(NamedTuple):
    """A place that was recognised in another system of coordinates."""

    latitude: float
    longitude: float
    #: the system: a text to translate
    system: str


class _Ellipsoid(NamedTuple):
    axis_m: float
    flattening: float


_GRS80: Final = _Ellipsoid(6_378_137.0, 1 / 298.257222101)
_BESSEL: Final = _Ellipsoid(6_377_397.155, 1 / 299.1528128)
#: DHDN to WGS 84 (EPSG 1777): metres, seconds of arc, parts per million
_SHIFT_M: Final = (598.1, 73.7, 418.2)
_TURN: Final = tuple(math.radians(each / 3600) for each in (0.202, 0.045, -2.455))
_SCALE: Final = 1 + 6.7e-6
#: what lies further from the middle of a zone is of another one
_ZONE_DEGREES: Final = 4.0


def recognise(
    latitude: float, longitude: float, *, near: tuple[float, float] | None = None
) -> Place | None:
    """Recognise a place whose coordinates are swapped, or UTM or Gauß-Krüger.

    Either value may be the easting. Of several places it is the one nearest to `near`.
    """
    found = [
        place
        for pair in ((longitude, latitude), (latitude, longitude))
        for place in _in_systems(*pair)
        if is_plausible(place.latitude, place.longitude)
    ]
    if is_plausible(longitude, latitude):
        found.append(Place(longitude, latitude, mark("swapped")))
    if near is not None:
        found.sort(key=lambda place: distance_km(place[:2], near))
    return found[0] if found else None


def _in_systems(easting: float, northing: float) -> Iterator[Place]:
    """Yield the places of an easting and a northing (m) in systems that fit them."""
    if not 5e6 < northing < 6.5e6:
        return
    for zone in (32, 33):
        metres = easting - zone * 1e6 if easting > 3e7 else easting
        if 1e5 < metres < 9e5:
            middle = zone * 6 - 183.0
            place = from_grid(metres - 5e5, northing, middle, 0.9996, _GRS80)
            if abs(place[1] - middle) < _ZONE_DEGREES:
                yield Place(*_rounded(place), mark("UTM (ETRS89)"))
    zone = int(easting // 1e6)
    if zone in (2, 3, 4, 5):
        middle = zone * 3.0
        place = from_grid(easting - zone * 1e6 - 5e5, northing, middle, 1.0, _BESSEL)
        if abs(place[1] - middle) < _ZONE_DEGREES:
            yield Place(*_rounded(_from_dhdn(*place)), mark("Gauß-Krüger (to 3 m)"))


def _rounded(place: tuple[float, float]) -> tuple[float, float]:
    """Round to a tenth of a metre."""
    return round(place[0], 6), round(place[1], 6)


def from_grid(
    east: float,
    north: float,
    middle: float,
    scale: float = 1.0,
    ellipsoid: _Ellipsoid = _GRS80,
) -> tuple[float, float]:
    """Return latitude and longitude of a place on a transverse Mercator grid.

    `east` (m) counts from the `middle` meridian (degrees). Krüger's series to the third
    power of n, as in IOGP's guidance note 7-2: exact to a millimetre within a zone.
    """
    axis_m, flattening = ellipsoid
    n = flattening / (2 - flattening)
    radius = axis_m / (1 + n) * (1 + n**2 / 4 + n**4 / 64) * scale
    xi, eta = north / radius, east / radius
    back = (
        n / 2 - 2 * n**2 / 3 + 37 * n**3 / 96,
        n**2 / 48 + n**3 / 15,
        17 * n**3 / 480,
    )
    pairs = [(2 * j, b) for j, b in enumerate(back, 1)]
    x = xi - sum(b * math.sin(j * xi) * math.cosh(j * eta) for j, b in pairs)
    y = eta - sum(b * math.cos(j * xi) * math.sinh(j * eta) for j, b in pairs)
    conformal = math.asin(math.sin(x) / math.cosh(y))
    forth = (
        2 * n - 2 * n**2 / 3 - 2 * n**3,
        7 * n**2 / 3 - 8 * n**3 / 5,
        56 * n**3 / 15,
    )
    latitude = conformal + sum(
        d * math.sin(2 * j * conformal) for j, d in enumerate(forth, 1)
    )
    longitude = math.atan(math.sinh(y) / math.cos(x))
    return math.degrees(latitude), middle + math.degrees(longitude)


def _from_dhdn(latitude: float, longitude: float) -> tuple[float, float]:
    """Shift a place from DHDN to WGS 84, by seven parameters."""
    x, y, z = _to_space(latitude, longitude, _BESSEL)
    a, b, c = _TURN
    turned = (x - c * y + b * z, c * x + y - a * z, -b * x + a * y + z)
    return _from_space(
        *(m + _SCALE * part for m, part in zip(_SHIFT_M, turned, strict=True))
    )


def _to_space(
    latitude: float, longitude: float, ellipsoid: _Ellipsoid
) -> tuple[float, float, float]:
    north, east = math.radians(latitude), math.radians(longitude)
    squared = ellipsoid.flattening * (2 - ellipsoid.flattening)
    radius = ellipsoid.axis_m / math.sqrt(1 - squared * math.sin(north) ** 2)
    return (
        radius * math.cos(north) * math.cos(east),
        radius * math.cos(north) * math.sin(east),
        radius * (1 - squared) * math.sin(north),
    )


def _from_space(x: float, y: float, z: float) -> tuple[float, float]:
    squared = _GRS80.flattening * (2 - _GRS80.flattening)
    across = math.hypot(x, y)
    north = math.atan2(z, across * (1 - squared))
    for _ in range(4):  # each time a hundred times as exact
        radius = _GRS80.axis_m / math.sqrt(1 - squared * math.sin(north) ** 2)
        north = math.atan2(z + squared * radius * math.sin(north), across)
    return math.degrees(north), math.degrees(math.atan2(y, x))
