"""The simulated world: towns, what happens in them, and one seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from simulators.demand import STEP_S, local_day
from simulators.scenario import (
    Event,
    S,
    Scenario,
    load_scenarios,
    occurrences,
    truth,
)
from simulators.town import SimulatedTown, load_towns
from simulators.weather import Weather, weather

DAY_S = 86_400


@dataclass(frozen=True, eq=False)
class World:
    """All inputs of the simulated values; compared by identity, so it keys caches."""

    seed: int
    towns: tuple[SimulatedTown, ...]
    scenarios: tuple[Scenario, ...]

    @cached_property
    def by_key(self) -> dict[str, SimulatedTown]:
        """Towns by the municipality's key."""
        return {town.key: town for town in self.towns}

    def events(
        self, municipality: str, first: float, last: float, kind: type[S]
    ) -> Iterator[Event[S]]:
        """Find what happens in a town within `[first, last)`, in s since 1970."""
        zone = self.by_key[municipality].town.time_zone
        for scenario in self.scenarios:
            if scenario.municipality == municipality and isinstance(scenario, kind):
                yield from occurrences(scenario, zone, first, last)

    def truth(self, first: float, last: float) -> list[dict[str, Any]]:
        """List all events within `[first, last)`, in order of their start."""
        found = [
            truth(event, town)
            for town in self.towns
            for event in self.events(town.key, first, last, Scenario)
        ]
        return sorted(found, key=lambda one: (one["start"], one["key"]))


def standard(seed: int) -> World:
    """Build the world of the shipped towns and scenarios."""
    return World(seed=seed, towns=load_towns(), scenarios=load_scenarios())


@lru_cache(maxsize=64)
def weather_of(world: World, municipality: str, day: int) -> Weather:
    """Return a town's weather in the middle of each count interval of a UTC day."""
    town = world.by_key[municipality]
    seconds = local_day(town.town.time_zone, day).seconds + STEP_S / 2
    return weather(world.seed, town.key, seconds, altitude_m=town.behaviour.altitude_m)
