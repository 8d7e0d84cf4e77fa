"""The report of devices: how the sensors of a town are."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple, Unpack

from analytics.devices import battery
from analytics.health.evidence import JUDGING_DELAY
from analytics.reports.device_condition import condition, problems
from verkehrspuls.registry import maintenance
from verkehrspuls.settings import Health
from verkehrspuls.storage import known
from verkehrspuls.storage.clocks import SensorClock, sensor_clocks
from verkehrspuls.storage.database import Connection
from verkehrspuls.storage.devices import (
    Chosen,
    Observed,
    Registered,
    battery_days,
    cases_of_sensors,
    list_devices,
    observed_of_sensors,
)

DAY: Final = timedelta(hours=24)
WEEK: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A sensor, and how it is."""

    registered: Registered
    #: one of `CONDITIONS`
    condition: str
    #: all that is wrong with it, the most urgent first
    problems: tuple[str, ...]
    #: share of the time that was observed; None: it was attached nowhere
    complete_day: float | None
    complete_week: float | None
    #: None without readings that have the device's own time
    clock: SensorClock | None
    #: forecast of the day on which the battery is empty
    empty_on: date | None
    #: day of the next maintenance
    due_on: date | None
    #: open cases to be looked at
    cases: int

    @property
    def facts(self) -> dict[str, Any]:
        """Return its fields, as JSON, CSV and tables show them."""
        here, clock = self.registered, self.clock
        return {
            "municipality": here.municipality,
            "sensor": here.key,
            "name": here.name,
            "condition": self.condition,
            "problems": list(self.problems),
            "sites": [site.key for site in here.sites],
            "latitude": here.latitude,
            "longitude": here.longitude,
            "last_received_at": here.last_received_at,
            "newest_reading_at": here.newest_reading_at,
            "interval_s": here.interval_s,
            "complete_day": _rounded(self.complete_day, 4),
            "complete_week": _rounded(self.complete_week, 4),
            "clock_offset_s": _rounded(clock.offset_s if clock else None, 1),
            "battery_pct": _rounded(here.battery_pct, 1),
            "battery_empty_on": self.empty_on,
            "maintenance_due_on": self.due_on,
            "signal_dbm": _rounded(here.signal_dbm, 1),
            "temperature_c": _rounded(here.temperature_c, 1),
            "state": here.state,
            "status": here.status,
            "open_cases": self.cases,
            "model": here.model,
            "firmware": here.firmware,
            "serial": here.serial,
            "owner": here.owner,
            "power": here.power,
            "payload_format": here.payload_format,
        }


class LookedAfter(NamedTuple):
    """A sensor, all that is wrong with it, and what tells it."""

    registered: Registered
    #: the most urgent first
    problems: tuple[str, ...]
    #: None without readings that have the device's own time
    clock: SensorClock | None
    #: forecast of the day on which the battery is empty
    empty_on: date | None
    #: day of the next maintenance
    due_on: date | None


def look_after(
    connection: Connection, limits: Health, *, now: datetime, **chosen: Unpack[Chosen]
) -> list[LookedAfter]:
    """Find what is wrong with sensors, by municipality and key."""
    clocks = {
        (c.municipality, c.sensor): c for c in sensor_clocks(connection, **chosen)
    }
    since = now.date() - timedelta(days=battery.DAYS)
    ends = {
        told.sensor_id: battery.end(told.days, told.levels)
        for told in battery_days(connection, **chosen, since=since)
    }
    town = chosen["municipality"]
    due = maintenance.due(connection, town) if town else {}
    found = []
    for device in list_devices(connection, **chosen, now=now):
        clock = clocks.get((device.municipality, device.key))
        empty_on, due_on = ends.get(device.sensor_id), due.get(device.key)
        wrong = problems(device, clock, empty_on, due_on, limits, now=now)
        found.append(LookedAfter(device, wrong, clock, empty_on, due_on))
    return found


def report_devices(
    connection: Connection,
    municipality: str,
    *,
    sensor: str | None = None,
    limits: Health,
    now: datetime,
) -> list[Device]:
    """Report how the sensors of a municipality are, or one, by key.

    What was observed is told up to the last hour that is judged.
    """
    chosen = Chosen(municipality=municipality, sensor=sensor)
    end = (now - JUDGING_DELAY).replace(minute=0, second=0, microsecond=0)
    found = look_after(connection, limits, **chosen, now=now)
    if not found:
        known.require(connection, municipality, sensor=sensor)
    day, week = (
        observed_of_sensors(connection, **chosen, start=end - length, end=end)
        for length in (DAY, WEEK)
    )
    cases = cases_of_sensors(connection, **chosen, now=now)
    return [
        Device(
            registered=device,
            condition=condition(device, wrong),
            problems=wrong,
            complete_day=share(day.get(device.sensor_id)),
            complete_week=share(week.get(device.sensor_id)),
            clock=clock,
            empty_on=empty_on,
            due_on=due_on,
            cases=cases.get(device.sensor_id, 0),
        )
        for device, wrong, clock, empty_on, due_on in found
    ]


def share(observed: Observed | None) -> float | None:
    """Return the share of the expected time that was observed."""
    if observed is None or observed.expected_s <= 0:
        return None
    return min(1.0, observed.observed_s / observed.expected_s)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
