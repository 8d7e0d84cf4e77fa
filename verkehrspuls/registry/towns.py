"""Register towns: municipalities with their sites, channels, sensors.

A town is checked for everything that later stages need: `import town` refuses the
`faults`, and `doctor` looks for them in earlier registrations.
"""

import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from zoneinfo import available_timezones

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from verkehrspuls import places, wording
from verkehrspuls.calendar import at_clock, no_state, states
from verkehrspuls.classes import SCHEMES
from verkehrspuls.errors import BadFile, UnknownKey, UsageError
from verkehrspuls.files import parse_toml, read_text
from verkehrspuls.model import (
    DEFAULT_TIME_ZONE,
    Installation,
    Mapping,
    Sensor,
    Site,
    Source,
    Town,
)
from verkehrspuls.quantities import COUNTED, ENVIRONMENT, QUANTITIES
from verkehrspuls.registry.formats import payload_formats
from verkehrspuls.storage.database import Connection, execute, one, refusal
from verkehrspuls.units import convertible, units_of

_REGISTRATION: Final = "a registration"
#: Years in which a sensor may be installed or removed.
_YEARS: Final = range(1970, 2200)
_YEAR_OUT_OF_RANGE: Final = (
    f"{{}} = {{}} is not in the years {_YEARS[0]} to {_YEARS[-1]}"
)
#: Larger numbers are not exact as floats.
_MAX_EXACT: Final = 2**53
_TWICE: Final = "a key is there twice; each is there once"
_NO_TEXT: Final = re.compile("[\0\ud800-\udfff]")


def load_town(path: Path) -> Town:
    """Read a registration file (TOML) and check that it is consistent."""
    text = read_text(path, format=_REGISTRATION)
    document: Any = None
    try:
        document = parse_toml(text)
        by_the_clock(document)
        town = msgspec.convert(document, Town)
        check(town)
    except RecursionError as error:
        reason: object = "it is nested too deeply"
        raise BadFile(path=path, format=_REGISTRATION, reason=reason) from error
    except (ValueError, OverflowError, UsageError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(error, msgspec.MsgspecError):
            reason = wording.explain(error, document, Town).in_english()
        elif isinstance(error, tomllib.TOMLDecodeError):
            reason = str(error).replace("Cannot overwrite a value", _TWICE)
        elif not isinstance(error, UsageError):
            reason = "a number has too many digits"
        raise BadFile(path=path, format=_REGISTRATION, reason=reason) from error
    return town


def by_the_clock(document: Any) -> None:
    """Interpret times without offset, and dates, on the town's clock.

    Only the fields of a registration are converted; raise `UsageError` for a time that
    occurs twice or never.
    """
    if not isinstance(document, dict):
        return
    zone = document.get("time_zone", DEFAULT_TIME_ZONE)
    if not isinstance(zone, str) or not is_zone(zone):  # reported later
        return
    for where, table in _installed(document):
        for name in ("since", "until"):
            wall = _wall(table.get(name))
            if wall is None:
                continue
            if wall.year not in _YEARS:
                reason = _YEAR_OUT_OF_RANGE.format(f"{where}.{name}", wall.isoformat())
                raise UsageError(reason=reason)
            try:
                table[name] = at_clock(wall, zone)
            except ValueError as error:
                raise UsageError(reason=f"{where}.{name}: {error}") from error


def _installed(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Find the installations in a registration, even an invalid one."""
    for number, sensor in enumerate(_tables(document.get("sensors"))):
        for index, each in enumerate(_tables(sensor.get("installations"))):
            yield f"sensors[{number}].installations[{index}]", each


def _tables(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        return []
    return [each for each in value if isinstance(each, dict)]


def _wall(value: Any) -> datetime | None:
    """Return a wall-clock time: a time without offset, or a date; None for others."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, datetime.min.time())
    return value if isinstance(value, datetime) and value.tzinfo is None else None


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
                if time is not None and time.year not in _YEARS:
                    yield _YEAR_OUT_OF_RANGE.format(f"{what}: {name}", time.isoformat())
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


def register(connection: Connection, town: Town, *, keep: bool = False) -> None:
    """Register a town, or update it, in one transaction.

    Entries in the database that are missing from the town stay; a sensor's
    installations are replaced as a whole. `keep`: known facts of sites and channels
    stay, such as place and visibility; files of counts contain little more than their
    keys.
    """
    check(town)
    try:
        with connection.transaction():
            _register(connection, town, keep=keep)
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        raise _refused(f"municipality {town.key}", error) from error
    connection.commit()


@contextmanager
def _entry(what: str) -> Iterator[None]:
    """Add to a database error the entry that caused it."""
    try:
        yield
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        # a conflict with stored data, which only the database can detect
        raise _refused(what, error) from error


def _refused(what: str, error: psycopg.Error) -> UsageError:
    return UsageError(reason=f"{what}: {refusal(error)}")


def _register(connection: Connection, town: Town, *, keep: bool) -> None:
    _refuse_mixed(connection, town)
    municipality_id = _put(connection, "municipality", town)
    channel_ids, site_ids = {}, {}
    write = "keep" if keep else "put"
    for site in town.sites:
        site_id = _put(
            connection, "site", site, write=write, municipality_id=municipality_id
        )
        site_ids[site.key] = site_id
        for channel in site.channels:
            channel_ids[site.key, channel.key] = _put(
                connection,
                "channel",
                channel,
                write=write,
                where=f"site {site.key}, ",
                site_id=site_id,
                thresholds=Jsonb(channel.thresholds),
            )
    sensor_ids = {
        sensor.key: _put(
            connection,
            "sensor",
            sensor,
            municipality_id=municipality_id,
            profile=_json(sensor.profile),
        )
        for sensor in town.sensors
    }
    # all are cleared first, so that a channel can move between sensors
    for sensor_id in sensor_ids.values():
        execute(connection, "clear_installations", sensor_id=sensor_id)
    _refuse_taken(connection, town, channel_ids)
    for sensor in town.sensors:
        for installation in sensor.installations:
            with _entry(f"sensor {sensor.key}, output {installation.output}"):
                execute(
                    connection,
                    "put_installation",
                    sensor_id=sensor_ids[sensor.key],
                    channel_id=channel_ids[installation.site, installation.channel],
                    output=installation.output,
                    since=installation.since,
                    until=installation.until,
                    mapping=_json(installation.mapping),
                )
    _register_roads(connection, town, municipality_id, site_ids)


def _refuse_mixed(connection: Connection, town: Town) -> None:
    """Refuse to mix simulated and real readings."""
    row = execute(connection, "origin_of_readings", key=town.key).fetchone()
    if row is not None and row["simulated"] != town.simulated:
        there, wanted = (
            "simulated" if simulated else "real"
            for simulated in (row["simulated"], town.simulated)
        )
        raise UsageError(
            reason=f"{town.key} holds {there} readings and is to be {wanted}; take "
            f"another key, or remove them first with `verkehrspuls town remove "
            f"{town.key} --with-readings`"
        )


def _refuse_taken(
    connection: Connection, town: Town, channel_ids: dict[tuple[str, str], int]
) -> None:
    """Refuse a channel with an installed sensor that the town does not contain."""
    wanted = [(sensor, at) for sensor in town.sensors for at in sensor.installations]
    row = execute(
        connection,
        "taken_channel",
        channels=[channel_ids[at.site, at.channel] for _, at in wanted],
        since=[at.since for _, at in wanted],
        until=[at.until for _, at in wanted],
    ).fetchone()
    if row is not None:
        sensor, at = wanted[row["number"] - 1]
        raise UsageError(
            reason=f"sensor {sensor.key}, output {at.output}: sensor {row['sensor']} "
            f"is installed at {at.site}/{at.channel} at that time; name it in the "
            "file, with the end of its installation (until)"
        )


def _register_roads(
    connection: Connection, town: Town, municipality_id: int, site_ids: dict[str, int]
) -> None:
    """Register corridors and junctions; replace all their stations and arms."""
    for corridor in town.corridors:
        corridor_id = _put(
            connection, "corridor", corridor, municipality_id=municipality_id
        )
        execute(connection, "clear_corridor", corridor_id=corridor_id)
        for number, station in enumerate(corridor.stations):
            with _entry(f"corridor {corridor.key}, station {station.site}"):
                execute(
                    connection,
                    "put_corridor_station",
                    corridor_id=corridor_id,
                    station=number,
                    site_id=site_ids[station.site],
                    direction=station.direction,
                    chainage_m=station.chainage_m,
                )
    for junction in town.junctions:
        junction_id = _put(
            connection, "junction", junction, municipality_id=municipality_id
        )
        execute(connection, "clear_junction", junction_id=junction_id)
        for arm in junction.arms:
            with _entry(f"junction {junction.key}, arm {arm.site}"):
                execute(
                    connection,
                    "put_junction_arm",
                    junction_id=junction_id,
                    site_id=site_ids[arm.site],
                    direction=arm.direction,
                    leads=arm.leads,
                )


def _json(record: msgspec.Struct | None) -> Jsonb | None:
    return None if record is None else Jsonb(msgspec.to_builtins(record))


def _put(
    connection: Connection,
    kind: str,
    record: Any,
    *,
    write: str = "put",
    where: str = "",
    **others: Any,
) -> int:
    fields = {
        name: value
        for name, value in msgspec.structs.asdict(record).items()
        if isinstance(value, str | int | float | None)
    }
    what = f"{where}{kind} {record.key}"
    query = f"keep_{kind}" if write == "keep" else f"put_{kind}"
    with _entry(what):
        row = execute(connection, query, **fields, **others).fetchone()
    if row is None:  # only a channel's update has a condition
        raise UsageError(
            reason=f"{what} is registered with another quantity; "
            "a channel keeps what it measures, so register a new one."
        )
    return int(row[f"{kind}_id"])


def require_sites(
    connection: Connection, *, municipality: str | None, site: str | None
) -> None:
    """Refuse a municipality or site that is not registered; None matches all."""
    if municipality is None and site is None:
        return
    chosen = {"municipality": municipality, "site": site}
    if not one(connection, "count_chosen_sites", **chosen)["sites"]:
        kind = "municipality" if site is None else "site"
        key = "/".join(filter(None, (municipality, site)))
        raise UnknownKey(kind=kind, key=key)
