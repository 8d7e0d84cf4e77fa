"""Places in other systems of coordinates."""

import pytest

from verkehrspuls.places import distance_km, from_grid, recognise

#: easting, northing, latitude, longitude; computed with PROJ 9 from EPSG 25832 and
#: 25833, and from EPSG 31466 to 31469 by the operation EPSG 1777
KNOWN = (
    (410_000, 5_477_000, 49.439000143, 7.758563640),
    (33_389_000, 5_819_000, 52.509806057, 13.364413980),
    (2_543_210, 5_612_345, 50.645111426, 6.610302135),
    (3_410_050, 5_478_800, 49.439442892, 7.758705231),
    (4_468_500, 5_333_000, 48.134249331, 11.575344755),
    (5_410_000, 5_657_000, 51.041111982, 13.714805112),
)


@pytest.mark.parametrize(("east", "north", "latitude", "longitude"), KNOWN)
@pytest.mark.parametrize("is_swapped", [False, True])
def test_eastings_and_northings_are_recognised_to_a_metre(
    east: float, north: float, latitude: float, longitude: float, is_swapped: bool
) -> None:
    typed = (east, north) if is_swapped else (north, east)
    found = recognise(*typed)
    assert found is not None
    assert distance_km(found[:2], (latitude, longitude)) < 0.001


def test_the_example_of_the_guidance_note() -> None:
    # IOGP guidance note 7-2, transverse Mercator: the British grid
    scale, origin = 0.9996012717, 5_429_228.60
    north = 69_740.50 + 100_000 + origin * scale
    airy = type("Airy", (tuple,), {})((6_377_563.396, 1 / 299.32496))
    found = from_grid(577_274.99 - 400_000, north, -2, scale, airy)
    assert found == pytest.approx((50.5, 0.5), abs=1e-7)


def test_a_zone_that_is_not_written_is_that_of_the_town() -> None:
    east, berlin = (389_000, 5_819_000), (52.5, 13.4)
    found = recognise(*reversed(east), near=berlin)
    assert found is not None
    assert distance_km(found[:2], berlin) < 5


def test_swapped_degrees_are_turned_and_others_are_nothing() -> None:
    found = recognise(7.77, 49.44)
    assert found == (49.44, 7.77, "swapped")
    assert recognise(2.35, 48.86) is None
    assert recognise(0.0, 0.0) is None
    assert recognise(float("nan"), 5e6) is None
