"""Real processes under faults, and the comparison at the end.

Every publish that the broker acknowledged is logged. At the end the readings that were
acknowledged, published and stored are compared as sets, and the ledger is added up:
nothing lost, nothing made up, nothing twice, each message accounted for.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit

import msgspec
import psycopg

from tests import parts, towns
from tests.faults.proxy import Proxy
from tests.towns import COUNTS_TOPIC
from verkehrspuls import mqtt
from verkehrspuls.stack.broker import Broker as Nats
from verkehrspuls.stack.postgres import PORT, PostgresServer
from verkehrspuls.storage import roles
from verkehrspuls.storage.database import Connection, connect

PATIENCE_S = parts.PATIENCE_S
START = datetime(2026, 9, 1, tzinfo=UTC)
READY = "\nready\n"
OUTPUTS = {"1": "in", "2": "out"}

Key = tuple[str, datetime]
Readings = dict[Key, int]


class QuickNats(Nats):
    """NATS that delivers again sooner: a killed worker's messages come after 2 s."""

    ack_wait = "2s"

    def _configuration(self) -> dict[str, Any]:
        made = super()._configuration()
        made["mqtt"]["ack_wait"] = self.ack_wait
        return made


@contextmanager
def broker(kind: str) -> Iterator[parts.Broker]:
    """Start a broker for one history."""
    with ExitStack() as stack:
        directory = stack.enter_context(parts.reachable_directory()) / "data"
        made: parts.Broker
        made = QuickNats(directory) if kind == "nats" else parts.Mosquitto(directory)
        made.start()
        stack.callback(made.stop)
        yield made


class Server:
    """A PostgreSQL server of our own, so that it can be stopped and killed."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.databases = parts.Databases(server.url)

    @property
    def socket(self) -> str:
        return str(self.server.socket_directory / f".s.PGSQL.{PORT}")

    def admin(self, database: str = "postgres", **options: Any) -> Connection:
        """Connect as the superuser."""
        where = urlsplit(self.server._url("postgres", "postgres"))
        url = where._replace(path=f"/{database}").geturl()
        return psycopg.connect(url, autocommit=True, **options)


@contextmanager
def server(directory: Path | None = None) -> Iterator[Server]:
    """Start a PostgreSQL server."""
    with ExitStack() as stack:
        if directory is None:
            directory = stack.enter_context(parts.reachable_directory())
        running = stack.enter_context(PostgresServer(directory / "data"))
        parts.hurry(running)
        yield Server(running)


class Worker:
    """An ingest worker in a process of its own, started again when it ends."""

    def __init__(self, log: Path, **settings: object) -> None:
        self.log = log
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._ready_before = 0
        self.exits: list[int] = []

    def settings(self, **more: object) -> None:
        """Change settings from the next start on."""
        self._settings.update(more)

    def all_settings(self, **others: object) -> dict[str, object]:
        """Its settings, for another worker, with some of them different."""
        return {**self._settings, **others}

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *command: str) -> None:
        environment = os.environ | {
            f"VERKEHRSPULS_{name}".upper(): str(value)
            for name, value in self._settings.items()
        }
        self._ready_before = self.count_logged(READY)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "verkehrspuls", "ingest"),
                    *(command or ("run",)),
                ],
                env=environment,
                stdout=log,
                stderr=log,
                cwd=self.log.parent,
            )

    def restart(self) -> None:
        """Start it again and wait until it is ready."""
        self.start()
        self.wait_ready()

    @property
    def ready(self) -> bool:
        """Whether it was ready since its last start."""
        return self.count_logged(READY) > self._ready_before

    def wait_ready(self) -> None:
        parts.wait_for(lambda: self.ready or not self.alive, PATIENCE_S)
        assert self.alive, self.text()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(
        self, number: signal.Signals = signal.SIGTERM, within: float = PATIENCE_S
    ) -> int:
        """End it and tell its exit code."""
        if self.alive:
            self.process.send_signal(number)
        code = self.process.wait(within)
        self.exits.append(code)
        return code

    def supervise(self) -> int | None:
        """Start it again where it has ended by itself; tells the exit code then."""
        if self._process is None or self.alive:
            return None
        code = self.process.wait()
        self.exits.append(code)
        self.start()
        return code

    def text(self) -> str:
        """What it logged."""
        return "\n" + self.log.read_text() if self.log.exists() else "\n"

    def count_logged(self, words: str) -> int:
        """How often it logged these words."""
        return self.text().count(words)


class Sender:
    """Publishes readings and logs which of them the broker acknowledged."""

    def __init__(self, url: str) -> None:
        self.published: Readings = {}
        self._by_mid: dict[int, Readings] = {}
        #: written by paho's thread, which must not wait for ours
        self._acknowledged: set[int] = set()
        self._url = url
        self._client = mqtt.client(url, client_id=f"sender-{os.urandom(4).hex()}")
        self._client.max_inflight_messages_set(100)
        self._client.reconnect_delay_set(min_delay=1, max_delay=1)
        self._client.on_publish = lambda _c, _d, mid, _r, _p: self._acknowledged.add(
            mid
        )

    def __enter__(self) -> Self:
        mqtt.connect(self._client, self._url, keepalive_s=20)
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        # else its sockets wait for the garbage collector
        self._client.on_publish = None

    def counts(
        self, number: int, *, minutes: int | None = None, seq: int | None = None
    ) -> None:
        """Publish a message with the readings of one interval."""
        at = START + timedelta(minutes=5 * number if minutes is None else minutes)
        body = {
            "time": at,
            "interval_s": 300,
            "seq": seq,
            "counts": [{"channel": o, "classes": {"car": number}} for o in OUTPUTS],
        }
        readings = {(channel, at): number for channel in OUTPUTS.values()}
        self.send(COUNTS_TOPIC, msgspec.json.encode(body), readings)

    def send(
        self, topic: str, payload: bytes, readings: Readings | None = None
    ) -> None:
        """Publish a message; sent again by paho until it is acknowledged."""
        self.published.update(readings or {})
        mid = self._client.publish(topic, payload, qos=1).mid
        assert mid not in self._by_mid  # 65,535 messages are enough for one sender
        self._by_mid[mid] = readings or {}

    @property
    def acknowledged(self) -> Readings:
        """The readings whose message the broker acknowledged."""
        found: Readings = {}
        for mid in list(self._acknowledged):
            found.update(self._by_mid.get(mid, {}))
        return found

    @property
    def messages(self) -> int:
        """How many messages were published."""
        return len(self._by_mid)

    @property
    def settled(self) -> bool:
        """Whether everything is acknowledged."""
        return self._by_mid.keys() <= self._acknowledged

    def flush(self) -> None:
        """Wait until everything is acknowledged."""
        parts.wait_for(lambda: self.settled, PATIENCE_S)


@dataclass
class World:
    """A database, a broker, a worker, and proxies between them."""

    server: Server
    broker: parts.Broker
    kind: str
    database: str
    network: Proxy
    wire: Proxy
    worker: Worker
    directory: Path
    rows: Connection
    #: what was done when, to be printed where the comparison fails
    history: list[tuple[float, str]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        """The name of the database."""
        return urlsplit(self.database).path.lstrip("/")

    def note(self, event: str) -> None:
        self.history.append((time.monotonic() - self.began, event))

    @property
    def session(self) -> str:
        """The client identifier of the worker's session at the broker."""
        return str(self._one("select client_id from ingest_session"))

    def stored(self) -> int:
        return int(self._one("select count(*) from count_reading"))

    def received(self) -> int:
        """How many messages the ledger counts."""
        return int(self._one("select coalesce(sum(messages_received), 0) from ledger"))

    def _one(self, query: str) -> Any:
        row = self.query(query)[0]
        return row[0]

    def query(self, query: str) -> list[tuple[Any, ...]]:
        if self.rows.closed:
            self.rows = connect(self.database, autocommit=True)
        try:
            return self.rows.execute(query).fetchall()
        except psycopg.OperationalError:
            self.rows.close()
            raise

    def readings(self) -> list[tuple[Key, int, int]]:
        """All stored readings: key, value, revision."""
        return [
            ((channel, at), car, revision)
            for channel, at, car, revision in self.query(
                "select c.key, r.time, r.car, r.revision "
                "from count_reading r join channel c using (channel_id)"
            )
        ]

    def wait_for_all(self, sender: Sender) -> None:
        """Wait until everything acknowledged is stored, the worker kept alive."""
        sender.flush()

        wanted = len(sender.acknowledged)

        def there() -> bool:
            code = self.worker.supervise()
            if code is not None:
                self.note(f"worker ended by itself with {code}, started again")
            try:
                # one that is still starting could not be told to stop in order
                return self.worker.ready and self.stored() >= wanted
            except psycopg.OperationalError:
                return False

        deadline = time.monotonic() + PATIENCE_S
        while not there() and time.monotonic() < deadline:
            time.sleep(0.1)

    def compare(self, sender: Sender) -> None:
        """Fail, and print the history, where anything is lost, made up or twice."""
        stored = self.readings()
        found = {key: value for key, value, _ in stored}
        problems = {
            "lost": sender.acknowledged.keys() - found.keys(),
            "phantom": {k for k, v in found.items() if sender.published.get(k) != v},
            "duplicate": [key for key, n in _counted(stored).items() if n > 1],
            "corrected": [key for key, _, revision in stored if revision],
            "ledger": self.imbalances(),
            "exits": [
                code for code in self.worker.exits if code not in EXPECTED_EXIT_CODES
            ],
        }
        wrong = {name: what for name, what in problems.items() if what}
        assert not wrong, self.report(wrong)

    def imbalances(self) -> list[str]:
        """What does not add up in the ledger, or against the tables."""
        names = (
            "messages_received",
            "messages_accepted",
            "messages_partly_accepted",
            "messages_rejected",
            "messages_unknown_sensor",
            "readings_received",
            "readings_stored",
            "readings_duplicate",
            "readings_corrected",
            "readings_rejected",
        )
        columns = ", ".join(f"coalesce(sum({name}), 0)::int" for name in names)
        (sums,) = self.query(f"select {columns} from ledger")
        it = dict(zip(names, sums, strict=True))
        rows = self._one(
            "select (select count(*) from count_reading) "
            "+ (select count(*) from environment_reading)"
        )
        kept = self._one("select count(*) from rejected_message")
        unusable = (
            it["messages_partly_accepted"]
            + it["messages_rejected"]
            + it["messages_unknown_sensor"]
        )
        balances = {
            "messages": it["messages_received"] == it["messages_accepted"] + unusable,
            "readings": it["readings_received"]
            == it["readings_stored"]
            + it["readings_duplicate"]
            + it["readings_corrected"]
            + it["readings_rejected"],
            "rows": it["readings_stored"] == rows,
            "kept": unusable == kept,
        }
        wrong = [name for name, right in balances.items() if not right]
        return [f"{wrong}: {it}, {rows} rows, {kept} kept"] if wrong else []

    def report(self, wrong: object) -> str:
        """Everything that is needed to repeat a history."""
        lines = [f"{at:7.3f} s  {event}" for at, event in self.history]
        return "\n".join(
            [f"{wrong}", *lines, "worker's log:", self.worker.text()[-6000:]]
        )

    def finish(self, sender: Sender) -> None:
        """Wait, stop the worker in order, compare."""
        self.wait_for_all(sender)
        code = self.worker.end()
        assert code == 0, self.report({"exit code": code})
        self.compare(sender)


#: exit codes of a worker that has nothing to hide: done, a part did not answer, and
#: the signals that we sent
EXPECTED_EXIT_CODES = (0, 3, -signal.SIGKILL, -signal.SIGTERM)


def _counted(stored: list[tuple[Key, int, int]]) -> Counter[Key]:
    return Counter(key for key, _, _ in stored)


@contextmanager
def world(server: Server, kind: str, **settings: object) -> Iterator[World]:
    """Start a worker on a fresh database and a fresh broker, through proxies."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database = stack.enter_context(server.databases.fresh(towns.build))
        running = stack.enter_context(broker(kind))
        where = urlsplit(running.url)
        network = stack.enter_context(Proxy(("127.0.0.1", where.port or 0)))
        wire = stack.enter_context(Proxy(server.socket))
        rows = connect(database, autocommit=True)
        worker = Worker(
            directory / "worker.log",
            **{
                "database__url": over_tcp(database, wire.port),
                "database__ingest_url": over_tcp(
                    database, wire.port, role=roles.INGEST
                ),
                "broker__url": at_port(running.url, network.port),
                "broker__keepalive_s": 5,
                "ingest__batch_readings": 100,
                "ingest__linger_ms": 10,
                "log__format": "json",
                **settings,
            },
        )
        made = World(
            server, running, kind, database, network, wire, worker, directory, rows
        )
        stack.callback(lambda: made.rows.close())
        worker.start()
        try:
            worker.wait_ready()
            made.note(f"{kind}: worker ready")
            yield made
        finally:
            if worker.alive:
                worker.process.send_signal(signal.SIGCONT)
                worker.process.kill()
                worker.process.wait()


def over_tcp(url: str, port: int, *, role: str = roles.OWNER) -> str:
    """The URL of a database, reached through the proxy on a port."""
    parts_ = urlsplit(url)
    user, password = role, quote(parts_.password or "")
    return f"postgresql://{user}:{password}@127.0.0.1:{port}{parts_.path}"


def at_port(url: str, port: int) -> str:
    """The same URL with another port."""
    where = urlsplit(url)
    return where._replace(
        netloc=f"{where.username}:{where.password}@127.0.0.1:{port}"
    ).geturl()


def backends(world: World) -> list[int]:
    """The processes of the server that work for the ingest worker."""
    with world.server.admin() as connection:
        found = connection.execute(
            "select pid from pg_stat_activity "
            "where datname = %s and application_name like 'ingest %%'",
            [world.name],
        ).fetchall()
    return [row[0] for row in found]


def events(worker: Worker) -> list[dict[str, Any]]:
    """What a worker logged, line by line."""
    found = []
    for line in worker.text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return [one for one in found if isinstance(one, dict)]
