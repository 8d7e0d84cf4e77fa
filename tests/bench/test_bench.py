"""The benches measure what they say; no figure is asserted, only that all is there."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest


def bench(*arguments: str) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, "-m", "verkehrspuls", "bench", *arguments, "--json"],
        env={**os.environ},
        capture_output=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def test_ingest_is_measured_and_nothing_is_lost() -> None:
    found = bench("ingest", "--messages", "600")
    assert found["lost"] == 0
    assert found["duplicates"] == 0
    assert found["balanced"] is True
    rates = ("stock_per_s", "backlog_1_per_s", "backlog_2_per_s", "live_per_s")
    assert all(found[name] > 0 for name in (*rates, "readings_per_s", "copy_ratio"))
    assert all(
        found[f"cpu_us_{part}"] >= 0 for part in ("worker", "database", "broker")
    )
    # null where there is no TimescaleDB
    assert {"timescale_backlog_1_per_s", "timescale_backlog_2_per_s"} <= found.keys()
    assert 0 < found["p50_ms"] <= found["p99_ms"]
    assert found["outage_rss_mb"] > 0


@pytest.mark.parametrize("readings", ["1000", "700000"])
def test_rollup_is_measured(readings: str) -> None:
    found = bench("analytics", "--readings", readings)
    assert found["volumes"] > 0
    assert found["rollup_rows_per_s"] > 0
    assert found["bare_ratio"] > 0
