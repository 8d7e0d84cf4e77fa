"""Time to compute all figures and cases from readings in the database."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from analytics.jobs import health_store
from analytics.jobs.store import open_store
from benchmarks.analytics import made
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import Health
from verkehrspuls.storage.database import Connection, connect
from verkehrspuls.storage.migrate import migrate

if TYPE_CHECKING:
    from verkehrspuls.stack.postgres import PostgresServer

#: number of readings of the town in a year
YEAR_READINGS: Final = 365 * 24 * made.CHANNELS * made.PER_HOUR


@contextmanager
def empty_database() -> "Iterator[PostgresServer]":
    """Run a database with all tables for the bench."""
    from verkehrspuls.stack.postgres import PostgresServer

    with tempfile.TemporaryDirectory(prefix="vp-") as folder:
        directory = Path(folder)
        directory.chmod(0o755)  # as root the server runs as another account
        with PostgresServer(directory / "postgres") as server:
            migrate(server.url)
            yield server


@contextmanager
def database() -> "Iterator[PostgresServer]":
    """Run a database with the bench's town."""
    with empty_database() as server:
        with connect(server.url) as connection:
            register(connection, made.town())
        yield server


def load(connection: Connection, hours: int) -> int:
    """Copy readings into the database; return their number."""
    total = 0
    for chunk in made.chunks(hours):
        rows = chunk.drop("quantity").with_columns(
            sensor_id="channel_id", received_at="time"
        )
        connection.execute(
            "select ensure_range('count_reading', %s, %s)",
            [chunk["time"].min(), chunk["time"].max()],
        )
        columns = ", ".join(rows.columns)
        with connection.cursor().copy(
            f"copy count_reading ({columns}) from stdin (format csv)"
        ) as copy:
            for part in rows.iter_slices(25_000):
                text = part.write_csv(
                    include_header=False, datetime_format="%Y-%m-%d %H:%M:%S%:z"
                )
                copy.write(text.encode())
        total += rows.height
    connection.commit()
    return total


def measure(readings: int) -> dict[str, float | int]:
    """Load readings and compute all their figures and cases, as a user would.

    `end_to_end_rows_per_s` covers the whole command, with two processes; the worker
    judges health afterwards, which is measured here in one process.
    """
    hours = made.hours_of(readings)
    with database() as server:
        url = server.url
        with connect(url) as connection:
            loaded = load(connection, hours)
        with connect(url, autocommit=True) as connection:
            connection.execute("vacuum analyze")
        began = time.perf_counter()
        peak_mb = _recompute(url)
        took = time.perf_counter() - began
        began = time.perf_counter()
        with open_store(url, application="bench") as store:
            while health_store.judge(store, Health(), now=datetime.now(UTC)):
                pass
        health_s = time.perf_counter() - began
    return {
        "end_to_end_readings": loaded,
        "end_to_end_rows_per_s": round(loaded / took),
        "end_to_end_peak_mb": round(peak_mb),
        "health_rows_per_s": round(loaded / health_s),
        "year_200_channels_s": round(YEAR_READINGS / loaded * took, 1),
        "year_200_channels_measured_readings": loaded,
    }


def _recompute(url: str) -> float:
    """Run the command; return the greatest memory of one of its processes in MB."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "verkehrspuls", "analytics", "recompute"),
            "--no-progress",
        ],
        env={
            "VERKEHRSPULS_DATABASE__URL": url,
            "VERKEHRSPULS_LOG__LEVEL": "error",
        },
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError("the figures could not be recomputed")
    # kilobytes on Linux
    return used.ru_maxrss / 1024
