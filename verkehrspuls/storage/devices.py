"""Devices: sensors with what they say of themselves, and what came of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, TypedDict, Unpack

from verkehrspuls.storage.case_lists import CURRENT_DAYS
from verkehrspuls.storage.database import (
    Connection,
    execute,
    read_records,
)


@dataclass(frozen=True, slots=True)
class DeviceSite:
    """A site where a sensor is attached."""

    key: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A sensor as it is registered, and what it last said of itself."""

    sensor_id: int
    municipality: str
    key: str
    name: str
    model: str
    owner: str
    serial: str
    power: str
    #: registered: planned, active, out-of-service, dismantled
    status: str
    payload_format: str
    interval_s: int
    #: that the device told, else that is registered
    firmware: str
    state: Literal["online", "offline", "unknown"]
    state_since: datetime | None
    battery_pct: float | None
    signal_dbm: float | None
    temperature_c: float | None
    last_received_at: datetime | None
    #: whether the newest came from a file, or was replayed
    imported: bool
    #: where it is attached, else where it was last
    sites: Sequence[DeviceSite]
    latitude: float | None
    longitude: float | None
    #: whether it is attached to a channel now
    attached: bool
    newest_reading_at: datetime | None
    #: one of the channels that it is attached to
    channel_id: int | None


@dataclass(frozen=True, slots=True)
class Observed:
    """Seconds in which a sensor was attached, and in which something was observed."""

    sensor_id: int
    expected_s: float
    observed_s: float


@dataclass(frozen=True, slots=True)
class BatteryDays:
    """How full a sensor's battery was, day by day."""

    sensor_id: int
    days: Sequence[date]
    levels: Sequence[float]


class Chosen(TypedDict):
    """Which sensors are meant; None is all."""

    municipality: str | None
    sensor: str | None


def list_devices(
    connection: Connection, *, now: datetime, **chosen: Unpack[Chosen]
) -> list[Registered]:
    """List sensors by municipality and key."""
    return read_records(connection, _registered, "list_devices", **chosen, now=now)


def observed_of_sensors(
    connection: Connection,
    *,
    start: datetime,
    end: datetime,
    **chosen: Unpack[Chosen],
) -> dict[int, Observed]:
    """Read by sensor how much of a period was observed; those not attached are absent.

    A sensor with an interval above an hour has the period an interval earlier.
    """
    found = read_records(
        connection,
        Observed,
        "observed_of_sensors",
        start=start,
        end=end,
        **chosen,
    )
    return {each.sensor_id: each for each in found}


def battery_days(
    connection: Connection, *, since: date, **chosen: Unpack[Chosen]
) -> list[BatteryDays]:
    """Read how full batteries were, by sensor; those that tell nothing are absent."""
    return read_records(connection, BatteryDays, "battery_days", since=since, **chosen)


def cases_of_sensors(
    connection: Connection, *, now: datetime, **chosen: Unpack[Chosen]
) -> dict[int, int]:
    """Count the open cases to be looked at by sensor; those without are absent."""
    rows = execute(
        connection,
        "cases_of_sensors",
        now=now,
        current_days=CURRENT_DAYS,
        **chosen,
    )
    return {row["sensor_id"]: row["cases"] for row in rows}


def _registered(*, sites: Sequence[dict[str, str]], **fields: object) -> Registered:
    there = [DeviceSite(**each) for each in sites]
    return Registered(sites=there, **fields)  # type: ignore[arg-type]  # a row
