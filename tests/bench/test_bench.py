"""The benches measure what they say; no figure is asserted, only that all is there."""

import json
import os
import subprocess
import sys
from typing import Any


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
    many = ("readings_per_s", "readings_2_per_s", "copy_ratio")
    assert all(found[name] > 0 for name in (*rates, *many))
    assert all(
        found[f"cpu_us_{part}"] >= 0 for part in ("worker", "database", "broker")
    )
    # null where there is no TimescaleDB
    assert {"timescale_backlog_1_per_s", "timescale_backlog_2_per_s"} <= found.keys()
    assert 0 < found["p50_ms"] <= found["p99_ms"]
    assert found["outage_rss_mb"] > 0
    assert found["killed_lost"] == 0
    assert found["killed_balanced"] is True
    # null where Node-RED is not installed
    assert {"node_red_batch_per_s", "node_red_killed_lost"} <= found.keys()


def test_analytics_is_measured_beside_its_peers() -> None:
    found = bench("analytics", "--readings", "60000", "--loaded", "50000")
    rates = ("rollup", "baseline", "end_to_end", "health")
    assert all(found[f"{name}_rows_per_s"] > 0 for name in rates)
    assert found["detectors_rows_per_s"].keys() >= {"stuck", "spike", "drift"}
    assert all(rate > 0 for rate in found["detectors_rows_per_s"].values())
    # null where they are not installed
    for peer in ("duckdb", "pandas"):
        assert {f"{peer}_rows_per_s", f"{peer}_ratio"} <= found.keys()
    assert found["peers_agree"] is not False
    assert found["year_200_channels_s"] > 0
    assert found["year_200_channels_measured_readings"] >= 50_000
    assert 0 < found["fresh_p50_s"] <= found["fresh_p99_s"] <= found["fresh_s"]
    assert 0 < found["rollup_peak_mb"] <= found["peak_mb"]
    assert found["end_to_end_peak_mb"] > 0


def test_pages_are_measured_with_many_sites() -> None:
    found = bench("pages", "--sites", "300")
    assert (found["sites"], found["towns"]) == (300, 13)
    pages = ("overview", "town", "small_town", "site", "ledger", "ranking", "metrics")
    for name in (*pages, "sites_of_all", "sites_of_town", "geojson"):
        assert found[f"{name}_status"] == 200
        assert found[f"{name}_s"] > 0
        assert found[f"{name}_kb"] > 0
    assert found["overview_again_s"] > 0
