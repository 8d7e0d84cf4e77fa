"""The parts of a bench: a database with the bench's town, and a broker."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple

from verkehrspuls.model import Channel, Installation, Sensor, Site, Town
from verkehrspuls.registry.towns import register
from verkehrspuls.storage.database import connect
from verkehrspuls.storage.migrate import migrate
from verkehrspuls.storage.roles import INGEST

SENSORS: Final = 500
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
TIMEOUT_S: Final = 300
_MOSQUITTO: Final = """
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {directory}/
autosave_interval 0
max_queued_messages 0
max_inflight_messages 0
"""


class Parts(NamedTuple):
    """Addresses of the bench's parts, and their processes."""

    database: str
    #: of the same database, for ingest
    login: str
    broker: str
    publish: str
    broker_name: str
    pids: dict[str, int]
    #: stops and starts the database, if it is the embedded one
    server: Any = None


class TooLate(Exception):
    """Something did not happen in time; there is nothing to compare."""


def wait(missing: Callable[[], str]) -> None:
    """Wait until `missing` returns an empty text; the text names what is missing."""
    deadline = time.monotonic() + TIMEOUT_S
    while what := missing():
        if time.monotonic() > deadline:
            raise TooLate(f"missing after {TIMEOUT_S} s: {what}")
        time.sleep(0.01)


@contextmanager
def start_parts(*, timescale: bool = False) -> Iterator[Parts]:
    """Start a database with the bench's town, and a broker."""
    from verkehrspuls.stack.broker import Broker
    from verkehrspuls.stack.postgres import PostgresServer

    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vp-")))
        directory.chmod(0o755)  # as root the servers run under another account
        pids = {}
        postgres = None
        if timescale:
            database, login = stack.enter_context(_timescale())
            _settle(database)
        else:
            made, copied = _town_of_all_runs().name, directory / "postgres"
            subprocess.run(
                ["cp", "--archive", made, copied],  # noqa: S607 - of any system; keeps owners
                check=True,
            )
            postgres = stack.enter_context(PostgresServer(directory / "postgres"))
            lock = postgres.data / "postmaster.pid"
            pids["database"] = int(lock.read_text().split()[0])
            database, login = postgres.url, postgres.url_of(INGEST)
        mosquitto = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        if mosquitto:
            url, pids["broker"] = stack.enter_context(
                _mosquitto(mosquitto, directory / "mosquitto")
            )
            yield Parts(database, login, url, url, "mosquitto", pids, postgres)
            return
        broker = stack.enter_context(Broker(directory / "broker"))
        pids["broker"] = broker.process.pid  # type: ignore[union-attr]  # it runs
        urls = broker.url, broker.publish_url
        yield Parts(database, login, *urls, "embedded", pids, postgres)


def _settle(database: str) -> None:
    """Migrate a database, and register the bench's town."""
    migrate(database)
    with connect(database) as connection:
        register(connection, _town())


@cache
def _town_of_all_runs() -> tempfile.TemporaryDirectory[str]:
    """Return an embedded database with the bench's town, which each run copies."""
    from verkehrspuls.stack.postgres import PostgresServer

    directory = tempfile.TemporaryDirectory(prefix="vp-")
    Path(directory.name).chmod(0o755)
    with PostgresServer(Path(directory.name)) as server:
        _settle(server.url)
    return directory


def has_timescale() -> bool:
    """Return whether this checkout has a startable TimescaleDB for its tests."""
    try:
        parts: Any = import_module("tests.parts")
    except ImportError:
        return False
    return os.geteuid() == 0 and (parts.TIMESCALE_ROOT / "ready").exists()


@contextmanager
def _timescale() -> Iterator[tuple[str, str]]:
    parts: Any = import_module("tests.parts")
    settings = {
        "shared_preload_libraries": "timescaledb",
        "timescaledb.telemetry_level": "off",
        "fsync": "on",
        "max_wal_size": "1GB",
    }
    with parts.DebianServer(parts.TIMESCALE_ROOT, 17, **settings) as server:
        yield server.url, parts.as_ingest(server.url)


@contextmanager
def _mosquitto(program: str, directory: Path) -> Iterator[tuple[str, int]]:
    directory.mkdir()
    directory.chmod(0o777)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = directory / "mosquitto.conf"
    settings.write_text(_MOSQUITTO.format(port=port, directory=directory))
    process = subprocess.Popen(
        [program, "-c", str(settings)], stderr=subprocess.DEVNULL
    )
    try:
        wait(lambda: "" if _listens(port) else f"a broker at port {port}")
        yield f"mqtt://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _town() -> Town:
    channels = tuple(
        Channel(key=f"c{i}", name=f"c{i}", quantity="motor") for i in range(SENSORS)
    )
    return Town(
        key="bench",
        name="Bench",
        state="RP",
        sites=(Site(key="all", name="All", channels=channels),),
        sensors=tuple(
            Sensor(
                key=f"s{i}",
                name=f"s{i}",
                interval_s=60,
                class_scheme="tls-8+1",
                installations=(
                    Installation(site="all", channel=f"c{i}", output="1", since=START),
                ),
            )
            for i in range(SENSORS)
        ),
    )
