"""The same messages through Node-RED, with typical flows.

Measured where the program `node-red` is found, by `NODE_RED` or in PATH, and the
package `pg` is installed next to it (`npm install node-red pg`). Its flows, in
`node_red.json`: a thousand messages joined and stored by one `json_to_recordset`, and a
statement for each message. Both use a persistent session at QoS 1, and a pool of ten
connections that gives up after ten seconds, as the usual nodes for PostgreSQL do.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal
from urllib.parse import urlsplit

from benchmarks.ingest.load import prepared
from benchmarks.ingest.parts import Parts, start_parts, wait
from benchmarks.ingest.runs import KILL_LOAD, KILLS_S
from verkehrspuls.storage.database import Connection, connect

Flow = Literal["batch", "row"]

#: fewer messages for the slower flow
MESSAGES: Final[dict[Flow, int]] = {"batch": 50_000, "row": 8_000}
#: without new rows for this time, no more will come: the pool gives up after 10 s
IDLE_S: Final = 12
FIRST_ROW_TIMEOUT_S: Final = 60
_SETTINGS: Final = """
const { Pool } = require("pg");
module.exports = {
  uiHost: "127.0.0.1",
  uiPort: 0,
  httpAdminRoot: false,
  httpNodeRoot: false,
  logging: { console: { level: "info" } },
  functionGlobalContext: {
    pool: () => new Pool({
      connectionString: process.env.BENCH_DATABASE,
      max: 10,
      connectionTimeoutMillis: 10000,
    }),
  },
};
"""


def run_flows() -> dict[str, int | None]:
    """Measure both flows, and the losses of the faster one when it is killed.

    Null if Node-RED or Mosquitto is not installed.
    """
    found: dict[str, int | None] = {
        "node_red_batch_per_s": None,
        "node_red_batch_lost": None,
        "node_red_row_per_s": None,
        "node_red_row_lost": None,
        "node_red_killed_lost": None,
    }
    program = _program()
    if program is None:
        return found
    with start_parts() as parts:
        if parts.broker_name != "mosquitto":
            return found
        for flow, messages in MESSAGES.items():
            per_s, lost = _run(program, flow, parts, messages)
            found |= {f"node_red_{flow}_per_s": per_s, f"node_red_{flow}_lost": lost}
        rate, seconds = KILL_LOAD
        _, lost = _run(
            program, "batch", parts, rate * seconds, rate=rate, kills_s=KILLS_S
        )
        found["node_red_killed_lost"] = lost
    return found


def _program() -> Path | None:
    found = shutil.which(os.environ.get("NODE_RED", "node-red"))
    if found is None:
        return None
    program = Path(found).resolve()
    return program if (_modules(program) / "pg").is_dir() else None


def _modules(program: Path) -> Path:
    return program.parents[1]


def _run(
    program: Path,
    flow: Flow,
    parts: Parts,
    messages: int,
    *,
    rate: float = 0,
    kills_s: tuple[float, ...] = (),
) -> tuple[int, int]:
    """Publish messages; return how many were stored per second, and how many never."""
    with (
        connect(parts.database, autocommit=True) as connection,
        prepared(parts, messages, 1, rate=rate) as publish,
    ):
        connection.execute("drop table if exists node_red")
        connection.execute(
            "create table node_red (sensor text, time timestamptz, car integer, "
            "truck integer, speed_kmh real, primary key (sensor, time))"
        )
        with _running(program, flow, parts) as start:
            process = start()
            began = time.perf_counter()
            finish = publish(wait=False)
            for kill_s in kills_s:
                time.sleep(max(0, began + kill_s - time.perf_counter()))
                process.kill()
                process = start()
            stored, took = _settled(connection, messages, began)
        finish()
    return round(stored / took), messages - stored


@contextmanager
def _running(
    program: Path, flow: Flow, parts: Parts
) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Yield a function that starts Node-RED and waits until it subscribes."""
    broker = urlsplit(parts.broker)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="vp-")))
        (directory / "settings.js").write_text(_SETTINGS)
        (directory / "flows.json").write_text(_flow(flow))
        log = stack.enter_context((directory / "log").open("wb"))

        def start() -> subprocess.Popen[bytes]:
            before = connections()
            process = subprocess.Popen(
                [program, "--userDir", directory, "flows.json"],
                env=os.environ
                | {
                    "NODE_PATH": str(_modules(program)),
                    "BENCH_DATABASE": parts.database,
                    "BENCH_HOST": broker.hostname or "",
                    "BENCH_PORT": str(broker.port),
                },
                stdout=log,
                stderr=log,
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)

            def missing() -> str:
                if process.poll() is not None:
                    raise RuntimeError((directory / "log").read_text())
                return "" if connections() > before else "Node-RED at the broker"

            wait(missing)
            return process

        def connections() -> int:
            return (directory / "log").read_bytes().count(b"Connected to broker")

        yield start


def _flow(flow: Flow) -> str:
    """Return the nodes of one flow, and the broker of both."""
    nodes = json.loads((files(__package__) / "node_red.json").read_text())
    return json.dumps([one for one in nodes if one.get("z", flow) == flow])


def _settled(connection: Connection, messages: int, began: float) -> tuple[int, float]:
    """Wait for all rows, or until no more come; return their number and the seconds."""
    stored, changed = 0, time.perf_counter()
    while stored < messages:
        row = connection.execute("select count(*) from node_red").fetchone() or (0,)
        now = time.perf_counter()
        if row[0] > stored:
            stored, changed = row[0], now
        # at first it is busy reading
        elif now - changed > (IDLE_S if stored else FIRST_ROW_TIMEOUT_S):
            break
        time.sleep(0.1)
    return stored, changed - began
