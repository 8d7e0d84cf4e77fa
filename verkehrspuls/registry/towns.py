"""Register towns: municipalities with their sites, channels, sensors.

A registration is read from a file, checked for `faults`, and written in one
transaction.
"""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from verkehrspuls import wording
from verkehrspuls.calendar import at_clock
from verkehrspuls.errors import BadFile, UnknownKey, UsageError
from verkehrspuls.files import parse_toml, read_text
from verkehrspuls.model import DEFAULT_TIME_ZONE, Town
from verkehrspuls.registry.faults import check, is_zone, wrong_year
from verkehrspuls.storage.database import Connection, execute, one, refusal

_REGISTRATION: Final = "a registration"
_TWICE: Final = "a key is there twice; each is there once"


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
            if wrong := wrong_year(f"{where}.{name}", wall):
                raise UsageError(reason=wrong)
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
    # all that change are cleared first, so that a channel can move between sensors
    for sensor in town.sensors:
        execute(
            connection,
            "clear_installations",
            sensor_id=sensor_ids[sensor.key],
            channels=[channel_ids[at.site, at.channel] for at in sensor.installations],
            outputs=[at.output for at in sensor.installations],
            since=[at.since for at in sensor.installations],
            until=[at.until for at in sensor.installations],
            mappings=[_json(at.mapping) for at in sensor.installations],
        )
    _refuse_taken(connection, town, channel_ids, list(sensor_ids.values()))
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
    connection: Connection,
    town: Town,
    channel_ids: dict[tuple[str, str], int],
    sensor_ids: list[int],
) -> None:
    """Refuse a channel with an installed sensor that the town does not contain."""
    wanted = [(sensor, at) for sensor in town.sensors for at in sensor.installations]
    row = execute(
        connection,
        "taken_channel",
        channels=[channel_ids[at.site, at.channel] for _, at in wanted],
        since=[at.since for _, at in wanted],
        until=[at.until for _, at in wanted],
        sensors=sensor_ids,
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
        execute(
            connection,
            "clear_corridor",
            corridor_id=corridor_id,
            stations=len(corridor.stations),
        )
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
        execute(
            connection,
            "clear_junction",
            junction_id=junction_id,
            sites=[site_ids[arm.site] for arm in junction.arms],
            directions=[arm.direction for arm in junction.arms],
            leads=[arm.leads for arm in junction.arms],
        )
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
