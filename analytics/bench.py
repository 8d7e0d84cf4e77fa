"""How fast readings become volumes, in this process, without a database.

Readings are made and added up chunk by chunk, as the worker claims them, so that memory
is bounded by the chunk. Compared is with one bare sum per channel and hour of the same
readings in the same run: what the classes, the share observed and the speeds cost.
"""

import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import polars as pl

from analytics.frames import COUNT_READINGS
from analytics.volumes import volumes
from verkehrspuls.classes import COUNTS, MOTOR_CLASSES

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
CHANNELS: Final = 200
INTERVAL_S: Final = 300
#: rows that are made and added up at once
CHUNK: Final = 500_000


def run(readings: int) -> dict[str, Any]:
    """Measure; rows per second of wall clock."""
    volumes_s = bare_s = 0.0
    bins = 0
    for chunk in _chunks(readings):
        began = time.perf_counter()
        bins += volumes(chunk).height
        volumes_s += time.perf_counter() - began
        began = time.perf_counter()
        chunk.group_by("channel_id", pl.col("time").dt.truncate("1h")).agg(
            pl.sum("car")
        )
        bare_s += time.perf_counter() - began
    return {
        "readings": readings,
        "volumes": bins,
        "rollup_rows_per_s": round(readings / volumes_s),
        "bare_rows_per_s": round(readings / bare_s),
        "bare_ratio": round(bare_s / volumes_s, 3),
        # kilobytes on Linux
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _chunks(readings: int) -> Iterator[pl.DataFrame]:
    dice = np.random.default_rng(1)
    for first in range(0, readings, CHUNK):
        number = np.arange(first, min(first + CHUNK, readings))
        counts = {
            name: dice.poisson(8, number.size)
            if name in MOTOR_CLASSES
            else pl.repeat(None, number.size, eager=True)
            for name in COUNTS
        }
        yield pl.DataFrame(
            {
                "channel_id": number % CHANNELS,
                "time": pl.Series(number // CHANNELS * INTERVAL_S * 1_000_000).cast(
                    pl.Duration("us")
                )
                + START,
                "interval_s": np.full(number.size, INTERVAL_S),
                **counts,
                "speed_kmh": dice.normal(50, 8, number.size),
                "quantity": pl.repeat("motor", number.size, eager=True),
            }
        ).cast(dict(COUNT_READINGS))  # type: ignore[arg-type]
