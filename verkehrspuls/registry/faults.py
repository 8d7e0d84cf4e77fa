"""Faults of a town: what later stages could not use of its registration.

`import town` refuses them, and `doctor` looks for them in earlier registrations.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from itertools import pairwise
from typing import Any, Final
from zoneinfo import available_timezones

import msgspec

from verkehrspuls import places, wording
from verkehrspuls.calendar import no_state, states
from verkehrspuls.classes import SCHEMES
from verkehrspuls.errors import UsageError
from verkehrspuls.model import Installation, Mapping, Sensor, Site, Source, Town
from verkehrspuls.quantities import COUNTED, ENVIRONMENT, QUANTITIES
from verkehrspuls.registry.formats import payload_formats
from verkehrspuls.storage.database import Connection, execute
from verkehrspuls.units import convertible, units_of

#: Years in which a sensor may be installed or removed.
_YEARS: Final = range(1970, 2200)
#: Larger numbers are not exact as floats.
_MAX_EXACT: Final = 2**53
_NO_TEXT: Final = re.compile("[\0\ud800-\udfff]")


def check(town: Town) -> None:
    """Refuse a town with faults, by its first fault."""
    found = list(faults(town))
    if found:
        more = f" ({len(found) - 1} more faults)" if len(found) > 1 else ""
        raise UsageError(reason=f"{found[0]}{more}")


def faults(town: Town) -> Iterator[str]:
    """List the faults of a town: parts that are inconsistent or cannot be used."""
    yield from _of_values(msgspec.to_builtins(town), "")
    yield from _twice("site", (site.key for site in town.sites))
    yield from _twice("sensor", (sensor.key for sensor in town.sensors))
    yield from _twice("corridor", (corridor.key for corridor in town.corridors))
    yield from _twice("junction", (junction.key for junction in town.junctions))
    yield from _of_town(town)
    yield from _of_places(town)
    for site in town.sites:
        yield from _of_site(site)
    yield from _of_roads(town)
    quantities = {
        (site.key, channel.key): channel.quantity
        for site in town.sites
        for channel in site.channels
    }
    for sensor in town.sensors:
        yield from _of_sensor(sensor, quantities)
    yield from _of_periods(town.sensors)


def _twice(kind: str, keys: Iterable[str]) -> Iterator[str]:
    for key, number in Counter(keys).items():
        if number > 1:
            yield f"{kind} {key} is there {number} times; each key is there once"


def _of_values(value: Any, where: str) -> Iterator[str]:
    """Find values that are not numbers, and text that no database stores."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _of_values(name, f"{where}, a name")
            yield from _of_values(inner, f"{where}.{name}" if where else str(name))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            key = inner.get("key") if isinstance(inner, dict) else None
            place = f"[{index}] ({key})" if key else f"[{index}]"
            yield from _of_values(inner, f"{where}{place}")
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{where} is {value}; a finite number is wanted"
    elif isinstance(value, int) and abs(value) > _MAX_EXACT:
        yield f"{where} has too many digits"
    elif isinstance(value, str) and _NO_TEXT.search(value):
        yield f"{where} has a character that no text has, such as NUL; take it out"


def _of_town(town: Town) -> Iterator[str]:
    """Find a state without calendar, and an unknown time zone."""
    if town.state not in states():
        yield no_state(town.state)
    if not is_zone(town.time_zone):
        yield _no_zone(town.time_zone)


def wrong_year(what: str, time: datetime) -> str:
    """Explain that no sensor is installed or removed in a year; empty if it may be."""
    if time.year in _YEARS:
        return ""
    years = f"{_YEARS[0]} to {_YEARS[-1]}"
    return f"{what} = {time.isoformat()} is not in the years {years}"


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


def _no_zone(name: str) -> str:
    near = wording.nearest(name, available_timezones())
    # some zones are known to Python alone
    known = near != name and is_zone(near)
    meant = f" (did you mean {near}?)" if known else "; write one such as Europe/Berlin"
    return f"there is no time zone {name or '(empty)'}{meant}"


def _of_places(town: Town) -> Iterator[str]:
    """Find incomplete or impossible places, and those far from the others."""
    known: list[tuple[str, tuple[float, float]]] = []
    given = [(f"municipality {town.key}", town.latitude, town.longitude)]
    given += [(f"site {s.key}", s.latitude, s.longitude) for s in town.sites]
    for what, latitude, longitude in given:
        if latitude is None and longitude is None:
            continue
        if latitude is None or longitude is None:
            yield f"{what}: give both latitude and longitude, or neither"
        elif reason := places.explain(latitude, longitude):
            yield f"{what}: {reason}"
        else:
            known.append((what, (latitude, longitude)))
    if not known:
        return
    middle = places.middle([place for _, place in known])
    for what, place in known:
        away = places.distance_km(place, middle)
        if away > places.MAX_DISTANCE_KM:
            yield (
                f"{what}: it lies {away:.0f} km from the others of the municipality, "
                f"at latitude = {place[0]:g}, longitude = {place[1]:g}; "
                f"{places.MAX_DISTANCE_KM:.0f} km are possible"
            )


def _of_site(site: Site) -> Iterator[str]:
    yield from _twice(f"site {site.key}: channel", (c.key for c in site.channels))
    for channel in site.channels:
        if channel.quantity not in QUANTITIES:
            yield (
                f"{site.key}/{channel.key} measures {channel.quantity}, which is not "
                f"known; {wording.choice(channel.quantity, QUANTITIES)}"
            )


def _of_sensor(sensor: Sensor, quantities: dict[tuple[str, str], str]) -> Iterator[str]:
    if sensor.class_scheme is not None and sensor.class_scheme not in SCHEMES:
        yield (
            f"sensor {sensor.key}: there is no class scheme {sensor.class_scheme}; "
            f"{wording.choice(sensor.class_scheme, SCHEMES)}"
        )
        return
    yield from _of_format(sensor)
    for installation in sensor.installations:
        where = f"{installation.site}/{installation.channel}"
        quantity = quantities.get((installation.site, installation.channel))
        if quantity is None:
            known = wording.choice(where, ["/".join(place) for place in quantities])
            yield f"sensor {sensor.key}: there is no channel {where}; {known}"
            continue
        if (quantity in COUNTED) != (sensor.class_scheme is not None):
            yield (
                f"sensor {sensor.key}: a sensor has a class scheme if, and only if, it "
                f"counts; {installation.channel} is {quantity}"
            )
            continue
        if installation.mapping is not None:
            yield from _of_units(sensor, installation, installation.mapping, quantity)


def _of_periods(sensors: Iterable[Sensor]) -> Iterator[str]:
    """Find periods that end before they begin, or overlap for an output or channel."""
    taken: dict[tuple[str, ...], list[tuple[str, Installation]]] = {}
    for sensor in sensors:
        for each in sensor.installations:
            what = f"sensor {sensor.key}, output {each.output}"
            for name, time in (("since", each.since), ("until", each.until)):
                if time is not None and (wrong := wrong_year(f"{what}: {name}", time)):
                    yield wrong
            if each.until is not None and each.until <= each.since:
                yield f"{what}: it ends (until) before it begins (since)"
            taken.setdefault(("output", sensor.key, each.output), []).append(
                (what, each)
            )
            taken.setdefault(("channel", each.site, each.channel), []).append(
                (what, each)
            )
    for (kind, *keys), found in taken.items():
        found.sort(key=lambda pair: pair[1].since)
        for (what, first), (other, later) in pairwise(found):
            if first.until is None or later.since < first.until:
                which = f"{other} and {what}" if kind == "channel" else what
                yield (
                    f"{which}: two installations of {kind} {'/'.join(keys)} at the "
                    f"same time, from {later.since.isoformat()}; let the earlier end "
                    "(until)"
                )


def _of_roads(town: Town) -> Iterator[str]:
    """Find corridors and junctions with unknown sites, or that lead backwards."""
    counted = {
        (site.key, channel.direction)
        for site in town.sites
        for channel in site.channels
        if channel.quantity in COUNTED
    }
    for corridor in town.corridors:
        chainages = [station.chainage_m for station in corridor.stations]
        if chainages != sorted(set(chainages)):
            yield (
                f"corridor {corridor.key}: chainage rises from station to station, in "
                "the direction of travel; the way back is another corridor"
            )
        yield from _twice(
            f"corridor {corridor.key}: station",
            (f"{each.site} {each.direction}" for each in corridor.stations),
        )
    named = [
        *(
            (f"corridor {corridor.key}", station.site, station.direction)
            for corridor in town.corridors
            for station in corridor.stations
        ),
        *(
            (f"junction {junction.key}", arm.site, arm.direction)
            for junction in town.junctions
            for arm in junction.arms
        ),
    ]
    for place, site, direction in named:
        if (site, direction) not in counted:
            known = wording.choice(
                f"{site} {direction}", sorted(" ".join(each) for each in counted)
            )
            yield (
                f"{place}: nothing is counted at {site} in the direction "
                f"{direction or 'without a key'}; {known}"
            )
    for junction in town.junctions:
        yield from _twice(
            f"junction {junction.key}: arm",
            (f"{arm.site} {arm.direction} {arm.leads}" for arm in junction.arms),
        )
        if {arm.leads for arm in junction.arms} != {"in", "out"}:
            yield f"junction {junction.key}: it has ways in and ways out"


def _of_format(sensor: Sensor) -> Iterator[str]:
    """Find a foreign format without topic or mapping, and a native one with them."""
    known = payload_formats()
    if sensor.payload_format not in known:
        yield (
            f"sensor {sensor.key}: there is no payload format {sensor.payload_format}; "
            f"{wording.choice(sensor.payload_format, known)}"
        )
        return
    foreign = sensor.payload_format != "native"
    if foreign != (sensor.topic is not None):
        yield (
            f"sensor {sensor.key}: a sensor has a topic if, and only if, its payload "
            "format is a foreign one"
        )
    for zone in {time.zone for time in sensor.profile.times if time.zone is not None}:
        if not is_zone(zone):
            yield f"sensor {sensor.key}: {_no_zone(zone)}"
    for installation in sensor.installations:
        yield from _of_mapping(sensor, installation, foreign=foreign)


def _of_mapping(
    sensor: Sensor, installation: Installation, *, foreign: bool
) -> Iterator[str]:
    mapping = installation.mapping
    where = f"sensor {sensor.key}, output {installation.output}"
    if foreign != (mapping is not None):
        yield (
            f"{where}: an output has a mapping if, and only if, its sensor's payload "
            "format is a foreign one"
        )
    if mapping is None:
        return
    counts = sensor.class_scheme is not None
    if counts != bool(mapping.classes) or counts == (mapping.field is not None):
        yield (
            f"{where}: the mapping of a counting sensor has classes, that of any other "
            "has a field"
        )
    scheme = SCHEMES[sensor.class_scheme] if sensor.class_scheme else ()
    for name in mapping.classes:
        if name not in scheme:
            yield (
                f"{where}: the class scheme {sensor.class_scheme} has no class {name}; "
                f"{wording.choice(name, scheme)}"
            )


def _of_units(
    sensor: Sensor, installation: Installation, mapping: Mapping, quantity: str
) -> Iterator[str]:
    """Find units that cannot be converted to the unit of the quantity."""
    wanted: list[tuple[str | None, str]] = []
    if quantity in ENVIRONMENT:
        wanted.append((mapping.unit, ENVIRONMENT[quantity].unit))
    for source, unit in ((mapping.speed_kmh, "km/h"), (mapping.occupancy, "1")):
        if isinstance(source, Source):
            wanted.append((source.unit, unit))
    for given, into in wanted:
        if given is not None and not convertible(given, into):
            yield (
                f"sensor {sensor.key}, output {installation.output}: the unit {given} "
                f"cannot become {into}; {wording.choice(given, units_of(into))}"
            )


def registered_faults(connection: Connection) -> dict[str, list[str]]:
    """List the faults of what is registered, by municipality."""
    found: dict[str, list[str]] = {}
    for row in execute(connection, "registrations"):
        of_town, document = found.setdefault(row["key"], []), row["town"]
        of_town += [row["notice"]] if row["notice"] else []
        # a part that cannot be read is reported, and the rest checked without it
        for parts, kind in (("sites", Site), ("sensors", Sensor)):
            usable = []
            for part in document[parts]:
                try:
                    usable.append(msgspec.convert(part, kind))
                except msgspec.ValidationError as error:
                    what = f"{parts[:-1]} {part['key']}"
                    explained = wording.explain(error, part, kind).in_english()
                    of_town.append(f"{what}: {explained}")
            document[parts] = [msgspec.to_builtins(each) for each in usable]
        try:
            of_town += faults(msgspec.convert(document, Town))
        except msgspec.ValidationError as error:
            of_town.append(wording.explain(error, document, Town).in_english())
    return {key: noted for key, noted in found.items() if noted}
