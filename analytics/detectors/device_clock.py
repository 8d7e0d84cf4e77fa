"""Detector device-clock: a device's time is ahead of when its readings come.

Its newest reading ends more than five minutes after it was received, so the reading is
of another time than it says. A clock that is behind looks like a message that is late:
the test of health `clock-offset` finds it by the profile of the day.
"""

from typing import Final

import polars as pl

from analytics.detectors.record import Detector, Reason
from analytics.frames import HITS, check
from verkehrspuls.text import mark


def detect(devices: pl.DataFrame) -> pl.DataFrame:
    """Find HITS in DEVICES."""
    reason = pl.lit("device-clock")
    return wrong(devices, "clock", score=pl.col("ahead_min"), reason=reason)


def wrong(
    devices: pl.DataFrame, problem: str, *, score: pl.Expr, reason: pl.Expr
) -> pl.DataFrame:
    """Return HITS of the devices with a problem; nothing is observed, or usual."""
    return check(
        devices.filter(pl.col("problems").list.contains(problem)).with_columns(
            observed=pl.lit(None, pl.Float64),
            usual=pl.lit(None, pl.Float64),
            score=score.cast(pl.Float64),
            reason=reason,
        ),
        HITS,
    )


DETECTOR: Final = Detector(
    code="device-clock",
    name=mark("clocks of devices that are wrong"),
    evidence=mark("the clock is %(score)s minutes ahead"),
    reasons=(
        Reason(
            code="device-clock",
            word=mark("wrong clock"),
            sentence=mark("the clock of the device is wrong"),
            severity=1,
            names=11,
        ),
    ),
    judges="devices",
    score="minutes ahead",
    whole_score=True,
    devices=detect,
    family="device",
)
