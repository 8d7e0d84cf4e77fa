"""Registering towns: municipalities with their sites, channels, sensors."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from psycopg.types.json import Jsonb

from verkehrspuls.classes import SCHEMES
from verkehrspuls.errors import BadFile, UnknownKey, UsageError
from verkehrspuls.model import Installation, Sensor, Town
from verkehrspuls.quantities import COUNTED, QUANTITIES
from verkehrspuls.storage.database import Connection, execute, one


def load_town(path: Path) -> Town:
    """Read a registration file (TOML) and check that it is consistent."""
    try:
        town = msgspec.toml.decode(path.read_bytes(), type=Town)
        check(town)
    except (OSError, UnicodeError, msgspec.MsgspecError, UsageError) as error:
        reason = getattr(error, "reason", error)
        raise BadFile(path=path, format="a registration", reason=reason) from error
    return town


def check(town: Town) -> None:
    """Refuse a town whose sensors, channels and class schemes do not fit together."""
    quantities = {
        (site.key, channel.key): channel.quantity
        for site in town.sites
        for channel in site.channels
    }
    for where, quantity in quantities.items():
        if quantity not in QUANTITIES:
            raise UsageError(
                reason=f"{'/'.join(where)} measures {quantity}, which is not known."
            )
    _check_place(town)
    _check_roads(town)
    for sensor in town.sensors:
        if sensor.class_scheme is not None and sensor.class_scheme not in SCHEMES:
            raise UsageError(
                reason=f"sensor {sensor.key}: there is no class scheme "
                f"{sensor.class_scheme}; there are {', '.join(SCHEMES)}."
            )
        _check_format(sensor)
        for installation in sensor.installations:
            quantity = quantities.get((installation.site, installation.channel), "")
            if not quantity:
                raise UsageError(
                    reason=f"sensor {sensor.key}: there is no channel "
                    f"{installation.site}/{installation.channel}."
                )
            if (quantity in COUNTED) != (sensor.class_scheme is not None):
                raise UsageError(
                    reason=f"sensor {sensor.key}: a sensor has a class scheme if, and "
                    f"only if, it counts; {installation.channel} is {quantity}."
                )


def _check_place(town: Town) -> None:
    """Refuse a state without calendar, and a time zone that does not exist."""
    from holidays.countries.germany import Germany

    if town.state not in Germany.subdivisions:
        raise UsageError(
            reason=f"there is no state {town.state}; there are "
            f"{', '.join(Germany.subdivisions)}."
        )
    if not _is_zone(town.time_zone):
        raise UsageError(reason=f"there is no time zone {town.time_zone}.")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _check_roads(town: Town) -> None:
    """Refuse corridors and junctions of unknown sites, or that lead backwards."""
    counted = {
        (site.key, channel.direction)
        for site in town.sites
        for channel in site.channels
        if channel.quantity in COUNTED
    }
    for corridor in town.corridors:
        chainages = [station.chainage_m for station in corridor.stations]
        if chainages != sorted(set(chainages)):
            raise UsageError(
                reason=f"corridor {corridor.key}: chainage rises from station to "
                "station, in the direction of travel; the way back is another corridor."
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
            raise UsageError(
                reason=f"{place}: nothing is counted at {site} in the direction "
                f"{direction or 'without a key'}."
            )
    for junction in town.junctions:
        if {arm.leads for arm in junction.arms} != {"in", "out"}:
            raise UsageError(
                reason=f"junction {junction.key}: it has ways in and ways out."
            )


def _check_format(sensor: Sensor) -> None:
    """Refuse a foreign format without topic or mapping, and a native one with them."""
    foreign = sensor.payload_format != "native"
    if foreign != (sensor.topic is not None):
        raise UsageError(
            reason=f"sensor {sensor.key}: a sensor has a topic if, and only if, its "
            "payload format is a foreign one."
        )
    for zone in {time.zone for time in sensor.profile.times if time.zone}:
        if not _is_zone(zone):
            raise UsageError(
                reason=f"sensor {sensor.key}: there is no time zone {zone}."
            )
    for installation in sensor.installations:
        _check_mapping(sensor, installation, foreign=foreign)


def _check_mapping(
    sensor: Sensor, installation: Installation, *, foreign: bool
) -> None:
    mapping = installation.mapping
    where = f"sensor {sensor.key}, output {installation.output}"
    if foreign != (mapping is not None):
        raise UsageError(
            reason=f"{where}: an output has a mapping if, and only if, its sensor's "
            "payload format is a foreign one."
        )
    if mapping is None:
        return
    counts = sensor.class_scheme is not None
    if counts != bool(mapping.classes) or counts == (mapping.field is not None):
        raise UsageError(
            reason=f"{where}: the mapping of a counting sensor has classes, that of "
            "any other has a field."
        )
    for name in mapping.classes:
        if name not in SCHEMES[sensor.class_scheme or ""]:
            raise UsageError(
                reason=f"{where}: the class scheme has no class {name}; it has "
                f"{', '.join(SCHEMES[sensor.class_scheme or ''])}."
            )


def register(connection: Connection, town: Town) -> None:
    """Put a town into the registry, or bring it up to date, in one transaction.

    What is in the database but not in the town stays; a sensor's installations are
    replaced as a whole.
    """
    check(town)
    with connection.transaction():
        municipality_id = _put(connection, "municipality", town)
        channel_ids, site_ids = {}, {}
        for site in town.sites:
            site_id = _put(connection, "site", site, municipality_id=municipality_id)
            site_ids[site.key] = site_id
            for channel in site.channels:
                channel_ids[site.key, channel.key] = _put(
                    connection,
                    "channel",
                    channel,
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
        for sensor in town.sensors:
            for installation in sensor.installations:
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
    connection.commit()


def _register_roads(
    connection: Connection, town: Town, municipality_id: int, site_ids: dict[str, int]
) -> None:
    """Put corridors and junctions; their stations and arms are replaced as a whole."""
    for corridor in town.corridors:
        corridor_id = _put(
            connection, "corridor", corridor, municipality_id=municipality_id
        )
        execute(connection, "clear_corridor", corridor_id=corridor_id)
        for number, station in enumerate(corridor.stations):
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


def _put(connection: Connection, kind: str, record: Any, **others: Any) -> int:
    fields = {
        name: value
        for name, value in msgspec.structs.asdict(record).items()
        if isinstance(value, str | int | float | None)
    }
    row = execute(connection, f"put_{kind}", **fields, **others).fetchone()
    if row is None:  # only a channel's update has a condition
        raise UsageError(
            reason=f"channel {record.key} is registered with another quantity; "
            "a channel keeps what it measures, so register a new one."
        )
    return int(row[f"{kind}_id"])


def require_sites(
    connection: Connection, *, municipality: str | None, site: str | None
) -> None:
    """Refuse a municipality or site that is not registered; None is all."""
    if municipality is None and site is None:
        return
    chosen = {"municipality": municipality, "site": site}
    if not one(connection, "count_chosen_sites", **chosen)["sites"]:
        kind = "municipality" if site is None else "site"
        raise UnknownKey(kind=kind, key=chosen[kind])
