"""How fast readings get from the broker into the database, on separate parts.

The database is the embedded one, the broker Mosquitto where it is installed, else the
embedded one. Everything shares the machine: load, broker, workers, database. Each
figure is of one run; compare ratios within it.

- backlog: published while no worker runs, then drained. Workers are paused when they
  have their slots, just before they connect to the broker, and timing begins when all
  are resumed, so that it excludes process start. With one worker and with two (`_2_`),
  of messages with one reading and with many (`readings_`).
- live: published while the worker runs, from the first message to the last commit
- latency: at a moderate rate, from publishing to the commit, seen by a connection that
  polls every few milliseconds; not in the first second, when everything is new to
  worker and database, the partition too
- cpu_us: CPU of worker, database and broker per message of the backlog; it depends
  less on what else runs than the rates do
- outage: the worker's memory with the database down and its queue full, and how much
  that grows until the database is back
- copy_ratio: the bare COPY of the same rows, without key, ledger or broker, takes this
  share of the time of draining them; for messages with many readings, and with one
- timescale: the same backlog into TimescaleDB, where a checkout has one for its tests
- killed: outcomes of messages while the worker was killed twice with -9 and started
  again; some are delivered twice and counted as duplicates
- node_red: the same messages live through flows of Node-RED, where it is installed, and
  how many of them never arrive; `node_red_killed_lost` after the same two kills. It
  neither checks nor counts what it stores; see `benchmarks.ingest.node_red`.

Lost, duplicates and balance cover all other runs together.
"""

from typing import Any

from benchmarks.ingest.node_red import run_flows
from benchmarks.ingest.parts import has_timescale
from benchmarks.ingest.runs import OUTAGE_S, Bench

__all__ = ["Bench", "run"]


def run(messages: int, *, multi: int = 100) -> dict[str, Any]:
    """Measure; `messages` with one reading each, and fewer with `multi` each."""
    bench = Bench(most_per_s=messages)
    found = bench.backlog(messages // 3, bulk=False)
    result: dict[str, Any] = {
        "messages": messages,
        "broker": bench.broker,
        "stock_per_s": found["per_s"],
    }
    found = bench.backlog(messages)
    result["backlog_1_per_s"] = found["per_s"]
    result |= {name: found[name] for name in found if name.startswith("cpu_us")}
    result["copy_ratio_single"] = found["copy_ratio"]
    result["backlog_2_per_s"] = bench.backlog(messages, workers=2)["per_s"]
    result |= bench.live(messages)
    found = bench.backlog(3 * messages // multi, readings=multi)
    result["readings_per_s"] = found["per_s"] * multi
    result["cpu_us_per_reading"] = round(found["cpu_us_worker"] / multi, 1)
    result["copy_ratio"] = found["copy_ratio"]
    found = bench.backlog(3 * messages // multi, readings=multi, workers=2)
    result["readings_2_per_s"] = found["per_s"] * multi
    result |= bench.latency()
    result |= bench.outage(OUTAGE_S)
    for workers in (1, 2):
        name = f"timescale_backlog_{workers}_per_s"
        result[name] = None
        if has_timescale():
            found = bench.backlog(messages, workers=workers, timescale=True)
            result[name] = found["per_s"]
    result |= bench.killed()
    result |= run_flows()
    result["lost"] = sum(account.lost for account in bench.accounts)
    result["duplicates"] = sum(account.duplicates for account in bench.accounts)
    result["balanced"] = all(account.balanced for account in bench.accounts)
    return result
