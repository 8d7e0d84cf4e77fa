"""How fast analytics is: in memory beside its peers, and from the database.

Everything is measured in one run, because machines differ: compare ratios. Readings
are made chunk by chunk, as the worker claims them, so memory is bounded by the chunk.
"""

import resource
import time
from typing import Any, Final

import polars as pl

from analytics.bench import database, figures, fresh, made, peers
from analytics.volumes import volumes

#: readings that peers are given at once, which is better for them than many claims
PEER_READINGS: Final = 2_400_000
#: weeks of the town for baseline and detectors: some more than the baseline looks back
FIGURE_WEEKS: Final = 10
#: seconds of readings over MQTT
FRESH_S: Final = 20


def run(
    readings: int, *, loaded: int = 1_000_000, year: bool = False
) -> dict[str, Any]:
    """Measure; rows per second of wall clock.

    Of `readings` the rollup; `loaded` go through the database, those of a whole year
    where `year` is asked for.
    """
    result: dict[str, Any] = {"readings": readings}
    result |= _rollup(readings)
    for name in ("duckdb", "pandas"):
        peer = result[f"{name}_rows_per_s"]
        result[f"{name}_ratio"] = peer and round(result["rollup_rows_per_s"] / peer, 2)
    rate, detectors = figures.rates(min(FIGURE_WEEKS * 168, made.hours_of(readings)))
    result |= {"baseline_rows_per_s": rate, "detectors_rows_per_s": detectors}
    result |= database.measure(database.YEAR if year else min(loaded, readings))
    result |= fresh.measure(min(FRESH_S, 2 + readings // 500_000))
    # kilobytes on Linux
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return result | {"peak_mb": round(peak)}


def _rollup(readings: int) -> dict[str, Any]:
    """Measure the rollup claim by claim, and that of the peers on the first part."""
    took, rows, bins = 0.0, 0, 0
    for chunk in made.chunks(made.hours_of(readings)):
        began = time.perf_counter()
        bins += volumes(chunk).height
        took += time.perf_counter() - began
        rows += chunk.height
    rollup_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    chunks = made.chunks(made.hours_of(min(readings, PEER_READINGS)))
    first = pl.concat(chunks).sort("channel_id", "time")
    return {
        "volumes": bins,
        "rollup_rows_per_s": round(rows / took),
        "rollup_peak_mb": round(rollup_mb),
        "peer_readings": first.height,
        **peers.compared(first, volumes(first)),
    }
