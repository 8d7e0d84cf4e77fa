"""Detector device-battery: a battery has to be changed soon.

It has less than `health.battery_pct`, or is forecast to be empty within
`health.battery_days`; see `analytics.devices.battery`.
"""

from typing import Final

import polars as pl

from analytics.detectors.device_clock import wrong
from analytics.detectors.record import Detector, Reason
from verkehrspuls.text import mark


def detect(devices: pl.DataFrame) -> pl.DataFrame:
    """Find HITS in DEVICES."""
    used = 100 - pl.col("battery_pct").fill_null(0)
    return wrong(devices, "battery", score=used, reason=pl.lit("device-battery"))


DETECTOR: Final = Detector(
    code="device-battery",
    name=mark("batteries that end"),
    evidence=mark("%(score)s percent of the battery are used"),
    reasons=(
        Reason(
            code="device-battery",
            word=mark("battery low"),
            sentence=mark("the battery of the device is low"),
            severity=1,
            names=12,
        ),
    ),
    judges="devices",
    score="percent used",
    whole_score=True,
    devices=detect,
    family="device",
)
