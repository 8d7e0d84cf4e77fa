"""What is told of a device: one record for a column of the list, which sorts it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

from analytics.reports.device_condition import CONDITIONS
from analytics.reports.devices import Device
from verkehrspuls.language import UNKNOWN_FIGURE, Language
from verkehrspuls.storage.clocks import AHEAD_S
from verkehrspuls.text import mark


class Reading(NamedTuple):
    """Who reads a column, where and when."""

    language: Language
    zone: str
    now: datetime


class Column(NamedTuple):
    """A column: its name in addresses, its heading, what sorts it, and its text."""

    name: str
    head: str
    #: None is last, however it is sorted
    value: Callable[[Device], Any]
    text: Callable[[Device, Reading], str]
    #: whether the greatest come first
    falls: bool = False


def _at(moment: datetime | None, reading: Reading) -> str:
    if moment is None:
        return UNKNOWN_FIGURE
    return reading.language.at(moment, reading.zone, now=reading.now)


def _clock(device: Device, reading: Reading) -> str:
    """Return how long after their interval readings come, or how far it is ahead."""
    if device.clock is None:
        return UNKNOWN_FIGURE
    seconds = device.clock.newest_offset_s
    amount = _length(abs(seconds), reading.language)
    if seconds < -AHEAD_S:
        return reading.language.phrase(mark("%(amount)s ahead"), amount=amount)
    return f"{'−' if seconds < 0 else '+'}{amount}"


def _length(seconds: float, language: Language) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{language.number(round(seconds / size))} {unit}"
    return f"{language.number(round(seconds))} s"


def _battery(device: Device, reading: Reading) -> str:
    """Return how full the battery is, and when it is empty."""
    level = device.registered.battery_pct
    if level is None:
        return UNKNOWN_FIGURE
    text = f"{reading.language.number(level)}\N{NARROW NO-BREAK SPACE}%"
    if device.empty_on is None:
        return text
    day = reading.language.plain_day(device.empty_on)
    return reading.language.phrase(
        mark("%(level)s, empty about %(day)s"), level=text, day=day
    )


def _measured(value: float | None, unit: str, language: Language) -> str:
    return UNKNOWN_FIGURE if value is None else f"{language.number(value)} {unit}"


#: after the name and the condition, which are columns of their own
COLUMNS: Final = (
    Column(
        "condition",
        mark("Condition"),
        lambda d: CONDITIONS.index(d.condition),
        lambda d, r: "",
    ),
    Column(
        "received",
        mark("Last message"),
        lambda d: d.registered.last_received_at,
        lambda d, r: _at(d.registered.last_received_at, r),
    ),
    Column(
        "reading",
        mark("Newest reading"),
        lambda d: d.registered.newest_reading_at,
        lambda d, r: _at(d.registered.newest_reading_at, r),
    ),
    Column(
        "interval",
        mark("Interval"),
        lambda d: d.registered.interval_s,
        lambda d, r: r.language.span(d.registered.interval_s),
    ),
    Column(
        "day",
        mark("Complete, 24 h"),
        lambda d: d.complete_day,
        lambda d, r: r.language.percent(d.complete_day),
    ),
    Column(
        "week",
        mark("Complete, 7 days"),
        lambda d: d.complete_week,
        lambda d, r: r.language.percent(d.complete_week),
    ),
    Column(
        "clock",
        mark("Clock"),
        lambda d: d.clock and abs(d.clock.newest_offset_s),
        _clock,
        falls=True,
    ),
    Column(
        "battery",
        mark("Battery"),
        lambda d: d.registered.battery_pct,
        _battery,
    ),
    Column(
        "due",
        mark("Maintenance"),
        lambda d: d.due_on,
        lambda d, r: r.language.plain_day(d.due_on) if d.due_on else "",
    ),
    Column(
        "signal",
        mark("Signal"),
        lambda d: d.registered.signal_dbm,
        lambda d, r: _measured(d.registered.signal_dbm, "dBm", r.language),
    ),
    Column(
        "cases",
        mark("Open cases"),
        lambda d: d.cases,
        lambda d, r: r.language.number(d.cases),
        falls=True,
    ),
    Column(
        "firmware",
        mark("Firmware"),
        lambda d: d.registered.firmware or None,
        lambda d, r: d.registered.firmware,
    ),
    Column(
        "model",
        mark("Model"),
        lambda d: d.registered.model or None,
        lambda d, r: d.registered.model,
    ),
)
BY_NAME: Final = {column.name: column for column in COLUMNS}


def in_order(devices: list[Device], sort: str) -> list[Device]:
    """Sort devices by a column; `-` before its name turns it round."""
    column = BY_NAME.get(sort.removeprefix("-"))
    if column is None:
        return sorted(devices, key=lambda d: d.registered.name.casefold())
    known = [device for device in devices if column.value(device) is not None]
    known.sort(key=column.value, reverse=column.falls != sort.startswith("-"))
    return known + [device for device in devices if column.value(device) is None]
