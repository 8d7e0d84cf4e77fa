"""Faults of a town: what later stages could not use of its registration.

`import town` refuses them, and `doctor` looks for them in earlier registrations.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime
from functools import cache
from itertools import pairwise
from typing import Any, Final, NamedTuple
from zoneinfo import available_timezones

import msgspec
from msgspec import Struct

from verkehrspuls import model, places, wording
from verkehrspuls.calendar import no_state, states
from verkehrspuls.classes import SCHEMES
from verkehrspuls.errors import UsageError
from verkehrspuls.model import Installation, Sensor, Site, Source, Town
from verkehrspuls.quantities import COUNTED, ENVIRONMENT, QUANTITIES
from verkehrspuls.registry.formats import payload_formats
from verkehrspuls.registry.registration import (
    Entry,
    installation_entry,
    own_fields,
    walk,
)
from verkehrspuls.storage.database import Connection, execute
from verkehrspuls.text import mark
from verkehrspuls.units import convertible, units_of
from verkehrspuls.wording import Phrase

#: Years in which a sensor may be installed or removed.
_YEARS: Final = range(1970, 2200)
#: Larger numbers are not exact as floats.
_MAX_EXACT: Final = 2**53
_NO_TEXT: Final = re.compile("[\0\ud800-\udfff]")


class Fault(NamedTuple):
    """Something of an entry that later stages could not use."""

    entry: Entry
    #: the field that it is about; empty: the entry as a whole
    field: str
    phrase: Phrase

    def in_language(self, language: str) -> str:
        """Return the text in a language, with the name of the entry."""
        return (
            f"{self.entry.in_language(language)}: {self.phrase.in_language(language)}"
        )


def check(town: Town) -> None:
    """Refuse a town with faults, by its first fault."""
    refuse(list(faults(town)))


def refuse(found: Sequence[Fault]) -> None:
    """Raise `Faulty` if there are faults."""
    if found:
        raise Faulty(found)


class Faulty(UsageError):
    """{reason}."""

    code = "faulty-registration"
    http_status = 422

    def __init__(self, faults: Sequence[Fault]) -> None:
        more = f" ({len(faults) - 1} more faults)" if len(faults) > 1 else ""
        super().__init__(reason=f"{faults[0].in_language('en')}{more}")
        #: all of them
        self.faults = tuple(faults)


def faults(town: Town) -> Iterator[Fault]:
    """List the faults of a town: parts that are inconsistent or cannot be used."""
    walked = list(walk(town))
    yield from _of_values(walked)
    yield from _twice(walked)
    yield from _of_town(town)
    yield from _of_places(town)
    for site in town.sites:
        yield from _of_channels(site)
    yield from _of_roads(town)
    quantities = {
        (site.key, channel.key): channel.quantity
        for site in town.sites
        for channel in site.channels
    }
    for sensor in town.sensors:
        yield from _of_sensor(sensor, quantities)
    yield from _of_periods(town.sensors)


_TWICE_THERE: Final = mark("it is there {} times; each key is there once")


def _twice(walked: Iterable[tuple[Entry, Struct]]) -> Iterator[Fault]:
    # two installations with the same start overlap, which is said better
    found = Counter(entry for entry, _ in walked if entry.kind != "installation")
    for entry, number in found.items():
        if number > 1:
            yield Fault(entry, "key", Phrase(_TWICE_THERE, (str(number),)))


def _of_values(walked: Iterable[tuple[Entry, Struct]]) -> Iterator[Fault]:
    """Find values that are not numbers, and text that no database stores."""
    for entry, record in walked:
        for name, value in own_fields(entry.kind, record).items():
            for where, phrase in _of_value(value, name):
                yield Fault(entry, name, Phrase("{} {}", (where, phrase)))


def _of_value(value: Any, where: str) -> Iterator[tuple[str, Phrase]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            for _, phrase in _of_value(name, where):
                yield f"{where}, a name", phrase
            yield from _of_value(inner, f"{where}.{name}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _of_value(inner, f"{where}[{index}]")
    elif isinstance(value, float) and not math.isfinite(value):
        yield where, Phrase(mark("is {}; a finite number is wanted"), (str(value),))
    elif isinstance(value, int) and abs(value) > _MAX_EXACT:
        yield where, Phrase(mark("has too many digits"))
    elif isinstance(value, str) and _NO_TEXT.search(value):
        yield (
            where,
            Phrase(mark("has a character that no text has, such as NUL; take it out")),
        )


def _of_town(town: Town) -> Iterator[Fault]:
    """Find a state without calendar, and an unknown time zone."""
    entry = Entry("municipality", town.key)
    if town.state not in states():
        yield Fault(entry, "state", Phrase("{}", (no_state(town.state),)))
    if not is_zone(town.time_zone):
        yield Fault(entry, "time_zone", _no_zone(town.time_zone))


def wrong_year(time: datetime) -> Phrase | None:
    """Explain that no sensor is installed or removed in a year; None if it may be."""
    if time.year in _YEARS:
        return None
    values = (time.isoformat(), str(_YEARS[0]), str(_YEARS[-1]))
    return Phrase(mark("{} is not in the years {} to {}"), values)


@cache
def is_zone(name: str) -> bool:
    """Return whether Python and Polars both know a time zone."""
    import polars as pl

    if name not in available_timezones():
        return False
    try:
        pl.Series([], dtype=pl.Datetime("us", "UTC")).dt.convert_time_zone(name)
    except pl.exceptions.PolarsError:
        return False
    return True


def _no_zone(name: str) -> Phrase:
    near = wording.nearest(name, available_timezones())
    # some zones are known to Python alone
    if near != name and is_zone(near):
        return Phrase(
            mark("there is no time zone {} (did you mean {}?)"), (name or "''", near)
        )
    return Phrase(
        mark("there is no time zone {}; write one such as Europe/Berlin"),
        (name or "''",),
    )


def _of_places(town: Town) -> Iterator[Fault]:
    """Find incomplete or impossible places, and those far from the others."""
    known: list[tuple[Entry, tuple[float, float]]] = []
    given = [(Entry("municipality", town.key), town.latitude, town.longitude)]
    given += [(Entry("site", s.key), s.latitude, s.longitude) for s in town.sites]
    for entry, latitude, longitude in given:
        if latitude is None and longitude is None:
            continue
        if latitude is None or longitude is None:
            missing = "latitude" if latitude is None else "longitude"
            yield Fault(
                entry,
                missing,
                Phrase(mark("give both latitude and longitude, or neither")),
            )
        elif wrong := places.explain(latitude, longitude):
            yield Fault(entry, "latitude", wrong)
        else:
            known.append((entry, (latitude, longitude)))
    if not known:
        return
    middle = places.middle([place for _, place in known])
    for entry, place in known:
        if not places.are_far(place, middle):
            continue
        values = (
            f"{places.distance_km(place, middle):.0f}",
            *(f"{each:g}" for each in place),
            f"{places.MAX_DISTANCE_KM:.0f}",
        )
        yield Fault(entry, "latitude", Phrase(_FAR, values))


_FAR: Final = mark(
    "it lies {} km from the others of the municipality, at latitude = {}, longitude = "
    "{}; {} km are possible"
)


def _of_channels(site: Site) -> Iterator[Fault]:
    for channel in site.channels:
        if channel.quantity not in QUANTITIES:
            yield Fault(
                Entry("channel", f"{site.key}/{channel.key}"),
                "quantity",
                Phrase(
                    mark("it measures {}, which is not known; {}"),
                    (channel.quantity, _known(channel.quantity, QUANTITIES)),
                ),
            )


def _known(word: str, known: Iterable[str]) -> Phrase:
    """List what is known, and the nearest of it."""
    return Phrase(*wording.suggestion(word, known))


def _of_sensor(
    sensor: Sensor, quantities: Mapping[tuple[str, str], str]
) -> Iterator[Fault]:
    if sensor.class_scheme is not None and sensor.class_scheme not in SCHEMES:
        yield Fault(
            Entry("sensor", sensor.key),
            "class_scheme",
            Phrase(
                mark("there is no class scheme {}; {}"),
                (sensor.class_scheme, _known(sensor.class_scheme, SCHEMES)),
            ),
        )
        return
    yield from _of_format(sensor)
    for installation in sensor.installations:
        entry = installation_entry(sensor, installation)
        where = f"{installation.site}/{installation.channel}"
        quantity = quantities.get((installation.site, installation.channel))
        if quantity is None:
            known = _known(where, ["/".join(place) for place in quantities])
            text = mark("there is no channel {}; {}")
            yield Fault(entry, "channel", Phrase(text, (where, known)))
        elif (quantity in COUNTED) != (sensor.class_scheme is not None):
            text = mark(
                "a sensor has a class scheme if, and only if, it counts; {} is {}"
            )
            values = (installation.channel, quantity)
            yield Fault(entry, "channel", Phrase(text, values))
        elif installation.mapping is not None:
            yield from _of_units(entry, installation.mapping, quantity)
        yield from _of_calibrations(entry, sensor, installation)


def _of_calibrations(
    entry: Entry, sensor: Sensor, installation: Installation
) -> Iterator[Fault]:
    """Find factors of what is not counted, and those without a place in time."""
    times = [each.since for each in installation.calibrations]
    if times and sensor.class_scheme is None:
        yield Fault(entry, "calibrations", Phrase(_NOTHING_COUNTED))
    if times != sorted(set(times)):
        yield Fault(entry, "calibrations", Phrase(_NOT_IN_ORDER))
    for wrong in filter(None, map(wrong_year, times)):
        yield Fault(entry, "calibrations", wrong)


_NOTHING_COUNTED: Final = mark("only counts are calibrated, and it does not count")
_NOT_IN_ORDER: Final = mark("calibrations are in order of time, one at a time")


def _of_periods(sensors: Iterable[Sensor]) -> Iterator[Fault]:
    """Find periods that end before they begin, or overlap for an output or channel."""
    taken: dict[tuple[str, ...], list[tuple[Entry, Installation]]] = {}
    for sensor in sensors:
        for each in sensor.installations:
            entry = installation_entry(sensor, each)
            for name, time in (("since", each.since), ("until", each.until)):
                if time is not None and (wrong := wrong_year(time)):
                    yield Fault(entry, name, wrong)
            if each.until is not None and each.until <= each.since:
                text = Phrase(mark("it ends (until) before it begins (since)"))
                yield Fault(entry, "until", text)
            of_output = ("output", sensor.key, each.output)
            of_channel = ("channel", each.site, each.channel)
            for key in (of_output, of_channel):
                taken.setdefault(key, []).append((entry, each))
    for (kind, *keys), found in taken.items():
        found.sort(key=lambda pair: pair[1].since)
        for (entry, first), (later_entry, later) in pairwise(found):
            if first.until is None or later.since < first.until:
                values = (
                    f"{kind} {'/'.join(keys)}",
                    entry.in_language("en"),
                    later.since.isoformat(),
                )
                yield Fault(later_entry, "since", Phrase(_OVERLAP, values))


_OVERLAP: Final = mark(
    "{} has another installation at the same time ({}), from {}; let the earlier end "
    "(until)"
)


def _of_roads(town: Town) -> Iterator[Fault]:
    """Find corridors and junctions with unknown sites, or that lead backwards."""
    counted = {
        (site.key, channel.direction)
        for site in town.sites
        for channel in site.channels
        if channel.quantity in COUNTED
    }
    for corridor in town.corridors:
        entry = Entry("corridor", corridor.key)
        chainages = [station.chainage_m for station in corridor.stations]
        if chainages != sorted(set(chainages)):
            text = mark(
                "chainage rises from station to station, in the direction of travel; "
                "the way back is another corridor"
            )
            yield Fault(entry, "stations", Phrase(text))
        named = [(each.site, each.direction) for each in corridor.stations]
        yield from _of_places_on_roads(entry, "stations", named, named, counted)
    for junction in town.junctions:
        entry = Entry("junction", junction.key)
        ways = [(arm.site, arm.direction) for arm in junction.arms]
        led = [(arm.site, arm.direction, arm.leads) for arm in junction.arms]
        yield from _of_places_on_roads(entry, "arms", ways, led, counted)
        if {arm.leads for arm in junction.arms} != {"in", "out"}:
            yield Fault(entry, "arms", Phrase(mark("it has ways in and ways out")))


def _of_places_on_roads(
    entry: Entry,
    field: str,
    named: Iterable[tuple[str, str]],
    keys: Iterable[tuple[str, ...]],
    counted: Set[tuple[str, str]],
) -> Iterator[Fault]:
    """Find stations or arms without counts, and those that are there twice."""
    for site, direction in named:
        if (site, direction) not in counted:
            known = _known(
                f"{site} {direction}", sorted(" ".join(each) for each in counted)
            )
            values = (site, direction or "''", known)
            nothing = mark("nothing is counted at {} in the direction {}; {}")
            yield Fault(entry, field, Phrase(nothing, values))
    for key, number in Counter(keys).items():
        if number > 1:
            twice = Phrase(_TWICE_THERE, (str(number),))
            text = Phrase("{}: {}", (" ".join(key), twice))
            yield Fault(entry, field, text)


def _of_format(sensor: Sensor) -> Iterator[Fault]:
    """Find a foreign format without topic or mapping, and a native one with them."""
    entry = Entry("sensor", sensor.key)
    known = payload_formats()
    if sensor.payload_format not in known:
        text = mark("there is no payload format {}; {}")
        values = (sensor.payload_format, _known(sensor.payload_format, known))
        yield Fault(entry, "payload_format", Phrase(text, values))
        return
    foreign = sensor.payload_format != "native"
    if foreign != (sensor.topic is not None):
        text = mark(
            "a sensor has a topic if, and only if, its payload format is a foreign one"
        )
        yield Fault(entry, "topic", Phrase(text))
    for zone in {time.zone for time in sensor.profile.times if time.zone is not None}:
        if not is_zone(zone):
            yield Fault(entry, "profile", _no_zone(zone))
    for installation in sensor.installations:
        yield from _of_mapping(sensor, installation, foreign=foreign)


def _of_mapping(
    sensor: Sensor, installation: Installation, *, foreign: bool
) -> Iterator[Fault]:
    mapping = installation.mapping
    entry = installation_entry(sensor, installation)
    if foreign != (mapping is not None):
        text = mark(
            "an output has a mapping if, and only if, its sensor's payload format is a "
            "foreign one"
        )
        yield Fault(entry, "mapping", Phrase(text))
    if mapping is None:
        return
    counts = sensor.class_scheme is not None
    if counts != bool(mapping.classes) or counts == (mapping.field is not None):
        text = mark(
            "the mapping of a counting sensor has classes, that of any other has a "
            "field"
        )
        yield Fault(entry, "mapping", Phrase(text))
    scheme = SCHEMES[sensor.class_scheme] if sensor.class_scheme else ()
    for name in mapping.classes:
        if name not in scheme:
            text = mark("the class scheme {} has no class {}; {}")
            values = (sensor.class_scheme or "''", name, _known(name, scheme))
            yield Fault(entry, "mapping", Phrase(text, values))


def _of_units(entry: Entry, mapping: model.Mapping, quantity: str) -> Iterator[Fault]:
    """Find units that cannot be converted to the unit of the quantity."""
    wanted: list[tuple[str | None, str]] = []
    if quantity in ENVIRONMENT:
        wanted.append((mapping.unit, ENVIRONMENT[quantity].unit))
    for source, unit in ((mapping.speed_kmh, "km/h"), (mapping.occupancy, "1")):
        if isinstance(source, Source):
            wanted.append((source.unit, unit))
    for given, into in wanted:
        if given is not None and not convertible(given, into):
            values = (given, into, _known(given, units_of(into)))
            text = mark("the unit {} cannot become {}; {}")
            yield Fault(entry, "mapping", Phrase(text, values))


def registered_faults(connection: Connection) -> dict[str, list[str]]:
    """List the faults of what is registered, by municipality."""
    found: dict[str, list[str]] = {}
    for row in execute(connection, "registrations", municipality=None):
        noted = [row["notice"]] if row["notice"] else []
        town, unreadable = readable(row["town"])
        noted += unreadable
        noted += [fault.in_language("en") for fault in faults(town)] if town else []
        if noted:
            found[row["key"]] = noted
    return found


def readable(document: dict[str, Any]) -> tuple[Town | None, list[str]]:
    """Return a registration without sites and sensors that cannot be read, and why.

    None: the rest cannot be read, either.
    """
    reasons = []
    usable: dict[str, list[Any]] = {}
    for parts, kind in (("sites", Site), ("sensors", Sensor)):
        usable[parts] = []
        for part in document[parts]:
            try:
                usable[parts].append(msgspec.convert(part, kind))
            except msgspec.ValidationError as error:
                explained = wording.explain(error, part, kind).in_english()
                reasons.append(f"{parts[:-1]} {part['key']}: {explained}")
    try:
        rest = msgspec.convert(document | {"sites": (), "sensors": ()}, Town)
    except msgspec.ValidationError as error:
        return None, [*reasons, wording.explain(error, document, Town).in_english()]
    return msgspec.structs.replace(
        rest, sites=tuple(usable["sites"]), sensors=tuple(usable["sensors"])
    ), reasons
