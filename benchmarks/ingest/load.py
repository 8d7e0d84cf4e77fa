"""Messages of a bench, and the process that publishes them."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import msgspec

from benchmarks.ingest.parts import SENSORS, START, Parts


def message(number: int, readings: int) -> tuple[str, bytes]:
    """Return topic and payload of the message with a number."""
    sensor, batch = number % SENSORS, number // SENSORS
    intervals = [
        {
            "time": START + timedelta(minutes=batch * readings + i),
            "interval_s": 60,
            "seq": batch * readings + i,
            "counts": [
                {
                    "channel": "1",
                    "classes": {"car": number % 40, "truck": number % 5},
                    "speed_kmh": 47.3,
                }
            ],
        }
        for i in range(readings)
    ]
    body = intervals if readings > 1 else intervals[0]
    return f"vp/v1/bench/s{sensor}/counts", msgspec.json.encode(body)


@contextmanager
def prepared(
    parts: Parts, messages: int, readings: int, *, rate: float
) -> Iterator[Callable[..., Any]]:
    """Prepare the load in a separate process; the yielded function starts it."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "benchmarks.ingest.publish", parts.publish),
            *map(str, (messages, readings, 0, rate)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )

    def publish(*, wait: bool = True) -> Callable[[], None] | None:
        process.stdin.write(b"go\n")  # type: ignore[union-attr]  # a pipe
        process.stdin.flush()  # type: ignore[union-attr]  # a pipe
        if not wait:
            return finish
        finish()
        return None

    def finish() -> None:
        process.communicate()
        if process.returncode:
            raise RuntimeError("the load could not be published")

    process.stdout.readline()  # type: ignore[union-attr]  # a pipe
    yield publish
