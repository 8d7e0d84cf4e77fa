"""What is wrong with a device, as whoever looks after it has to know. Pure."""

from datetime import date, datetime, timedelta
from typing import Final

from analytics.detectors import silence
from verkehrspuls.settings import Health
from verkehrspuls.storage.clocks import SensorClock
from verkehrspuls.storage.devices import Registered

#: Conditions, the most urgent first: of several a device has the first as its own.
SILENT: Final = "silent"
CLOCK: Final = "clock"
BATTERY: Final = "battery"
MAINTENANCE: Final = "maintenance"
WAITING: Final = "waiting"
REPORTING: Final = "reporting"
IMPORTED: Final = "imported"
#: what needs nobody, by what is registered
RESTING: Final = ("planned", "out-of-service", "dismantled")
CONDITIONS: Final = (
    *(SILENT, CLOCK, BATTERY, MAINTENANCE, WAITING, REPORTING, IMPORTED),
    *RESTING,
)


def problems(
    device: Registered,
    clock: SensorClock | None,
    empty_on: date | None,
    due_on: date | None,
    limits: Health,
    *,
    now: datetime,
) -> tuple[str, ...]:
    """Return what is wrong with a device in service, the most urgent first."""
    if device.status in RESTING or not device.attached:
        return ()
    found = {
        SILENT: is_silent(device, now=now),
        CLOCK: clock is not None and clock.minutes_ahead is not None,
        BATTERY: is_low(device.battery_pct, empty_on, limits, today=now.date()),
        MAINTENANCE: due_on is not None and due_on <= now.date(),
    }
    return tuple(name for name, holds in found.items() if holds)


def condition(device: Registered, found: tuple[str, ...]) -> str:
    """Return the condition of a device with its `problems`."""
    if device.status in RESTING:
        return device.status
    if not device.attached:
        return "out-of-service"
    if found:
        return found[0]
    if device.last_received_at is None:
        return WAITING
    return IMPORTED if device.imported else REPORTING


def is_silent(device: Registered, *, now: datetime) -> bool:
    """Return whether a device that sent before fails to, as the detector judges it."""
    if device.last_received_at is None or device.imported:
        return False
    bound_s = silence.bound_s(device.interval_s)
    return now - device.last_received_at > timedelta(seconds=bound_s)


def is_low(
    battery_pct: float | None, empty_on: date | None, limits: Health, *, today: date
) -> bool:
    """Return whether a battery has to be changed soon."""
    if battery_pct is not None and battery_pct < limits.battery_pct:
        return True
    return empty_on is not None and (empty_on - today).days < limits.battery_days
