"""Manual counts beside sensors: begin, tap, end, decide.

A person counts at a site, vehicle by vehicle, as directions and classes. Who counts
numbers each tap, so that one that is sent again counts once, and an undone one is known
in whatever order they come. Who may do so is for the database to say.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn

from msgspec import structs, to_builtins
from psycopg.types.json import Jsonb

from verkehrspuls.errors import BadParameter, UnknownKey, UsageError
from verkehrspuls.manual_counts import Device, ManualCount, Tap, Way
from verkehrspuls.model import CONTROLS, Calibration, Town
from verkehrspuls.registry.edit import edit, require
from verkehrspuls.registry.registration import Change
from verkehrspuls.storage.database import Connection, execute, read_records
from verkehrspuls.text import mark

#: Taps that are sent at once.
MAX_TAPS: Final = 5000
#: A count lasts at most so long; clocks of phones may be ahead by the other one.
MAX_LENGTH: Final = timedelta(hours=24)
_AHEAD: Final = timedelta(minutes=5)
_CONTROL: Final = mark("it has a control character; take it out")
#: Vehicles by quantity, direction and class.
Tallies = dict[tuple[str, str, str], int]


class NothingCounted(UsageError):
    """Nothing is counted at {site} at that time: attach a counting sensor first."""

    code = "nothing-counted"
    http_status = 422


class CountEnded(UsageError):
    """Manual count {number} has ended: begin another one."""

    code = "count-ended"
    http_status = 409


class CountGoesOn(UsageError):
    """Manual count {number} goes on: end it first, then decide."""

    code = "count-goes-on"
    http_status = 409


class CountDecided(UsageError):
    """Manual count {number} is decided, and stays as it is: begin another one."""

    code = "count-decided"
    http_status = 409


def start(
    connection: Connection,
    municipality: str,
    site: str,
    *,
    at: datetime,
    counted_by: str = "",
    note: str = "",
) -> ManualCount:
    """Begin a count at a site; who counts is who asks, unless a name is given."""
    require(connection, municipality)
    _check(counted_by=counted_by, note=note)
    given = {"at": at, "counted_by": counted_by, "note": note}
    row = execute(
        connection,
        "start_manual_count",
        municipality=municipality,
        site=site,
        **given,
    ).fetchone()
    if row is None:
        raise UnknownKey(kind="site", key=f"{municipality}/{site}")
    found = read(connection, municipality, row["number"])
    if not ways(connection, found):
        raise NothingCounted(site=f"{municipality}/{site}")
    return found


def list_counts(
    connection: Connection, municipality: str, site: str | None = None
) -> list[ManualCount]:
    """List the counts of a municipality, or of a site, the newest first."""
    require(connection, municipality)
    return read_records(
        connection,
        ManualCount,
        "list_manual_counts",
        municipality=municipality,
        site=site,
    )


def read(connection: Connection, municipality: str, number: int) -> ManualCount:
    """Find a count of a municipality."""
    return _found(connection, municipality, number, "read_manual_count")


def ways(connection: Connection, count: ManualCount) -> list[Way]:
    """List the directions that sensors counted at the site when the count began."""
    return read_records(
        connection, Way, "ways_of_site", site_id=count.site_id, at=count.began
    )


def devices(connection: Connection, count: ManualCount) -> list[Device]:
    """List the sensors that counted at the site when the count began."""
    return read_records(
        connection, Device, "sensors_of_site", site_id=count.site_id, at=count.began
    )


def tallies(connection: Connection, number: int) -> Tallies:
    """Return how many vehicles were counted, by quantity, direction and class."""
    rows = execute(connection, "count_taps", number=number)
    return {
        (row["quantity"], row["direction"], row["class"]): row["vehicles"]
        for row in rows
    }


def read_taps(connection: Connection, number: int) -> list[dict[str, Any]]:
    """Return what was counted of each direction and class, by quarter-hour."""
    return execute(connection, "read_taps", number=number).fetchall()


def put_taps(
    connection: Connection,
    municipality: str,
    number: int,
    taps: Sequence[Tap],
    *,
    now: datetime,
) -> Tallies:
    """Store taps of a count that was not decided; return `tallies`.

    A tap may come again, and after the count has ended: a phone without a network sends
    later.
    """
    require(connection, municipality)
    count = _open(connection, municipality, number)
    counted = {
        (way.quantity, way.direction, name)
        for way in ways(connection, count)
        for name in way.classes
    }
    if len(taps) > MAX_TAPS:
        _refuse(f"At most {MAX_TAPS} taps come at once")
    for tap in taps:
        if (tap.quantity, tap.direction, tap.vehicle) not in counted:
            way = tap.direction or "''"
            _refuse(f"{tap.vehicle} is not counted in the direction {way} here")
        if (
            not count.began - _AHEAD
            <= tap.at
            <= min(now + _AHEAD, count.began + MAX_LENGTH)
        ):
            _refuse(f"{tap.at.isoformat()} is not within the count")
    rows = [
        {**to_builtins(tap), "tap_id": str(tap.id), "class": tap.vehicle}
        for tap in taps
    ]
    if rows:
        execute(connection, "put_taps", number=number, rows=Jsonb(_newest(rows)))
    return tallies(connection, number)


def undo(
    connection: Connection, municipality: str, number: int, *, now: datetime
) -> None:
    """Undo the newest tap of a count, if there is one."""
    row = execute(connection, "last_tap", number=number).fetchone()
    if row is not None:
        tap = Tap(
            id=row["tap_id"],
            at=row["at"],
            quantity=row["quantity"],
            direction=row["direction"],
            vehicle=row["class"],
            vehicles=0,
            revision=row["revision"] + 1,
        )
        put_taps(connection, municipality, number, [tap], now=now)


def end(
    connection: Connection, municipality: str, number: int, *, at: datetime
) -> ManualCount:
    """End a count; one that has ended stays as it is."""
    require(connection, municipality)
    count = _open(connection, municipality, number)
    if count.ended is None:
        if not count.began < at <= count.began + MAX_LENGTH:
            _refuse(f"{at.isoformat()} is not within the count")
        execute(connection, "end_manual_count", number=number, at=at)
    return read(connection, municipality, number)


def decide(
    connection: Connection,
    municipality: str,
    number: int,
    *,
    accepted: bool,
    remark: str,
    result: Mapping[str, Any],
    calibrations: Mapping[tuple[str, str], Calibration],
) -> list[Change]:
    """Accept a sensor by a count, or not, and register calibrations with it.

    `result` is the comparison, and stays. `calibrations` are by quantity and direction:
    each is of all installations that counted it when the count began. Return what
    changes in the registry.
    """
    require(connection, municipality)
    _check(remark=remark)
    count = _open(connection, municipality, number)
    if count.ended is None:
        raise CountGoesOn(number=number)
    execute(
        connection,
        "decide_manual_count",
        number=number,
        accepted=accepted,
        remark=remark,
        result=Jsonb(result),
    )
    if not calibrations:
        return []

    def become(before: Town | None) -> Town:
        if before is None:
            raise UnknownKey(kind="municipality", key=municipality)
        return calibrated(before, count.site, calibrations, at=count.began)

    return edit(connection, municipality, become)


def calibrated(
    town: Town,
    site: str,
    calibrations: Mapping[tuple[str, str], Calibration],
    *,
    at: datetime,
) -> Town:
    """Return a town with calibrations of what counted at a site at a time.

    A calibration takes the place of those from its time on.
    """
    of_channel = {
        channel.key: calibrations[way]
        for one in town.sites
        if one.key == site
        for channel in one.channels
        if (way := (channel.quantity, channel.direction)) in calibrations
    }
    sensors = []
    for sensor in town.sensors:
        installations = []
        for each in sensor.installations:
            new = of_channel.get(each.channel) if each.site == site else None
            lasts = each.since <= at and (each.until is None or at < each.until)
            if new is None or not lasts:
                installations.append(each)
                continue
            kept = [old for old in each.calibrations if old.since < new.since]
            installations.append(structs.replace(each, calibrations=(*kept, new)))
        sensors.append(structs.replace(sensor, installations=tuple(installations)))
    return structs.replace(town, sensors=tuple(sensors))


def _open(connection: Connection, municipality: str, number: int) -> ManualCount:
    """Return a count that was not decided, while nobody else changes it."""
    found = _found(connection, municipality, number, "lock_manual_count")
    if found.accepted is not None:
        raise CountDecided(number=number)
    return found


def _found(
    connection: Connection, municipality: str, number: int, query: str
) -> ManualCount:
    given = {"municipality": municipality, "number": number}
    found = read_records(connection, ManualCount, query, **given)
    if not found:
        raise UnknownKey(kind="manual count", key=f"{municipality}/{number}")
    return found[0]


def _newest(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the greatest revision of each tap: a batch may have several."""
    found: dict[str, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: row["revision"]):
        found[row["tap_id"]] = row
    return list(found.values())


def _check(**texts: str) -> None:
    for name, text in texts.items():
        if re.search(f"[{CONTROLS}]", text):
            raise BadParameter(parameter=name, detail=_CONTROL)


def _refuse(detail: str) -> NoReturn:
    raise BadParameter(parameter="taps", detail=detail)
