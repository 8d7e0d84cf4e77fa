"""Database access of the web server: few connections, with timeouts.

They begin as a role that reads what is shown to everybody, and each statement is a
read-only transaction of its own, which spares its begin and end. Reading for a viewer
and changing something are transactions that say so, and end with it. See
docs/adr/0012-access.md.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from typing import Any, NamedTuple, Self

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from api.errors import TooSlow
from verkehrspuls.access.viewer import ANONYMOUS, Viewer
from verkehrspuls.errors import (
    DatabaseUnavailable,
    RolesMissing,
    Unavailable,
    WrongRole,
)
from verkehrspuls.storage.database import (
    Connection,
    Shown,
    connect,
    execute,
    explained,
    not_connected,
    of_driver,
)
from verkehrspuls.storage.roles import ACTOR, READER, require_login
from verkehrspuls.storage.watch import Lost, Watched, conninfo

STATEMENT_MS = 10_000
#: maximum wait of a request for its turn, and for an unavailable database
MAX_WAIT_S = 3.0
#: pause after the server was lost, in which no other request waits for it
RETRY_PAUSE_S = 2.0

_SESSION = (
    f"-c role={READER} -c search_path=shown,vp,public -c TimeZone=UTC -c jit=off"
    " -c default_transaction_read_only=on"
    f" -c statement_timeout={STATEMENT_MS}"
    f" -c lock_timeout={MAX_WAIT_S * 1000:.0f}"
    f" -c idle_in_transaction_session_timeout={STATEMENT_MS}"
)

_TOO_SLOW = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)
_TIMEOUT = re.compile("(statement|lock) timeout")
#: begins a transaction that may change something, and waits for those that do as well
_WRITING = (
    f"set transaction read write; set local role {ACTOR}; set local lock_timeout = 0"
)
#: a role is missing, or was taken away
_NO_ROLE = (
    psycopg.errors.InvalidParameterValue,
    psycopg.errors.InsufficientPrivilege,
)

#: milliseconds that the current request spent on the database, filled by `Database`
spent_ms: ContextVar[dict[str, float] | None] = ContextVar("spent_ms", default=None)
#: the current request, as it is routed
asked: ContextVar[Mapping[str, Any] | None] = ContextVar("asked", default=None)


def require_role(url: str) -> None:
    """Raise `WrongRole` where the web would log in as a role above the boundary.

    A database that is away is waited for, and asked then.
    """
    with suppress(DatabaseUnavailable), connect(url, application="api") as connection:
        require_login(connection, "api")


class _Pooled(Watched):
    """A connection of the pool, which tells why it could not be opened."""

    @classmethod
    def connect(cls, *args: Any, **kwargs: Any) -> Self:
        """Open a connection; where that fails, tell `on_failure` why."""
        on_failure: Callable[[Exception], None] = kwargs.pop("on_failure")
        try:
            return super().connect(*args, **kwargs)
        except psycopg.OperationalError as error:
            on_failure(error)
            raise


class Database:
    """A pool of connections, and a limit of concurrent frame reads.

    The database may be unavailable when the pool opens; requests fail with
    `DatabaseUnavailable` until it is available.
    """

    def __init__(self, url: str, *, size: int) -> None:
        self._where = conninfo(url, options=_SESSION)
        self._lost_at = float("-inf")
        self._pool: ConnectionPool[_Pooled] = ConnectionPool(
            self._where,
            connection_class=_Pooled,
            min_size=1,
            max_size=size,
            open=False,
            timeout=MAX_WAIT_S,
            max_waiting=100,
            reconnect_timeout=10,
            configure=self._begin,
            check=self._check,
            kwargs={
                "application_name": "verkehrspuls api",
                "autocommit": True,
                "on_failure": self._note_failure,
            },
            name="api",
        )
        self._frames = threading.BoundedSemaphore(size)
        self._refused: WrongRole | None = None
        #: why the newest connection could not be opened
        self._failure: Unavailable | None = None

    def open(self) -> None:
        """Start to connect; return at once."""
        self._pool.open(wait=False)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close(timeout=1)

    @contextmanager
    def connection(self, viewer: Viewer = ANONYMOUS) -> Iterator[Connection]:
        """Lend a connection that reads for a viewer."""
        with self._measured(), self._pool.connection() as connection:
            try:
                if viewer == ANONYMOUS:
                    yield connection
                else:
                    with connection.transaction():
                        _take(connection, viewer)
                        yield connection
            except Exception:
                if self._rests:
                    # it would not answer a rollback either
                    connection.close()
                raise

    @contextmanager
    def writing(self, viewer: Viewer = ANONYMOUS) -> Iterator[Connection]:
        """Lend a connection for one transaction that may change something."""
        with self.connection() as connection, connection.transaction():
            try:
                connection.execute(_WRITING, prepare=False)
            except _NO_ROLE as error:
                raise RolesMissing(names=ACTOR) from error
            actor = {"viewer": viewer.credential, **_origin()}
            execute(connection, "take_actor", **actor)
            yield connection

    @contextmanager
    def frames(self, viewer: Viewer = ANONYMOUS) -> Iterator[Shown]:
        """Reserve a concurrent read of frames; yield the source for `read_frame`."""
        with self._measured():
            if not self._frames.acquire(timeout=MAX_WAIT_S):
                raise PoolTimeout("all turns are taken")
            try:
                yield Shown(self._where, viewer.credential)
            finally:
                self._frames.release()

    @contextmanager
    def _measured(self) -> Iterator[None]:
        """Measure the time, and distinguish server errors from program errors.

        For a moment after the server was lost no other request waits for it.
        """
        if self._refused:
            raise self._refused
        if self._rests:
            raise DatabaseUnavailable(reason="it did not answer a moment ago")
        began = time.perf_counter()
        try:
            yield
        except Exception as error:
            if isinstance(error, Lost):
                self._note_lost()
            if _is_slow(error):
                raise TooSlow from error
            cause = explained(error)
            if isinstance(error, PoolTimeout) and self._failure:
                cause = self._failure
            if cause is error or not isinstance(cause, Unavailable):
                raise
            raise cause from error
        finally:
            spent = spent_ms.get()
            if spent is not None:
                ms = (time.perf_counter() - began) * 1000
                spent["db"] = spent.get("db", 0) + ms

    def _begin(self, connection: Watched) -> None:
        """Refuse to work as a role that is above the boundary between viewers."""
        try:
            require_login(connection, "api")
        except WrongRole as error:
            self._refused = error
            raise
        self._refused = self._failure = None

    def _note_failure(self, error: Exception) -> None:
        self._failure = not_connected(error)

    def _check(self, connection: Watched) -> None:
        """Refuse a connection that does not answer before it is lent."""
        connection.answer_s = MAX_WAIT_S
        try:
            ConnectionPool.check_connection(connection)
        except Lost:
            self._note_lost()
            raise
        connection.answer_s = None

    @property
    def _rests(self) -> bool:
        return time.monotonic() - self._lost_at < RETRY_PAUSE_S

    def _note_lost(self) -> None:
        """Record that the server was lost, usually with all connections."""
        rests, self._lost_at = self._rests, time.monotonic()
        if not rests:
            self._pool.drain()


class Seen(NamedTuple):
    """The database as a viewer sees it."""

    database: Database
    viewer: Viewer = ANONYMOUS

    def connection(self) -> AbstractContextManager[Connection]:
        """Lend a connection that reads."""
        return self.database.connection(self.viewer)

    def writing(self) -> AbstractContextManager[Connection]:
        """Lend a connection for one transaction that may change something."""
        return self.database.writing(self.viewer)

    def frames(self) -> AbstractContextManager[Shown]:
        """Reserve a concurrent read of frames; yield the source for `read_frame`."""
        return self.database.frames(self.viewer)


def _take(connection: Connection, viewer: Viewer) -> None:
    """Read for a viewer until the transaction ends."""
    execute(connection, "take_viewer", viewer=viewer.credential, once=True)


def _origin() -> dict[str, str | None]:
    """Return from where is asked, and by which route: a path may hold a secret."""
    scope = asked.get() or {}
    host, _ = scope.get("client") or (None, None)
    route = getattr(scope.get("route"), "path", None)
    return {"host": host, "via": f"{scope['method']} {route}" if route else None}


def _is_slow(error: Exception) -> bool:
    canceled = isinstance(error, _TOO_SLOW)
    return canceled or (of_driver(error) and bool(_TIMEOUT.search(str(error))))
