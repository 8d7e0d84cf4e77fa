"""True traffic at a counting site: demand, events, queues, chance and speeds.

Free traffic slows down with load after BPR (1964): v = v0 / (1 + 0.15 (q/c)^4). In a
queue the congested branch of the triangular fundamental diagram holds (Daganzo 1994):
density k = k_jam - q/w, speed v = q/k, with w = 15 km/h and k_jam = 140 veh/km. An
incident is a point queue; its tail grows upstream over the sites it reaches.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from simulators import demand
from simulators.demand import STEP_S, STEPS
from simulators.noise import Floats, Ints, generator, smooth
from simulators.scenario import Closure, Event, Gathering, Incident
from simulators.town import SimulatedTown, Street
from simulators.world import DAY_S, World, weather_of
from verkehrspuls.classes import MOTOR_CLASSES

#: congested branch: wave speed in km/h, density at standstill in veh/km and lane
WAVE_KMH: Final = 15.0
JAM_VEH_KM: Final = 140.0
#: share of a queue's vehicles that are still there a kilometre downstream
THROUGH_KM: Final = 0.85
#: maximum duration of a queue
MAX_QUEUE_S: Final = 6 * 3600
#: gamma shape of the rate per interval: platoons, and riders in groups
_STEADINESS = {"motor": 60.0, "bicycle": 14.0, "pedestrian": 10.0}


@dataclass(frozen=True)
class Passage:
    """Traffic of a channel in the intervals of a UTC day."""

    #: classes in the order of the columns of `counts`
    classes: tuple[str, ...]
    counts: Ints
    #: mean speed; NaN where the site measures none
    speed_kmh: Floats


@dataclass(frozen=True)
class Flow:
    """Expected counts per interval of a channel, and its speed."""

    rate: Floats
    speed_kmh: Floats


@dataclass(frozen=True)
class Queue:
    """The course of an incident, in steps of a count interval from `seconds[0]`."""

    seconds: Floats
    #: traffic that passes, relative to undisturbed traffic
    passed: Floats
    #: vehicles waiting at the end of the step, per lane
    waiting: Floats
    #: flow in veh/h per lane
    flow: Floats

    @property
    def speed_kmh(self) -> Floats:
        """Speed within the queue in km/h."""
        return np.asarray(np.maximum(self.flow / self.density, 4.0))

    @property
    def density(self) -> Floats:
        """Vehicles per km and lane within the queue."""
        return np.asarray(JAM_VEH_KM - self.flow / WAVE_KMH)

    @property
    def reach_km(self) -> Floats:
        """Length of the queue upstream in km."""
        return np.asarray(self.waiting / self.density)


@lru_cache(maxsize=256)
def passages(
    world: World, municipality: str, site: str, day: int
) -> Mapping[str, Passage]:
    """Draw the traffic of a site on a UTC day, by channel."""
    town = world.by_key[municipality]
    street = town.behaviour.streets[site]
    drawn = {}
    for channel in town.site(site).channels:
        flow = flows(world, municipality, site, day)[channel.key]
        chance = generator(world.seed, f"{municipality}/{site}/{channel.key}", day)
        steady = _STEADINESS[channel.quantity]
        rate = flow.rate * chance.gamma(steady, 1 / steady, STEPS)
        classes: tuple[str, ...] = (channel.quantity,)
        shares: Floats = np.ones((STEPS, 1))
        if channel.quantity == "motor":
            classes = MOTOR_CLASSES
            shares = demand.class_shares(
                street.streams[channel.key].heavy,
                state=town.town.state,
                zone=town.town.time_zone,
                day=day,
            )
        counts = chance.poisson(rate[:, None] * shares)
        drawn[channel.key] = Passage(classes, counts, flow.speed_kmh)
    return drawn


@lru_cache(maxsize=256)
def flows(world: World, municipality: str, site: str, day: int) -> Mapping[str, Flow]:
    """Return a site's expected traffic on a UTC day by channel, with all events."""
    town = world.by_key[municipality]
    street = town.behaviour.streets[site]
    rates = dict(wanted(world, municipality, site, day))
    queued: dict[str, Floats] = {}
    first = day * DAY_S
    for event in world.events(
        municipality, first - MAX_QUEUE_S, first + DAY_S, Incident
    ):
        place = _place(town, site, event)
        if place is None:
            continue
        passed, speed = _felt(queue(world, event), place, street, day)
        for key in town.lanes(site, event.scenario.direction):
            rates[key] = rates[key] * passed
            queued[key] = np.fmin(queued.get(key, speed), speed)
    free = _free_speed(world, town, site, day)
    found = {}
    for key, rate in rates.items():
        if not street.free_speed_kmh:
            found[key] = Flow(rate, free)
            continue
        most = street.capacity * STEP_S / 3600
        rate = np.minimum(rate, most)
        speed = free / (1 + 0.15 * (rate / most) ** 4)
        found[key] = Flow(rate, np.fmin(speed, queued.get(key, speed)))
    return found


@lru_cache(maxsize=512)
def wanted(
    world: World, municipality: str, site: str, day: int
) -> Mapping[str, Floats]:
    """Return the expected demand at a site, with weather, closures, gatherings."""
    town = world.by_key[municipality]
    rates = {key: rate.copy() for key, rate in _usual(world, town, site, day).items()}
    clock = demand.local_day(town.town.time_zone, day)
    first, last = day * DAY_S, (day + 1) * DAY_S
    for closure in world.events(municipality, first, last, Closure):
        _close(world, town, site, day, closure, rates)
    for gathering in world.events(municipality, first, last, Gathering):
        _gather(town, site, gathering, clock.seconds, rates)
    return rates


@lru_cache(maxsize=64)
def queue(world: World, event: Event[Incident]) -> Queue:
    """Compute the point queue of an incident."""
    scenario = event.scenario
    town = world.by_key[scenario.municipality]
    lanes = town.lanes(scenario.site, scenario.direction)
    begin = event.start // STEP_S * STEP_S
    seconds = np.arange(begin, event.end + MAX_QUEUE_S, STEP_S, dtype=np.float64)
    days = range(begin // DAY_S, int(seconds[-1]) // DAY_S + 1)
    arriving = np.concatenate(
        [
            sum(
                wanted(world, scenario.municipality, scenario.site, day)[key]
                for key in lanes
            )
            for day in days
        ]
    )
    offset = (begin - days[0] * DAY_S) // STEP_S
    arriving = arriving[offset : offset + len(seconds)]
    whole = town.behaviour.streets[scenario.site].capacity * len(lanes) * STEP_S / 3600
    blocked = (seconds >= event.start) & (seconds < event.end)
    capacity = np.where(blocked, scenario.capacity, 0.95) * whole
    passed = np.empty_like(arriving)
    waiting = np.empty_like(arriving)
    left = 0.0
    for step, (come, most) in enumerate(zip(arriving, capacity, strict=True)):
        passed[step] = min(most, left + come)
        left = left + come - passed[step]
        waiting[step] = left
    return Queue(
        seconds=seconds,
        passed=passed / np.maximum(arriving, 1e-9),
        waiting=np.where(waiting > 1e-6, waiting, 0.0) / len(lanes),
        flow=passed * 3600 / STEP_S / len(lanes),
    )


def _usual(
    world: World, town: SimulatedTown, site: str, day: int
) -> Mapping[str, Floats]:
    weather = weather_of(world, town.key, day)
    clock = demand.local_day(town.town.time_zone, day)
    ripple = demand.ripple(world.seed, town.key, site, clock)
    return {
        key: demand.expected(
            world.seed, town.key, stream, state=town.town.state, clock=clock
        )
        * ripple
        * demand.outdoors(stream.profile, weather)
        for key, stream in town.behaviour.streets[site].streams.items()
    }


def _close(
    world: World,
    town: SimulatedTown,
    site: str,
    day: int,
    event: Event[Closure],
    rates: dict[str, Floats],
) -> None:
    closure = event.scenario
    seconds = demand.local_day(town.town.time_zone, day).seconds
    during = (seconds >= event.start) & (seconds < event.end)
    if site == closure.site:
        for rate in rates.values():
            rate[during] = 0.0
    elif site == closure.detour:
        closed = _usual(world, town, closure.site, day)
        for there, here in closure.directions.items():
            moved = sum(closed[key] for key in town.lanes(closure.site, there))
            lanes = town.lanes(site, here)
            for key in lanes:
                rates[key] += np.where(during, closure.share * moved / len(lanes), 0.0)
    elif site in closure.neighbours:
        for rate in rates.values():
            rate[during] *= closure.neighbours[site]


def _gather(
    town: SimulatedTown,
    site: str,
    event: Event[Gathering],
    seconds: Floats,
    rates: dict[str, Floats],
) -> None:
    gathering = event.scenario
    waves = (
        ("arrive", event.start + 3600, 1500.0),
        ("leave", event.end - 2700, 1100.0),
    )
    for crowd in gathering.crowds:
        if crowd.site != site:
            continue
        for way, centre, width in waves:
            lanes = town.lanes(site, getattr(crowd, way))
            middle = seconds + STEP_S / 2
            wave = np.exp(-0.5 * ((middle - centre) / width) ** 2)
            wave *= STEP_S / (width * np.sqrt(2 * np.pi))
            wave[(seconds < event.start) | (seconds >= event.end)] = 0.0
            for key in lanes:
                rates[key] += crowd.count * wave / len(lanes)


def _place(town: SimulatedTown, site: str, event: Event[Incident]) -> float | None:
    """Return a site's distance downstream of an incident in km, else None."""
    incident = event.scenario
    if site == incident.site:
        return 0.0
    here = town.behaviour.streets[site]
    there = town.behaviour.streets[incident.site]
    if not here.corridor or here.corridor != there.corridor:
        return None
    forward = town.behaviour.corridors[here.corridor] == incident.direction
    return (here.km - there.km) * (1 if forward else -1)


def _felt(
    course: Queue, place: float, street: Street, day: int
) -> tuple[Floats, Floats]:
    """Return a queue's effect on a site over a day: passing share and speed.

    `place` is the distance downstream in km; the speed is NaN outside of the queue.
    """
    seconds = day * DAY_S + np.arange(STEPS) * float(STEP_S)
    passed = np.ones(STEPS)
    speed = np.full(STEPS, np.nan)
    if place > 0:
        way_s = place / (0.8 * street.free_speed_kmh) * 3600
        share = np.interp(
            seconds - way_s, course.seconds, course.passed, left=1.0, right=1.0
        )
        return 1 + THROUGH_KM**place * (share - 1), speed
    reached = (course.waiting > 0) & (course.reach_km > -place)
    steps = ((course.seconds - seconds[0]) / STEP_S).astype(np.int64)
    today = (steps >= 0) & (steps < STEPS)
    if place == 0:
        passed[steps[today]] = course.passed[today]
    inside = today & reached
    passed[steps[inside]] = course.passed[inside]
    speed[steps[inside]] = course.speed_kmh[inside]
    return passed, speed


def _free_speed(world: World, town: SimulatedTown, site: str, day: int) -> Floats:
    street = town.behaviour.streets[site]
    if not street.free_speed_kmh:
        return np.full(STEPS, np.nan)
    clock = demand.local_day(town.town.time_zone, day)
    night = np.cos(2 * np.pi * (clock.slot / STEPS - 2.5 / 24)).clip(0)
    rain = weather_of(world, town.key, day).rain_mm_h.clip(0, 2)
    ripple = smooth(
        world.seed, f"{town.key}/{site}/speed", clock.seconds, period_s=5400
    )
    return np.asarray(
        street.free_speed_kmh * (1 + 0.05 * night - 0.03 * rain + 0.015 * ripple)
    )


def light_and_heavy(passage: Passage) -> tuple[Ints, Ints, Ints]:
    """Group counts as RLS-19 does: Pkw, Lkw1, Lkw2."""
    column = dict(zip(passage.classes, passage.counts.T, strict=True))
    car = sum(column[name] for name in ("unclassified", "car", "van", "car_trailer"))
    # motorcycles are as loud as the loudest group
    return (
        np.asarray(car),
        column["truck"] + column["bus"],
        column["truck_trailer"] + column["articulated"] + column["motorcycle"],
    )
