"""Detectors of devices: of their clocks, and of their batteries."""

from datetime import UTC, datetime, timedelta

import polars as pl

from analytics.cases import alerts
from analytics.detectors import device_battery, device_clock, reasons
from analytics.frames import DEVICES

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_each_detector_finds_its_own_problem() -> None:
    rows = [
        (1, ["silent", "clock"], 120.0, None),
        (2, ["battery"], None, 15.0),
        (3, ["silent"], None, 90.0),
    ]
    devices = pl.DataFrame(
        [
            (channel, NOW, NOW + timedelta(minutes=1), problems, ahead, battery)
            for channel, problems, ahead, battery in rows
        ],
        schema=dict(DEVICES),
        orient="row",
    )
    columns = ("channel_id", "score", "reason")
    clocks, batteries = device_clock.detect(devices), device_battery.detect(devices)
    assert clocks.select(columns).rows() == [(1, 120, "device-clock")]
    assert batteries.select(columns).rows() == [(2, 85, "device-battery")]


def test_alerts_of_devices_are_of_reasons_that_are_there() -> None:
    assert set(alerts.OF_DEVICES) <= set(reasons())
