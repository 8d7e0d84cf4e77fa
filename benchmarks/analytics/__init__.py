"""Speed of analytics: in memory compared with other tools, and with the database.

Everything is measured in one run, because machines differ: compare ratios. Readings are
generated chunk by chunk, as the worker claims them, so the chunk bounds the memory;
`peak_mb` is the memory of this process before the other tools run.
"""

import resource
import time
from typing import Any, Final

import polars as pl

from analytics.volumes.volume import volumes
from benchmarks.analytics import database, figures, fresh, made, peers

#: readings passed to the other tools at once, which suits them better than many claims
PEER_READINGS: Final = 2_400_000
#: weeks of data for baseline and detectors: more than the baseline looks back
FIGURE_WEEKS: Final = 10
#: seconds of publishing over MQTT
PUBLISH_S: Final = 20


def run(
    readings: int, *, loaded: int = 4_000_000, year: bool = False
) -> dict[str, Any]:
    """Measure; results are rows per second of wall clock.

    The rollup processes `readings`; `loaded` readings pass through the database, or
    those of a whole year if `year` is set.
    """
    # the database first: a child process is reported with the memory of its parent
    result: dict[str, Any] = database.measure(
        database.YEAR_READINGS if year else min(loaded, readings)
    )
    result |= fresh.measure(min(PUBLISH_S, 2 + readings // 500_000))
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
