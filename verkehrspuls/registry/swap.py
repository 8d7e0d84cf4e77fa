"""Swap devices: one sensor takes over from another, and the channels' series go on."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import structs

from verkehrspuls import wording
from verkehrspuls.errors import UnknownKey, UsageError
from verkehrspuls.model import Sensor, Town
from verkehrspuls.registry.edit import edit, require
from verkehrspuls.registry.faults import Fault, Faulty
from verkehrspuls.registry.registration import Change, Entry, own_fields
from verkehrspuls.storage.database import Connection
from verkehrspuls.text import mark
from verkehrspuls.wording import Phrase

#: Fields that belong to a device, and are not passed on to the next one.
_OWN: frozenset[str] = frozenset({"key", "serial", "firmware", "status", "topic"})


def swap(
    connection: Connection,
    municipality: str,
    old: str,
    new: str,
    fields: Mapping[str, Any],
    *,
    at: datetime,
    dry_run: bool = False,
) -> list[Change]:
    """Let a sensor take over the outputs of another one; return what changes.

    `fields` are those of the new sensor that differ from the old one's.
    """
    require(connection, municipality)

    def become(before: Town | None) -> Town:
        if before is None:
            raise UnknownKey(kind="municipality", key=municipality)
        return swapped(before, old, new, fields, at=at)

    return edit(connection, municipality, become, dry_run=dry_run)


def swapped(
    town: Town, old: str, new: str, fields: Mapping[str, Any], *, at: datetime
) -> Town:
    """Return a town in which a sensor takes over from another one at a time.

    What the old one would begin later, the new one begins then. A sensor of the new key
    that is registered already keeps its fields.
    """
    sensors = {sensor.key: sensor for sensor in town.sensors}
    if old not in sensors:
        raise UnknownKey(kind="sensor", key=f"{town.key}/{old}")
    if old == new:
        itself = Phrase(mark("it cannot take over from itself"))
        raise Faulty([Fault(Entry("sensor", new), "key", itself)])
    at = at.astimezone(UTC)
    ended, begun = [], []
    for each in sensors[old].installations:
        if each.until is not None and each.until <= at:
            ended.append(each)
            continue
        # a factor is that of the device that was calibrated
        since = max(each.since, at)
        begun.append(structs.replace(each, since=since, calibrations=()))
        if each.since < at:
            ended.append(structs.replace(each, until=at))
    if not begun:
        nothing = Phrase(mark("nothing is attached to it at that time"))
        raise Faulty([Fault(Entry("sensor", old), "at", nothing)])
    sensors[old] = structs.replace(
        sensors[old], installations=tuple(ended), status="dismantled"
    )
    taking = sensors.get(new) or _like(sensors[old], new, fields)
    sensors[new] = structs.replace(
        taking, installations=(*taking.installations, *begun), status="active"
    )
    return structs.replace(town, sensors=tuple(sensors.values()))


def _like(old: Sensor, key: str, fields: Mapping[str, Any]) -> Sensor:
    """Return a sensor like another one, but for what belongs to a device."""
    passed_on = {
        name: value
        for name, value in own_fields("sensor", old).items()
        if name not in _OWN
    }
    document = {**passed_on, **fields, "key": key, "installations": ()}
    try:
        return msgspec.convert(document, Sensor)
    except msgspec.ValidationError as error:
        found = wording.explain(error, document, Sensor)
        raise UsageError(reason=f"sensor {key}: {found.in_english()}") from error
