"""Injected events and their ground truth.

An event recurs on the calendar: at a weekday and local time, in one of every
`every_weeks` weeks, counted from 5 January 1970. So it depends neither on the start of
the simulator nor on the length of history. With a period of four weeks it happens twice
in the eight weeks that are shown, once with four weeks of ordinary days before it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Annotated, Any, Final, Generic, TypeVar
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct

from simulators.town import HERE, SimulatedTown, read

_MONDAY: Final = datetime(1970, 1, 5)  # noqa: DTZ001 - a local day, in any zone


class Recurrence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When an event happens, on the local clock of its town."""

    #: 1 Monday to 7 Sunday
    weekday: Annotated[int, Meta(ge=1, le=7)]
    time: Annotated[str, Meta(pattern="^[0-2][0-9]:[0-5][05]$")]
    hours: Annotated[float, Meta(gt=0, le=24 * 28)]
    every_weeks: Annotated[int, Meta(ge=1)] = 4
    #: index of the week in the cycle, 0 to every_weeks - 1
    week: Annotated[int, Meta(ge=0)] = 0


class Scenario(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"
):
    """What happens to a street or to a sensor, and when."""

    key: str
    #: in German, as a person in the town would describe it
    text: str
    municipality: str
    when: Recurrence


class Incident(Scenario, frozen=True, kw_only=True, tag="incident"):
    """A blocked lane: less capacity, a queue upstream, less traffic downstream."""

    site: str
    direction: str
    #: remaining share of the capacity
    capacity: Annotated[float, Meta(ge=0, lt=1)]


class Closure(Scenario, frozen=True, kw_only=True, tag="closure"):
    """A closed street; a share of its traffic takes the named detour."""

    site: str
    detour: str
    #: share of the traffic that takes the detour
    share: Annotated[float, Meta(ge=0, le=1)]
    #: direction at the closed site to direction at the detour
    directions: dict[str, str]
    #: share of the traffic that still passes, by neighbouring site
    neighbours: dict[str, float] = {}


class Crowd(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Visitors who pass a site on their way to an event and back."""

    site: str
    arrive: str
    leave: str
    count: float


class Gathering(Scenario, frozen=True, kw_only=True, tag="event"):
    """A match or a market: visitors arrive before it and leave after it.

    They arrive around an hour after `when` begins and leave around three quarters of
    an hour before it ends.
    """

    crowds: tuple[Crowd, ...]


class Fault(Scenario, frozen=True, kw_only=True):
    """What is wrong with a sensor."""

    sensor: str


class Stuck(Fault, frozen=True, kw_only=True, tag="stuck"):
    """The sensor repeats the last interval before the fault."""


class Dropout(Fault, frozen=True, kw_only=True, tag="dropout"):
    """The sensor sends nothing, and nothing is delivered later."""


class Drift(Fault, frozen=True, kw_only=True, tag="drift"):
    """The sensor loses counts, or its values run away, until it is serviced."""

    #: share of the counts that is lost at the end
    loss: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    #: deviation of an environment quantity at the end
    offsets: dict[str, float] = {}


class Swapped(Fault, frozen=True, kw_only=True, tag="swapped"):
    """Outputs are exchanged in pairs, as after a camera was mounted the other way."""

    pairs: tuple[tuple[str, str], ...]


AnyScenario = Incident | Closure | Gathering | Stuck | Dropout | Drift | Swapped


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    events: tuple[AnyScenario, ...]


S = TypeVar("S", bound=Scenario)


@dataclass(frozen=True)
class Event(Generic[S]):
    """One occurrence of a scenario, over `[start, end)` in s since 1970."""

    scenario: S
    start: int
    end: int


@cache
def load_scenarios() -> tuple[AnyScenario, ...]:
    """Read all scenarios, ordered by file and place in it."""
    return tuple(
        scenario
        for path in sorted((HERE / "scenarios").glob("*.toml"))
        for scenario in read(path, _File).events
    )


def occurrences(
    scenario: S, zone: str, first: float, last: float
) -> Iterator[Event[S]]:
    """Find when a scenario happens within `[first, last)`, in s since 1970."""
    when = scenario.when
    length = int(when.hours * 3600)
    week = (
        int((first - length - _MONDAY.replace(tzinfo=UTC).timestamp()) // 604_800) - 1
    )
    while True:
        if week % when.every_weeks == when.week:
            start = _start(zone, week, when.weekday, when.time)
            if start >= last:
                return
            if start + length > first:
                yield Event(scenario, start, start + length)
        week += 1


@lru_cache(maxsize=4096)
def _start(zone: str, week: int, weekday: int, time: str) -> int:
    hour, minute = time.split(":")
    local = _MONDAY + timedelta(
        weeks=week, days=weekday - 1, hours=int(hour), minutes=int(minute)
    )
    return int(local.replace(tzinfo=ZoneInfo(zone)).timestamp())


def truth(event: Event[S], town: SimulatedTown) -> dict[str, Any]:
    """Describe an occurrence: what, where, which channels, from when to when."""
    scenario = event.scenario
    channels, also = _touched(scenario, town)
    return {
        "key": scenario.key,
        "kind": scenario.__struct_config__.tag,
        "text": scenario.text,
        "municipality": scenario.municipality,
        "site": getattr(scenario, "site", None),
        "sensor": getattr(scenario, "sensor", None),
        "start": datetime.fromtimestamp(event.start, UTC),
        "end": datetime.fromtimestamp(event.end, UTC),
        "channels": channels,
        "also": also,
    }


def _touched(scenario: Scenario, town: SimulatedTown) -> tuple[list[str], list[str]]:
    """Return the channels (`site/channel`) of an event, and others affected."""

    def lanes(site: str, direction: str) -> list[str]:
        return [f"{site}/{key}" for key in town.lanes(site, direction)]

    match scenario:
        case Incident(site=site, direction=direction):
            street = town.behaviour.streets[site]
            also = [
                lane
                for key, other in town.behaviour.streets.items()
                if street.corridor and other.corridor == street.corridor and key != site
                for lane in lanes(key, direction)
            ]
            return lanes(site, direction), also
        case Closure(site=site, detour=detour, neighbours=neighbours):
            touched = [detour, *neighbours]
            return lanes(site, ""), [lane for key in touched for lane in lanes(key, "")]
        case Gathering(crowds=crowds):
            found = [
                lane
                for crowd in crowds
                for direction in dict.fromkeys((crowd.arrive, crowd.leave))
                for lane in lanes(crowd.site, direction)
            ]
            return found, []
        case Fault(sensor=sensor):
            drifting = scenario.offsets if isinstance(scenario, Drift) else {}
            return [
                f"{one.site}/{one.channel}"
                for one in town.sensor(sensor).installations
                if not drifting or one.output in drifting
            ], []
        case _:
            raise AssertionError(scenario)
