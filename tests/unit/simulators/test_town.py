"""The shipped towns: valid, complete and where they should be."""

from typing import Any, get_args

import pytest

from api import parameters
from api.routes import sections
from simulators import demand
from simulators.scenario import load_scenarios
from simulators.town import HERE, SimulatedTown, load_towns, read
from verkehrspuls.errors import BadFile
from verkehrspuls.model import Site, Town
from verkehrspuls.quantities import COUNTED
from verkehrspuls.registry.faults import check

TOWNS = load_towns()
#: Rheinland-Pfalz and Saarland
SOUTH, NORTH, WEST, EAST = 48.9, 51.0, 6.0, 8.6

each_town = pytest.mark.parametrize("town", TOWNS, ids=lambda town: town.key)


def test_there_are_the_six_municipalities_with_their_states() -> None:
    assert {town.key: town.town.state for town in TOWNS} == {
        "eifelkreis-bitburg-pruem": "RP",
        "kaiserslautern": "RP",
        "landkreis-kusel": "RP",
        "landkreis-mayen-koblenz": "RP",
        "landkreis-st-wendel": "SL",
        "linz-am-rhein": "RP",
    }


def test_there_are_enough_sites_and_channels() -> None:
    sites = [site for town in TOWNS for site in town.town.sites]
    assert len(sites) >= 24
    assert sum(len(site.channels) for site in sites) >= 60


@each_town
def test_a_town_can_be_registered(town: SimulatedTown) -> None:
    check(town.town)


@each_town
def test_keys_are_unique(town: SimulatedTown) -> None:
    for keys in (
        [site.key for site in town.town.sites],
        [sensor.key for sensor in town.town.sensors],
        *([channel.key for channel in site.channels] for site in town.town.sites),
        *([one.output for one in sensor.installations] for sensor in town.town.sensors),
    ):
        assert len(set(keys)) == len(keys)


@each_town
def test_every_channel_is_measured_by_exactly_one_sensor(town: SimulatedTown) -> None:
    channels = {
        (site.key, channel.key) for site in town.town.sites for channel in site.channels
    }
    measured = [
        (one.site, one.channel)
        for sensor in town.town.sensors
        for one in sensor.installations
    ]
    assert sorted(measured) == sorted(channels)


@each_town
def test_places_lie_in_the_region_and_near_their_town(town: SimulatedTown) -> None:
    places: list[Town | Site] = [town.town, *town.town.sites]
    for place in places:
        assert SOUTH < (place.latitude or 0) < NORTH
        assert WEST < (place.longitude or 0) < EAST
        assert place.latitude == pytest.approx(town.town.latitude, abs=0.3)
        assert place.longitude == pytest.approx(town.town.longitude, abs=0.5)


@each_town
def test_behaviour_covers_exactly_what_is_registered(town: SimulatedTown) -> None:
    counted: set[str] = set()
    others: set[str] = set()
    for site in town.town.sites:
        kinds = {channel.quantity in COUNTED for channel in site.channels}
        assert len(kinds) == 1, "a site counts, or it measures the environment"
        (counted if kinds.pop() else others).add(site.key)
    behaviour = town.behaviour
    assert set(behaviour.streets) == counted
    assert set(behaviour.stations) | set(behaviour.gauges) == others
    for key, street in behaviour.streets.items():
        assert set(street.streams) == set(town.lanes(key, ""))
        assert {stream.profile for stream in street.streams.values()} <= set(
            demand.PROFILES
        )
    for station in behaviour.stations.values():
        assert behaviour.streets[station.traffic].free_speed_kmh > 0


@each_town
def test_intervals_are_those_of_the_devices(town: SimulatedTown) -> None:
    for sensor in town.town.sensors:
        quantities = {town.channel(one).quantity for one in sensor.installations}
        if quantities <= set(COUNTED):
            assert sensor.interval_s == 300
        else:
            assert sensor.interval_s == (
                900 if quantities == {"water_level_cm"} else 600
            )


def test_scenarios_name_what_there_is() -> None:
    towns = {town.key: town for town in TOWNS}
    scenarios = load_scenarios()
    keys = [scenario.key for scenario in scenarios]
    assert len(set(keys)) == len(keys)
    for scenario in scenarios:
        town = towns[scenario.municipality]
        for name in ("site", "detour"):
            if hasattr(scenario, name):
                town.site(getattr(scenario, name))
        for crowd in getattr(scenario, "crowds", ()):
            assert town.lanes(crowd.site, crowd.arrive)
            assert town.lanes(crowd.site, crowd.leave)
        if hasattr(scenario, "sensor"):
            outputs = {one.output for one in town.sensor(scenario.sensor).installations}
            pairs = getattr(scenario, "pairs", ())
            assert {output for pair in pairs for output in pair} <= outputs
            assert set(getattr(scenario, "offsets", {})) <= outputs


def test_examples_of_the_api_are_in_a_simulated_town() -> None:
    town = next(one.town for one in TOWNS if one.key == parameters.EXAMPLE_TOWN)
    assert parameters.EXAMPLE_SITE in {site.key for site in town.sites}
    for annotated, known in (
        (sections.CorridorKey, town.corridors),
        (sections.JunctionKey, town.junctions),
    ):
        path: Any = get_args(annotated)[1]
        assert set(path.examples) <= {one.key for one in known}


def test_a_file_that_is_no_town_is_refused() -> None:
    with pytest.raises(BadFile, match=r"streets\.toml"):
        read(HERE / "scenarios" / "streets.toml", Town)
