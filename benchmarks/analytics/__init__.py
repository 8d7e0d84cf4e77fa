"""How fast analytics is: in memory beside its peers, and from the database.

Everything is measured in one run, because machines differ: compare ratios. Readings
are made chunk by chunk, as the worker claims them, so memory is bounded by the chunk;
`peak_mb` is that of this process before the peers are measured.
"""

import resource
import time
from typing import Any, Final

import polars as pl

from analytics.volumes.volume import volumes
from benchmarks.analytics import database, figures, fresh, made, peers

#: readings that peers are given at once, which is better for them than many claims
PEER_READINGS: Final = 2_400_000
#: weeks of the town for baseline and detectors: some more than the baseline looks back
FIGURE_WEEKS: Final = 10
#: seconds of readings over MQTT
FRESH_S: Final = 20


def run(
    readings: int, *, loaded: int = 4_000_000, year: bool = False
) -> dict[str, Any]:
    """Measure; rows per second of wall clock.

    Of `readings` the rollup; `loaded` go through the database, those of a whole year
    where `year` is asked for.
    """
    # the database first: a process is said to have had the memory of its parent
    result: dict[str, Any] = database.measure(
        database.YEAR if year else min(loaded, readings)
    )
    result |= fresh.measure(min(FRESH_S, 2 + readings // 500_000))
    result |= {"readings": readings, **_rollup(readings)}
    rate, detectors = figures.rates(min(FIGURE_WEEKS * 168, made.hours_of(readings)))
    result |= {"baseline_rows_per_s": rate, "detectors_rows_per_s": detectors}
    result["peak_mb"] = _peak_mb()
    result |= _compared(min(readings, PEER_READINGS))
    for name in ("duckdb", "pandas"):
        peer = result[f"{name}_rows_per_s"]
        result[f"{name}_ratio"] = peer and round(result["rollup_rows_per_s"] / peer, 2)
    return result


def _rollup(readings: int) -> dict[str, int]:
    """Measure the rollup claim by claim."""
    took, rows, bins = 0.0, 0, 0
    for chunk in made.chunks(made.hours_of(readings)):
        began = time.perf_counter()
        bins += volumes(chunk).height
        took += time.perf_counter() - began
        rows += chunk.height
    return {
        "volumes": bins,
        "rollup_rows_per_s": round(rows / took),
        "rollup_peak_mb": _peak_mb(),
    }


def _compared(readings: int) -> dict[str, Any]:
    """Measure the peers on the first readings, and compare what they find."""
    chunks = made.chunks(made.hours_of(readings))
    first = pl.concat(chunks).sort("channel_id", "time")
    return {"peer_readings": first.height, **peers.compared(first, volumes(first))}


def _peak_mb() -> int:
    # kilobytes on Linux
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
