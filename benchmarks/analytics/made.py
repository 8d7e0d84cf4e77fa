"""Readings for the bench: a town of 200 channels, counted every five minutes.

Each site has the daily course of a street, in classes of TLS 8+1 and with a speed; each
run generates the same readings.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from analytics.frames import COUNT_READINGS
from verkehrspuls.classes import COUNTS, MOTOR_CLASSES
from verkehrspuls.model import Channel, Installation, Sensor, Site, Town

#: a Wednesday; all generated readings lie in the past
START: Final = datetime(2025, 1, 1, tzinfo=UTC)
SITES: Final = 20
LANES: Final = 10
CHANNELS: Final = SITES * LANES
INTERVAL_S: Final = 300
ZONE: Final = "Europe/Berlin"
PER_HOUR: Final = 3600 // INTERVAL_S
#: hours of all channels generated at once: as many channel hours as in a claim
CHUNK_H: Final = 100

#: vehicles in five minutes of the busiest hour, by class
_BUSY: Final = dict(zip(MOTOR_CLASSES, (1, 1, 25, 3, 1, 1, 1, 1, 1), strict=True))
#: share of them in each hour of the local clock, in percent
_BY_HOUR: Final = np.array([
    5, 3, 2, 2, 4, 12, 40, 85, 90, 70, 62, 64,
    66, 64, 68, 80, 98, 100, 80, 56, 40, 28, 18, 10,
])  # fmt: skip


def hours_of(readings: int) -> int:
    """Return how many hours of the town contain at least this many readings."""
    return -(-readings // (CHANNELS * PER_HOUR))


def chunks(hours: int) -> Iterator[pl.DataFrame]:
    """Yield COUNT_READINGS of this many hours, chunk by chunk."""
    for first in range(0, hours, CHUNK_H):
        yield readings(first, min(CHUNK_H, hours - first))


def readings(first: int, hours: int) -> pl.DataFrame:
    """Generate COUNT_READINGS of hours from START on, sorted by channel and time."""
    dice = np.random.default_rng(first)
    began = START + timedelta(hours=first)
    times = pl.datetime_range(
        began,
        began + timedelta(hours=hours),
        timedelta(seconds=INTERVAL_S),
        closed="left",
        eager=True,
    )
    rows = CHANNELS * len(times)
    local_hour = times.dt.convert_time_zone(ZONE).dt.hour().to_numpy()
    share = np.tile(_BY_HOUR[local_hour] / 100, CHANNELS)
    empty = pl.repeat(None, rows, dtype=pl.Int32, eager=True)
    counts = {
        name: dice.poisson(_BUSY[name] * share) if name in _BUSY else empty
        for name in COUNTS
    }
    return pl.DataFrame(
        {
            "channel_id": np.repeat(np.arange(1, CHANNELS + 1), len(times)),
            "time": pl.concat([times] * CHANNELS),
            "interval_s": np.full(rows, INTERVAL_S),
            **counts,
            "speed_kmh": dice.normal(50, 4, rows),
            "quantity": pl.repeat("motor", rows, eager=True),
        }
    ).cast(pl.Schema(COUNT_READINGS))


def town() -> Town:
    """Return the town; channels are numbered in the order of registration."""
    numbers = [(site, lane) for site in range(SITES) for lane in range(LANES)]
    since = START - timedelta(days=1)
    return Town(
        key="bench",
        name="Bench",
        state="RP",
        sites=tuple(
            Site(
                key=f"site-{site}",
                name=f"Site {site}",
                channels=tuple(
                    Channel(
                        key=f"lane-{lane}",
                        name=f"Lane {lane}",
                        quantity="motor",
                        direction=("in", "out")[lane % 2],
                    )
                    for lane in range(LANES)
                ),
            )
            for site in range(SITES)
        ),
        sensors=tuple(
            Sensor(
                key=f"sensor-{site}-{lane}",
                name=f"Sensor {site} {lane}",
                interval_s=INTERVAL_S,
                class_scheme="tls-8+1",
                installations=(
                    Installation(
                        site=f"site-{site}",
                        channel=f"lane-{lane}",
                        output="1",
                        since=since,
                    ),
                ),
            )
            for site, lane in numbers
        ),
    )
