"""Time from publishing a reading until pages can read the changed bin."""

import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.analytics import made
from benchmarks.analytics.database import database
from verkehrspuls.mqtt import Publisher
from verkehrspuls.storage.database import connect
from verkehrspuls.storage.roles import ANALYTICS, INGEST
from verkehrspuls.storage.sites import list_sites
from verkehrspuls.storage.volumes import read_volumes

TIMEOUT_S: Final = 60
POLL_S: Final = 0.02


def measure(seconds: int) -> dict[str, float | None]:
    """Publish a reading of one vehicle per second for each of 200 channels, and poll.

    One site is watched: the bins of its sum are read repeatedly through the reading
    layer, and reading n is visible once the sum is n + 1.
    """
    from verkehrspuls.stack.broker import Broker

    since = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(
        days=2
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vp-")))
        folder.chmod(0o755)
        server = stack.enter_context(database())
        url = server.url
        broker = stack.enter_context(Broker(folder / "broker"))
        environment = {
            "VERKEHRSPULS_DATABASE__URL": url,
            "VERKEHRSPULS_DATABASE__INGEST_URL": server.url_of(INGEST),
            "VERKEHRSPULS_DATABASE__ANALYTICS_URL": server.url_of(ANALYTICS),
            "VERKEHRSPULS_BROKER__URL": broker.url,
            "VERKEHRSPULS_LOG__LEVEL": "error",
        }
        for worker in ("ingest", "analytics"):
            process = subprocess.Popen(
                [sys.executable, "-m", "verkehrspuls", worker, "run"],
                env=environment,
                stdout=subprocess.PIPE,
            )
            stack.callback(_end, process)
            process.stdout.readline()  # type: ignore[union-attr]  # a pipe
        with connect(url) as connection:
            site = list_sites(connection)[0]
        published: list[float] = []
        publisher = stack.enter_context(Publisher(broker.publish_url, "bench"))
        thread = threading.Thread(
            target=_publish,
            args=(publisher, site.key, since, seconds, published),
        )
        thread.start()
        seen = _watch(url, site.site_id, since, seconds * made.LANES)
        thread.join()
    delays = sorted(at - begun for begun, at in zip(published, seen, strict=False))
    if len(delays) < seconds * made.LANES:
        return {"fresh_s": None, "fresh_p50_s": None, "fresh_p99_s": None}
    return {
        "fresh_s": round(delays[-1], 2),
        "fresh_p50_s": round(delays[len(delays) // 2], 2),
        "fresh_p99_s": round(delays[len(delays) * 99 // 100], 2),
    }


def _publish(
    publisher: Publisher,
    watched: str,
    since: datetime,
    seconds: int,
    published: list[float],
) -> None:
    began = time.perf_counter()
    step = 1 / made.CHANNELS
    for number in range(seconds * made.CHANNELS):
        # otherwise messages would arrive in bursts, site by site
        batch, place = divmod(number, made.CHANNELS)
        lane, site = divmod(place, made.SITES)
        reading = {
            "time": since + timedelta(seconds=batch * made.INTERVAL_S),
            "interval_s": made.INTERVAL_S,
            "counts": [{"channel": "1", "classes": {"car": 1}}],
        }
        time.sleep(max(0, began + number * step - time.perf_counter()))
        if f"site-{site}" == watched:
            published.append(time.perf_counter())
        publisher.publish(
            f"vp/v1/bench/sensor-{site}-{lane}/counts", msgspec.json.encode(reading)
        )


def _watch(url: str, site_id: int, since: datetime, vehicles: int) -> list[float]:
    """Return when each vehicle became visible."""
    seen: list[float] = []
    deadline = time.perf_counter() + TIMEOUT_S + vehicles / made.LANES
    while len(seen) < vehicles and time.perf_counter() < deadline:
        bins = read_volumes(
            url,
            site_id=site_id,
            quantity="motor",
            start=since,
            end=since + timedelta(days=2),
            interval_s=900,
            direction="all",
        )
        now = time.perf_counter()
        seen += [now] * (int(bins["volume"].sum() or 0) - len(seen))
        time.sleep(POLL_S)
    return seen


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.communicate()
