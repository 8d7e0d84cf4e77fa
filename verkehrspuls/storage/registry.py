"""Registering towns: municipalities with their sites, channels, sensors."""

from pathlib import Path
from typing import Any

import msgspec

from verkehrspuls.classes import SCHEMES
from verkehrspuls.errors import BadFile, UsageError
from verkehrspuls.model import Town
from verkehrspuls.quantities import COUNTED, QUANTITIES
from verkehrspuls.storage.database import Connection, execute


def load_town(path: Path) -> Town:
    """Read a registration file (TOML) and check that it is consistent."""
    try:
        town = msgspec.toml.decode(path.read_bytes(), type=Town)
        check(town)
    except (OSError, msgspec.MsgspecError, UsageError) as error:
        raise BadFile(path=path, format="a registration", reason=error) from error
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
            raise UsageError(reason=f"{where} measures {quantity}, which is not known.")
    for sensor in town.sensors:
        if sensor.class_scheme is not None and sensor.class_scheme not in SCHEMES:
            raise UsageError(
                reason=f"sensor {sensor.key}: there is no class scheme "
                f"{sensor.class_scheme}; there are {', '.join(SCHEMES)}."
            )
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


def register(connection: Connection, town: Town) -> None:
    """Put a town into the registry, or bring it up to date, in one transaction.

    What is in the database but not in the town stays; a sensor's installations are
    replaced as a whole.
    """
    check(town)
    with connection.transaction():
        municipality_id = _put(connection, "municipality", town)
        channel_ids = {}
        for site in town.sites:
            site_id = _put(connection, "site", site, municipality_id=municipality_id)
            for channel in site.channels:
                channel_ids[site.key, channel.key] = _put(
                    connection, "channel", channel, site_id=site_id
                )
        sensor_ids = {
            sensor.key: _put(
                connection, "sensor", sensor, municipality_id=municipality_id
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
                )
    connection.commit()


def _put(connection: Connection, kind: str, record: Any, **parents: int) -> int:
    fields = {
        name: value
        for name, value in msgspec.structs.asdict(record).items()
        if isinstance(value, str | int | float | None)
    }
    row = execute(connection, f"put_{kind}", **fields, **parents).fetchone()
    if row is None:  # only a channel's update has a condition
        raise UsageError(
            reason=f"channel {record.key} is registered with another quantity; "
            "a channel keeps what it measures, so register a new one."
        )
    return int(row[f"{kind}_id"])
