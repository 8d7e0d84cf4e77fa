"""The servers that tests run against: started once, fresh for each test, left clean.

What a machine lacks is skipped with the reason; with `CI=true` it is an error.

What tests write is in memory where that has room, and removed at the end; set `TMPDIR`
to keep it elsewhere.

`VERKEHRSPULS_TEST_POSTGRES_URL`
    an existing plain PostgreSQL, in place of the embedded one. The role must be
    allowed to create databases.
`VERKEHRSPULS_TEST_TIMESCALE_URL`
    an existing TimescaleDB, likewise.
`VERKEHRSPULS_TEST_TIMESCALE_ROOT`
    a Debian root with TimescaleDB, built by `.ci/timescale`.
`VERKEHRSPULS_TEST_BROKER_URL`, `…_BROKER_PUBLISH_URL`, `…_BROKER_CA_FILE`
    an existing MQTT broker to be held to what ingest needs, with the credentials of
    ingest and of a publisher. Another Mosquitto is tested by putting it on the PATH.
"""

import json
import os
import runpy
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, LiteralString, NoReturn, Protocol, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import yaml
from psycopg import sql
from psycopg.conninfo import make_conninfo

from verkehrspuls.stack import broker as embedded
from verkehrspuls.stack import process
from verkehrspuls.stack.postgres import PostgresServer
from verkehrspuls.storage import migrate, roles

T = TypeVar("T")

PROJECT = Path(__file__).parents[1]
TEMPLATE = "vp_template"
#: below the ports that systems give to outgoing connections, and those of our broker:
#: a client that connects again and again would else take the port of its server
PORTS = range(10_000, 20_000)
#: a file system in memory: a fifth of the work for a fresh database
MEMORY = Path("/dev/shm")
MEMORY_BYTES = 8 << 30
#: how long a wait for a condition may take, on a machine that is slow or busy
PATIENCE_S = 120.0

POSTGRES_URL = os.environ.get("VERKEHRSPULS_TEST_POSTGRES_URL", "")
TIMESCALE_URL = os.environ.get("VERKEHRSPULS_TEST_TIMESCALE_URL", "")
BROKER_URL = os.environ.get("VERKEHRSPULS_TEST_BROKER_URL", "")
BROKER_PUBLISH_URL = os.environ.get("VERKEHRSPULS_TEST_BROKER_PUBLISH_URL", "")
BROKER_CA_FILE = os.environ.get("VERKEHRSPULS_TEST_BROKER_CA_FILE", "")
TIMESCALE_ROOT = Path(
    os.environ.get(
        "VERKEHRSPULS_TEST_TIMESCALE_ROOT", PROJECT / ".verkehrspuls" / "timescale"
    )
)


def missing(part: str) -> NoReturn:
    """Skip the test because the machine lacks a part; in CI nothing may be lacking."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"missing in CI: {part}", pytrace=False)
    pytest.skip(part)


def memory_has_room() -> bool:
    """Return whether servers and their data fit in memory and may be run from it."""
    try:
        found = os.statvfs(MEMORY)
    except OSError:
        return False
    free = found.f_bavail * found.f_frsize
    return free > MEMORY_BYTES and not found.f_flag & os.ST_NOEXEC


def memory_folder() -> Path:
    """Make this process's folder in memory; remove those of processes that are gone."""
    prefix = "vp-tests-"
    for old in MEMORY.glob(f"{prefix}*"):
        if not Path("/proc", old.name.removeprefix(prefix)).exists():
            shutil.rmtree(old, ignore_errors=True)
    folder = MEMORY / f"{prefix}{os.getpid()}"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def program(name: str, *, package: str) -> str:
    """Find a program of the machine; the test is skipped where there is none."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    return found or missing(f"{name} is not installed: apt-get install {package}")


def wait_for(
    condition: Callable[[], T | None],
    timeout: float = PATIENCE_S,
    *,
    every: float = 0.02,
) -> T:
    """Wait until a condition gives something true, and return that."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        if time.monotonic() > deadline:
            name = getattr(condition, "__qualname__", repr(condition))
            pytest.fail(f"{name} did not come true within {timeout} s")
        time.sleep(every)
    return found


def bound_s(seconds: float) -> float:
    """Return the bound of a measured time, longer on a machine with too much to do."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def patient() -> Callable[[float], bool]:
    """Return a pause of a writer, which it may take until patience ends.

    A server may need a moment to notice that the writer before is gone.
    """
    until = time.monotonic() + PATIENCE_S

    def pause(seconds: float) -> bool:
        time.sleep(seconds)
        return time.monotonic() > until

    return pause


def free_port() -> int:
    """Find a port of 127.0.0.1 that nothing listens on."""
    return embedded.free_port(PORTS)


def answers(port: int) -> bool:
    """Tell whether something listens on a port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


#: puts into a migrated database what several tests begin with
Build = Callable[[str], None]


class Databases:
    """Fresh databases on a server: clones of templates, each made once."""

    def __init__(self, url: str) -> None:
        self._url = url
        #: by what was built in them; None: nothing but the migrations
        self._templates: dict[Build | None, str] = {}
        # a third of the work, where nothing waits for the disk
        quick = setting_of(url, "fsync") == "off"
        self._strategy = "file_copy" if quick else "wal_log"

    @contextmanager
    def fresh(
        self, build: Build | None = None, *, migrated: bool = True
    ) -> Iterator[str]:
        """Give the URL of a new database, dropped afterwards."""
        name = f"vp_test_{secrets.token_hex(8)}"
        self._clone(self._template(build) if migrated else "template0", name)
        try:
            yield self._url_of(name)
        finally:
            # a large one may be vacuumed for a while
            wait_for(lambda: self._drop(name))

    def close(self) -> None:
        """Drop the templates."""
        for name in self._templates.values():
            self._run("drop database {}", name)

    def _template(self, build: Build | None) -> str:
        if build not in self._templates:
            name = f"{TEMPLATE}_{secrets.token_hex(4)}"
            self._clone(self._template(None) if build else None, name)
            (build or migrate.migrate)(self._url_of(name))
            self._shut(name)
            self._templates[build] = name
        return self._templates[build]

    def _clone(self, template: str | None, name: str) -> None:
        if template is None:
            self._run("create database {}", name)
            return
        self._run(
            "create database {} template {} strategy {}", name, template, self._strategy
        )

    def _shut(self, name: str) -> None:
        """Let nobody into a template: none that is in use can be cloned."""
        self._run("alter database {} with allow_connections false", name)
        with psycopg.connect(self._url, autocommit=True) as connection:
            # not even a background worker; autovacuum makes way by itself
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = %s and backend_type <> 'autovacuum worker'",
                [name],
            )

    def _drop(self, name: str) -> bool:
        try:
            self._run("drop database {} with (force)", name)
        except psycopg.errors.InsufficientPrivilege:
            return False  # it is being vacuumed, by nobody that we could end
        return True

    def _url_of(self, database: str) -> str:
        return urlunsplit(urlsplit(self._url)._replace(path=f"/{database}"))

    def _run(self, statement: LiteralString, *names: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


class DebianServer:
    """PostgreSQL as Debian packages it: this machine's, or that of a root of its own.

    On a port and with data of its own, so that no other cluster is touched. A direct
    child that shuts down cleanly when this process ends, however it ends. Data in
    memory are in a mount namespace of the server, and so end with it.
    """

    def __init__(self, root: Path, major: int, **settings: object) -> None:
        self._root = root
        self._binaries = f"/usr/lib/postgresql/{major}/bin"
        self._settings = settings
        self._folder = root / "tmp" / secrets.token_hex(8)
        self._data = f"/tmp/{self._folder.name}/data"
        self._log = root / "tmp" / f"{secrets.token_hex(8)}.log"
        self._port = free_port()
        self._password = secrets.token_hex(16)
        self.url = f"postgresql://vp:{self._password}@127.0.0.1:{self._port}/vp"

    def __enter__(self) -> Self:
        self._folder.mkdir()
        self._folder.chmod(0o1777)
        secret = self._folder.with_suffix(".password")
        secret.write_text(self._password)
        try:
            with self._log.open("ab") as log:
                self._start(secret, log)
            wait_for(self._ready)
        finally:
            secret.unlink()
        with psycopg.connect(self._admin_url, autocommit=True) as connection:
            make_roles(connection, self._password)
            connection.execute("create database vp owner vp")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(PATIENCE_S)
        shutil.rmtree(self._folder)
        self._log.unlink()

    def _start(self, secret: Path, log: IO[bytes]) -> None:
        initdb = self._command(
            "initdb",
            *("--pgdata", self._data, "--username", "postgres"),
            *("--auth", "scram-sha-256", "--pwfile", f"/tmp/{secret.name}"),
            *("--locale", "C.UTF-8", "--encoding", "UTF8", "--no-sync"),
        )
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self._port,
            "unix_socket_directories": "",
            "fsync": "off",
            **self._settings,
        }
        postgres = self._command(
            "postgres",
            *("-D", self._data),
            *(f"--{name}={value}" for name, value in settings.items()),
        )
        script = f"{shlex.join(initdb)} && exec {shlex.join(postgres)}"
        namespace = ["unshare", "--mount"]
        allowed = subprocess.run([*namespace, "true"], stderr=subprocess.DEVNULL)
        if MEMORY not in Path(tempfile.gettempdir()).parents or allowed.returncode:
            namespace = []
        else:
            mount = ["mount", "-t", "tmpfs", "-o", "mode=1777", "none"]
            script = f"{shlex.join([*mount, str(self._folder)])} && {script}"
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig=KILL", "--", *namespace, "sh", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for pytest, which stops this in order
            process_group=0,
        )

    @property
    def _admin_url(self) -> str:
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self._port}/postgres"

    def _command(self, name: str, *arguments: str) -> list[str]:
        # setpriv, because a change of user forgets the signal set before it
        return [
            program("chroot", package="coreutils"),
            str(self._root),
            *("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"),
            *("--pdeathsig=INT", "--"),
            f"{self._binaries}/{name}",
            *arguments,
        ]

    def _ready(self) -> bool:
        if self._process.poll() is not None:
            pytest.fail(self._log.read_text())
        try:
            psycopg.connect(self._admin_url).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def reachable_directory() -> Iterator[Path]:
    """Give a new directory with a short path that other accounts can enter."""
    with tempfile.TemporaryDirectory(prefix="vp-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


@contextmanager
def postgres() -> Iterator[str]:
    """Give the URL of a plain PostgreSQL: one that is named, or the embedded one."""
    if POSTGRES_URL:
        yield POSTGRES_URL
        return
    with reachable_directory() as directory, PostgresServer(directory / "data") as it:
        hurry(it)
        yield it.url


def make_roles(connection: psycopg.Connection[Any], password: str) -> None:
    """Make all roles, with the same password: see `as_web`."""
    connection.execute(roles.statements())
    if connection.info.server_version >= 160_000:
        # nearly half of the work of each login; before PostgreSQL 16 it is fixed
        connection.execute("set scram_iterations = 1")
    for role in roles.LOGINS:
        connection.execute(
            sql.SQL("alter role {} password {}").format(
                sql.Identifier(role), sql.Literal(password)
            )
        )
    # so that tests see what the web does, and end it
    connection.execute("alter role vp createdb")
    connection.execute("grant pg_signal_backend, pg_monitor to vp")


def as_web(url: str) -> str:
    """Return how the web logs in at a database of the tests."""
    return _as(roles.WEB, url)


def as_ingest(url: str) -> str:
    """Return how ingest logs in at a database of the tests."""
    return _as(roles.INGEST, url)


def as_analytics(url: str) -> str:
    """Return how analytics logs in at a database of the tests."""
    return _as(roles.ANALYTICS, url)


def logins(url: str) -> dict[str, str]:
    """Return the settings of the database: the owner's, and of each part its own."""
    setting = "VERKEHRSPULS_DATABASE__"
    return {
        f"{setting}URL": url,
        f"{setting}WEB_URL": as_web(url),
        f"{setting}INGEST_URL": as_ingest(url),
        f"{setting}ANALYTICS_URL": as_analytics(url),
    }


def _as(role: str, url: str) -> str:
    return make_conninfo(url, user=role)


def as_reader(url: str) -> str:
    """Return how the web reads what is shown to everybody."""
    options = f"-c role={roles.READER} -c search_path=shown,vp,public -c TimeZone=UTC"
    return make_conninfo(as_web(url), options=options)


def hurry(server: PostgresServer) -> None:
    """Let a server wait for no disk: it outlives its processes, not a power cut."""
    with psycopg.connect(
        server._url("postgres", "postgres"), autocommit=True
    ) as connection:
        for setting in ("fsync", "full_page_writes"):
            connection.execute(
                sql.SQL("alter system set {} = off").format(sql.Identifier(setting))
            )
        connection.execute("select pg_reload_conf()")
        password = urlsplit(server.url).password or ""
        make_roles(connection, password)
    # which the server gives them anew at each start
    for role in roles.LOGINS:
        (server.directory / f"{role}.password").write_text(password)
    wait_for(lambda: setting_of(server.url, "fsync") == "off")


def setting_of(url: str, name: str) -> str:
    """Read a setting of a server."""
    with psycopg.connect(url) as connection:
        row = connection.execute("select current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


@contextmanager
def oldest() -> Iterator[str]:
    """Give the URL of the oldest PostgreSQL that is supported, from Debian."""
    if not Path(f"/usr/lib/postgresql/{migrate.OLDEST_SERVER}/bin/postgres").exists():
        missing(f"apt-get install postgresql-{migrate.OLDEST_SERVER}")
    if os.geteuid() != 0:
        missing("not root: the machine's PostgreSQL is started as another account")
    with DebianServer(Path("/"), migrate.OLDEST_SERVER) as server:
        yield server.url


@contextmanager
def timescale() -> Iterator[str]:
    """Give the URL of a TimescaleDB: one that is named, a container, or the root."""
    if TIMESCALE_URL:
        yield TIMESCALE_URL
    elif (TIMESCALE_ROOT / "ready").exists() and os.geteuid() == 0:
        settings = {
            "shared_preload_libraries": "timescaledb",
            "timescaledb.telemetry_level": "off",
            # tests run jobs themselves; nothing may be connected to the template
            "timescaledb.max_background_workers": 0,
        }
        with DebianServer(TIMESCALE_ROOT, 17, **settings) as server:
            yield server.url
    elif shutil.which("docker"):
        with timescale_container() as url:
            yield url
    else:
        missing("no TimescaleDB: build one as root with .ci/timescale")


@contextmanager
def timescale_container() -> Iterator[str]:
    """Give the URL of the database that the production file set runs."""
    docker("version")
    from testcontainers.community.postgres import PostgresContainer

    with PostgresContainer(image("database"), driver=None) as container:
        url = container.get_connection_url()
        with psycopg.connect(url) as connection:
            make_roles(connection, urlsplit(url).password or "")
        yield url


def image(service: str) -> str:
    """Name the image that a service of the production file set runs."""
    compose = yaml.safe_load((PROJECT / "docker-compose.yml").read_text("utf-8"))
    found: str = compose["services"][service]["image"]
    return found


def docker(*arguments: str) -> None:
    """Run a command of Docker; the test is skipped where it fails."""
    command = [program("docker", package="docker.io"), *arguments]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    if asked.returncode != 0:
        missing(f"{' '.join(command)}: {asked.stderr.strip()}")


class Broker(Protocol):
    """An MQTT broker: the embedded one, or Mosquitto."""

    process: subprocess.Popen[bytes] | None

    @property
    def url(self) -> str:
        """With the credential of the ingest worker."""

    @property
    def publish_url(self) -> str:
        """With the credential of simulators and replay."""

    @property
    def admin_url(self) -> str:
        """How it is administrated."""

    def start(self) -> None:
        """Start it; what was acknowledged before is still there."""

    def stop(self) -> None:
        """Stop it in order."""


class Mosquitto:
    """Mosquitto, set up as in production but for TLS and listeners."""

    def __init__(self, directory: Path, *, max_queued_messages: int = 0) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._directory = directory
        self._port = free_port()
        passwords = {
            name: secrets.token_hex(8) for name in ("admin", "ingest", "publish")
        }
        admin_url, self.url, self.publish_url = (
            f"mqtt://{name}:{password}@127.0.0.1:{self._port}"
            for name, password in passwords.items()
        )
        self.admin_url = f"mosquitto+{admin_url}"
        directory.mkdir(exist_ok=True)
        logins = directory / "logins.json"
        write = runpy.run_path(str(PROJECT / "deploy" / "logins"))
        hashes = {name: write["hash_of"](word) for name, word in passwords.items()}
        logins.write_text(json.dumps(write["logins"](hashes)))
        (directory / "mosquitto.conf").write_text(
            f"listener {self._port} 127.0.0.1\n"
            "user root\n"
            "allow_anonymous false\n"
            f"plugin {dynamic_security()}\n"
            f"plugin_opt_config_file {logins}\n"
            "persistence true\n"
            f"persistence_location {directory}/\n"
            "autosave_interval 1\n"
            f"max_queued_messages {max_queued_messages}\n"
            "max_inflight_messages 0\n"
            "max_packet_size 1048576\n"
            "log_dest stdout\n"
        )

    def start(self) -> None:
        """Start it, and wait until it listens."""
        with (self._directory / "log").open("ab") as log:
            self.process = process.leashed(
                [
                    program("mosquitto", package="mosquitto"),
                    *("-c", str(self._directory / "mosquitto.conf")),
                ],
                when_left=signal.SIGTERM,
                output=log,
            )
        wait_for(lambda: answers(self._port))

    @property
    def database(self) -> Path:
        """Where it saves sessions and messages."""
        return self._directory / "mosquitto.db"

    def wait_until_saved(self) -> None:
        """Wait until all that is acknowledged now is on disk as well."""
        now = time.time()
        saved = self.database
        # in whole seconds: the next save but one began after now
        wait_for(lambda: saved.exists() and saved.stat().st_mtime > now + 1)

    def stop(self) -> None:
        """Stop it; it saves its sessions first."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(PATIENCE_S)


def dynamic_security() -> Path:
    """Find the plugin for dynamic security that belongs to the Mosquitto here."""
    prefix = Path(program("mosquitto", package="mosquitto")).resolve().parents[1]
    found = next(prefix.glob("lib*/**/mosquitto_dynamic_security.so"), None)
    return found or missing("mosquitto_dynamic_security.so: apt-get install mosquitto")


@contextmanager
def broker(kind: str) -> Iterator[Broker]:
    """Start a broker: `nats`, the embedded one, or `mosquitto`."""
    with reachable_directory() as directory:
        made: Broker
        if kind == "nats":
            made = embedded.Broker(directory / "data")
        else:
            made = Mosquitto(directory / "data")
        made.start()
        try:
            yield made
        finally:
            made.stop()
