"""Sensors turn truth into reports: rounding, class scheme and faults."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar, cast

import numpy as np

from simulators import environment
from simulators.demand import STEP_S
from simulators.noise import Flags, Floats, Ints, generator
from simulators.scenario import Drift, Dropout, Event, Fault, Stuck, Swapped
from simulators.street import Passage, passages
from simulators.town import SimulatedTown, Street
from simulators.world import DAY_S, World
from verkehrspuls.classes import CONTENTS
from verkehrspuls.model import Sensor

A = TypeVar("A", Ints, Floats)
F = TypeVar("F", bound=Fault)

#: speed histograms: 5 km/h bins from 0; the last one is open in a real device
BIN_KMH, BINS = 5, 24

#: vehicle lengths in m, and that of the detection zone, for occupancy
_LENGTHS = (4.5, 2.2, 4.4, 5.5, 9.0, 9.0, 17.0, 16.5, 12.0)
_ZONE_M = 2.0


@dataclass(frozen=True)
class Output:
    """What one output of a counting sensor reports over a UTC day."""

    classes: tuple[str, ...]
    counts: Ints
    #: NaN where nothing passed or no speed is measured
    speed_kmh: Floats
    #: None where the sensor reports none
    histogram: Ints | None = None
    occupancy: Floats | None = None

    def at(self, rows: Ints) -> "Output":
        """Return these intervals by number, in any order and with repetitions."""
        return Output(
            self.classes,
            self.counts[rows],
            self.speed_kmh[rows],
            None if self.histogram is None else self.histogram[rows],
            None if self.occupancy is None else self.occupancy[rows],
        )

    def joined(self, other: "Output") -> "Output":
        """Append the intervals of an output of the same kind."""

        def both(mine: A | None, theirs: A | None) -> A | None:
            if mine is None or theirs is None:
                return None
            return cast("A", np.concatenate([mine, theirs]))

        return Output(
            self.classes,
            np.concatenate([self.counts, other.counts]),
            np.concatenate([self.speed_kmh, other.speed_kmh]),
            both(self.histogram, other.histogram),
            both(self.occupancy, other.occupancy),
        )


@dataclass(frozen=True)
class Report:
    """What a sensor reports over a UTC day; one of `outputs` and `values` is empty."""

    outputs: Mapping[str, Output]
    values: Mapping[str, Floats]
    #: intervals that are sent
    sent: Flags


@lru_cache(maxsize=256)
def report(world: World, municipality: str, sensor: str, day: int) -> Report:
    """Return what a sensor reports over a UTC day, with its faults."""
    device = world.by_key[municipality].sensor(sensor)
    found = _worn(world, municipality, sensor, day)
    seconds = day * DAY_S + np.arange(DAY_S // device.interval_s) * device.interval_s
    for swapped in _events(world, municipality, sensor, day, Swapped):
        found = _swap(found, swapped, _during(swapped, seconds))
    for stuck in _events(world, municipality, sensor, day, Stuck):
        before = stuck.start - device.interval_s
        last = _worn(world, municipality, sensor, before // DAY_S)
        row = before % DAY_S // device.interval_s
        found = _stick(found, last, row, _during(stuck, seconds))
    for gap in _events(world, municipality, sensor, day, Dropout):
        found = replace(found, sent=found.sent & ~_during(gap, seconds))
    return found


@lru_cache(maxsize=256)
def _worn(world: World, municipality: str, sensor: str, day: int) -> Report:
    """Return the measurements of an ageing sensor, without sudden faults."""
    town = world.by_key[municipality]
    device = town.sensor(sensor)
    size = DAY_S // device.interval_s
    found = Report(outputs={}, values={}, sent=np.ones(size, dtype=bool))
    if device.class_scheme is None:
        found = replace(found, values=_values(world, town, device, day))
    else:
        found = replace(found, outputs=_outputs(world, town, device, day))
    seconds = day * DAY_S + np.arange(size) * device.interval_s
    for event in _events(world, municipality, sensor, day, Drift):
        offsets = event.scenario.offsets
        part = (seconds - event.start) / (event.end - event.start)
        part = np.where(_during(event, seconds), part, 0.0)
        found = replace(
            found,
            values={
                name: np.round(value + offsets.get(name, 0.0) * part, 1)
                for name, value in found.values.items()
            },
        )
    return found


def _events(
    world: World, municipality: str, sensor: str, day: int, kind: type[F]
) -> list[Event[F]]:
    return [
        event
        for event in world.events(municipality, day * DAY_S, (day + 1) * DAY_S, kind)
        if event.scenario.sensor == sensor
    ]


def _during(event: Event[F], seconds: Ints) -> Flags:
    return np.asarray((seconds >= event.start) & (seconds < event.end))


def _values(
    world: World, town: SimulatedTown, device: Sensor, day: int
) -> Mapping[str, Floats]:
    return {
        one.output: environment.values(
            world, town.key, one.site, day, device.interval_s
        )[town.channel(one).quantity]
        for one in device.installations
    }


def _outputs(
    world: World, town: SimulatedTown, device: Sensor, day: int
) -> Mapping[str, Output]:
    keep = _kept(world, town, device, day)
    found = {}
    for one in device.installations:
        chance = generator(world.seed, f"{town.key}/{device.key}/{one.output}", day)
        passage = passages(world, town.key, one.site, day)[one.channel]
        if keep is not None:
            thinned = chance.binomial(passage.counts, keep[:, None])
            passage = replace(passage, counts=thinned)
        found[one.output] = _measure(
            passage,
            town.behaviour.streets[one.site],
            CONTENTS[device.class_scheme or ""],
            chance,
        )
    return found


def _kept(world: World, town: SimulatedTown, device: Sensor, day: int) -> Floats | None:
    """Return the share of vehicles that a drifting sensor still counts."""
    seconds = day * DAY_S + np.arange(DAY_S // STEP_S) * STEP_S
    keep = np.ones(len(seconds))
    for event in _events(world, town.key, device.key, day, Drift):
        part = (seconds - event.start) / (event.end - event.start)
        keep -= np.where(_during(event, seconds), event.scenario.loss * part, 0.0)
    return keep if (keep < 1).any() else None


def _measure(
    passage: Passage,
    street: Street,
    scheme: Mapping[str, tuple[str, ...]],
    chance: np.random.Generator,
) -> Output:
    number = passage.counts.sum(axis=1)
    speed = np.full(len(number), np.nan)
    histogram = occupancy = None
    if street.histogram:
        histogram = _histogram(passage.speed_kmh, street.spread_kmh, number, chance)
        centres = (np.arange(BINS) + 0.5) * BIN_KMH
        speed = (histogram * centres).sum(axis=1) / np.maximum(number, 1)
    elif street.free_speed_kmh:
        error = chance.standard_normal(len(number)) * street.spread_kmh
        speed = passage.speed_kmh + error / np.sqrt(np.maximum(number, 1))
    if street.occupancy:
        metres = passage.counts @ (np.array(_LENGTHS) + _ZONE_M)
        share = metres / (np.maximum(passage.speed_kmh, 3) / 3.6 * STEP_S)
        occupancy = np.round(np.minimum(share, 1.0), 4)
    speed = np.where(number > 0, np.round(np.maximum(speed, 1.0), 1), np.nan)
    classes = tuple(scheme)
    counts = _classify(passage, scheme)
    return Output(classes, counts, speed, histogram, occupancy)


def _classify(passage: Passage, scheme: Mapping[str, tuple[str, ...]]) -> Ints:
    """Reduce classes to those of the class scheme."""
    column = dict(zip(passage.classes, passage.counts.T, strict=True))
    return np.stack(
        [np.sum([column[name] for name in held], axis=0) for held in scheme.values()],
        axis=1,
    )


def _histogram(
    mean: Floats, spread: float, number: Ints, chance: np.random.Generator
) -> Ints:
    """Spread vehicles over speed bins; single speeds follow a logistic distribution."""
    edges = np.arange(BINS + 1) * float(BIN_KMH)
    edges[0], edges[-1] = -np.inf, np.inf
    scale = spread * np.sqrt(3) / np.pi
    below = 1 / (1 + np.exp(-(edges[None, :] - mean[:, None]) / scale))
    shares = np.diff(below, axis=1)
    return chance.multinomial(number, shares / shares.sum(axis=1, keepdims=True))


def _swap(found: Report, event: Event[Swapped], during: Flags) -> Report:
    size = len(during)
    outputs = dict(found.outputs)
    for one, other in event.scenario.pairs:
        for mine, theirs in ((one, other), (other, one)):
            outputs[mine] = _mixed(
                found.outputs[mine], found.outputs[theirs], np.arange(size), during
            )
    return replace(found, outputs=outputs)


def _stick(found: Report, last: Report, row: int, during: Flags) -> Report:
    rows = np.full(len(during), row)
    return replace(
        found,
        outputs={
            key: _mixed(output, last.outputs[key], rows, during)
            for key, output in found.outputs.items()
        },
        values={
            key: np.where(during, last.values[key][row], value)
            for key, value in found.values.items()
        },
    )


def _mixed(mine: Output, theirs: Output, rows: Ints, during: Flags) -> Output:
    """Replace the given rows by those of another output during a fault."""
    size = len(during)
    return mine.joined(theirs).at(np.where(during, size + rows, np.arange(size)))
