"""The embedded PostgreSQL: plain binaries run by us.

    directory/
        data/                 the cluster; PostgreSQL's own files
        log/                  a file for each day of the week
        postgres.password     of the role `postgres`, for maintenance
        vp.password           of the role `vp`, which owns the database `vp`
        vp_web.password …     of the other roles that log in, see storage/roles.py
        run/                  the socket, unless its path would be too long

It listens on that socket only and never runs as root. It counts as up only after a
connection has proved that it serves this data: a pid may be a zombie's or another
program's.
"""

import hashlib
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from verkehrspuls.errors import StackFailed
from verkehrspuls.stack import process
from verkehrspuls.stack.account import private_file
from verkehrspuls.stack.binaries import postgres_binaries, reachable_postgres
from verkehrspuls.stack.server import START_LOG, Server
from verkehrspuls.storage import roles

#: maximum length of a socket address, on macOS; Linux allows four bytes more
SOCKET_PATH_BYTES = 103
PORT = 5432
#: error of a start while processes of a killed server are still ending
_STILL_ENDING = "is still in use"


class PostgresServer(Server):
    """A PostgreSQL server with its own directory."""

    name = "database"
    ends_by = signal.SIGINT
    dies_by = signal.SIGQUIT
    stop_s = 30

    def __init__(
        self,
        directory: Path,
        *,
        account: str = "nobody",
        binaries: Path | None = None,
        start_s: float = 60,
    ) -> None:
        super().__init__(directory, account=account, start_s=start_s)
        self.data = self.directory / "data"
        self._given = binaries
        self._furnished = False

    @property
    def url(self) -> str:
        """URL of the database `vp` for its owner `vp`."""
        return self.url_of(roles.OWNER)

    def url_of(self, role: str) -> str:
        """Return the URL of the database `vp` for a role."""
        return self._url(role, roles.OWNER)

    @property
    def socket_directory(self) -> Path:
        """Folder of the socket: the same at every start."""
        inside = self.directory / "run"
        if len(os.fsencode(inside / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_BYTES:
            return inside
        digest = hashlib.sha256(os.fsencode(self.directory)).hexdigest()
        return Path(tempfile.gettempdir()) / f"vp-{os.geteuid()}-{digest[:12]}"

    def spawn(self) -> None:
        """Start the server, created at the first start, and do not wait for it."""
        self._make_folders(self.socket_directory)
        binaries = self._find_binaries()
        if self.data.exists():
            self._check_version(binaries)
            self._end_predecessor()
        else:
            self._create(binaries)
        settings = {
            "listen_addresses": "",
            "port": PORT,
            "unix_socket_directories": self.socket_directory,
            "unix_socket_permissions": "0700",
            "shared_buffers": "128MB",
            "max_wal_size": "1GB",
            "work_mem": "16MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "logging_collector": "on",
            "log_directory": self._log,
            "log_filename": "postgresql-%a.log",
            "log_rotation_age": "1d",
            "log_truncate_on_rotation": "on",
        }
        self._furnished = False
        words = [word for item in settings.items() for word in _setting(*item)]
        self.process = self._run(
            binaries / "postgres", "-D", self.data, *words, log=START_LOG
        )

    def answers(self) -> bool:
        """Return whether our server answers, with its database and role."""
        if self._has_ended():
            return False
        try:
            with psycopg.connect(
                self._url("postgres", "postgres"),
                autocommit=True,
                connect_timeout=2,
                cursor_factory=psycopg.ClientCursor,
            ) as connection:
                if not self._is_ours(connection):
                    return False
                self._furnish(connection)
        except psycopg.OperationalError:
            return False
        return True

    def last_log_lines(self) -> str:
        """Return the end of the server's log."""
        logs = sorted(self._log.glob("*.log"), key=lambda file: file.stat().st_mtime)
        return process.last_lines(*logs[-2:])

    def version(self) -> str:
        """Return the version of the server's programs."""
        return program_version(postgres_binaries(self._given))

    def _can_start_again(self, reason: str) -> bool:
        return _STILL_ENDING in reason

    def _url(self, role: str, database: str) -> str:
        return (
            f"postgresql://{role}:{self._password(role)}@/{database}"
            f"?host={self.socket_directory}&port={PORT}"
        )

    def _find_binaries(self) -> Path:
        binaries = postgres_binaries(self._given)
        if self._account is None:
            return binaries
        return reachable_postgres(binaries, self.directory, self._account)

    def _run(self, *command: str | Path, log: str) -> process.Process:
        # a lock file with this pid is taken over, see _end_predecessor
        parent = {"PG_GRANDPARENT_PID": str(os.getpid())}
        return self._leashed(command, log=log, environment=parent)

    def _create(self, binaries: Path) -> None:
        """Create the cluster under a temporary name until it is complete."""
        self._password("postgres")
        making = self.directory / "data.making"
        if making.exists():
            import shutil

            shutil.rmtree(making)
        log = "create.log"
        made = self._run(
            binaries / "initdb",
            *("--pgdata", making, "--username", "postgres"),
            *("--auth", "scram-sha-256"),
            *("--pwfile", self.directory / "postgres.password"),
            *("--locale-provider", "builtin", "--locale", "C.UTF-8"),
            *("--encoding", "UTF8", "--data-checksums"),
            log=log,
        )
        if code := made.wait():
            raise StackFailed(
                part=self.name,
                reason=f"initdb: {process.describe_end(code)}\n"
                f"{process.last_lines(self._log / log)}",
            )
        making.rename(self.data)

    def _check_version(self, binaries: Path) -> None:
        kept = (self.data / "PG_VERSION").read_text("ascii").strip()
        program = program_version(binaries)
        if program.split(".")[0] == kept:
            return
        raise StackFailed(
            part=self.name,
            reason=f"the data in {self.data} is of PostgreSQL {kept}, the programs are "
            f"of {program}. Point VERKEHRSPULS_STACK__POSTGRES_BINARIES at those of "
            f"PostgreSQL {kept}, save the data with pg_dump, then start on a new "
            "VERKEHRSPULS_STACK__DIRECTORY and load it there.",
        )

    def _end_predecessor(self) -> None:
        """Stop a server that still runs here, and take over a stale lock file.

        PostgreSQL takes any live process with the lock file's pid for a server, even a
        zombie or an unrelated process. It accepts its own parent, so that pid is
        written; the rest of the file, by which it finds processes of a killed server,
        stays.
        """
        lock = self.data / "postmaster.pid"
        deadline = time.monotonic() + self._start_s
        while (pid := self._predecessor(lock)) is not None:
            late = time.monotonic() > deadline
            try:
                os.kill(pid, signal.SIGQUIT if late else signal.SIGINT)
            except ProcessLookupError:
                break
            ended = process.wait_until(
                lambda: self._predecessor(lock) is None, timeout_s=self._start_s
            )
            if late and not ended:
                raise StackFailed(
                    part=self.name,
                    reason=f"another server, pid {pid}, has {self.data} and does not "
                    "stop.",
                )
        for stale in self.socket_directory.glob(".s.PGSQL.*"):
            stale.unlink()
        if lock.exists():
            _, _, rest = lock.read_text("utf-8").partition("\n")
            private_file(lock, f"{os.getpid()}\n{rest}".encode(), self._account)

    def _predecessor(self, lock: Path) -> int | None:
        """Find a live server of this data by its command line."""
        try:
            pid = abs(int(lock.read_text("utf-8").splitlines()[0]))
        except (FileNotFoundError, IndexError, ValueError):
            return None
        return pid if str(self.data) in process.command_line(pid) else None

    def _is_ours(self, connection: psycopg.Connection[Any]) -> bool:
        from verkehrspuls.storage.named import queries

        row = connection.execute(queries()["data_directory"]).fetchone()
        return row is not None and Path(row[0]).resolve() == self.data.resolve()

    def _furnish(self, connection: psycopg.Connection[Any]) -> None:
        """Make roles with their passwords, and the database, where they are missing."""
        from verkehrspuls.storage.named import queries

        if self._furnished:
            return
        texts = queries()
        connection.execute(roles.statements())
        for role in roles.LOGINS:
            given = {"role": role, "password": self._password(role)}
            connection.execute(
                connection.execute(texts["write_password"], given).fetchall()[0][0]
            )
        connection.execute(texts["let_create_databases"])
        if connection.execute(texts["database_exists"]).fetchall() != [(True,)]:
            connection.execute(texts["create_database"])
        self._furnished = True


def program_version(binaries: Path) -> str:
    """Ask PostgreSQL's programs for their version, such as 18.6."""
    return process.program_version(binaries / "postgres")


def _setting(name: str, value: object) -> tuple[str, str]:
    return "-c", f"{name}={value}"
