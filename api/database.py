"""The web server's way to the database: few connections, bounded in time.

Transactions are read-only, but for those of tokens and repeated requests.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool, PoolTimeout

from api.errors import TooSlow
from verkehrspuls.errors import DatabaseUnavailable, NoTables
from verkehrspuls.storage.database import Connection

STATEMENT_MS = 10_000
#: how long a request waits for its turn, and for a database that is away
WAIT_S = 3.0

_SESSION = (
    "-c TimeZone=UTC -c search_path=vp,public -c default_transaction_read_only=on"
    f" -c statement_timeout={STATEMENT_MS}"
    f" -c idle_in_transaction_session_timeout={STATEMENT_MS}"
)

#: milliseconds that the current request spent on the database, filled by `Database`
spent_ms: ContextVar[dict[str, float] | None] = ContextVar("spent_ms", default=None)


class Database:
    """A pool of connections, and turns for reading frames.

    The database may be away when the pool opens; requests fail with
    `DatabaseUnavailable` until it is there.
    """

    def __init__(self, url: str, *, size: int) -> None:
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url,
            min_size=1,
            max_size=size,
            open=False,
            timeout=WAIT_S,
            max_waiting=100,
            reconnect_timeout=10,
            check=ConnectionPool.check_connection,
            kwargs={
                "options": _SESSION,
                "application_name": "verkehrspuls api",
                "connect_timeout": 5,
            },
            name="api",
        )
        self._frames = threading.BoundedSemaphore(size)
        self._conninfo = make_conninfo(url, options=_SESSION, connect_timeout=5)

    def open(self) -> None:
        """Start to connect; returns at once."""
        self._pool.open(wait=False)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close(timeout=1)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection for one read-only transaction."""
        with _told(), self._pool.connection() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Lend a connection for one transaction that may write."""
        with self.connection() as connection:
            connection.execute("set transaction read write")
            yield connection

    @contextmanager
    def frames(self) -> Iterator[str]:
        """Lend a turn to read frames; gives the URL for `read_frame`."""
        with _told():
            if not self._frames.acquire(timeout=WAIT_S):
                raise PoolTimeout("all turns are taken")
            try:
                yield self._conninfo
            finally:
                self._frames.release()


@contextmanager
def _told() -> Iterator[None]:
    """Measure the time, and tell errors of the server from those of the program."""
    from adbc_driver_manager import Error as ArrowError
    from polars.exceptions import ComputeError

    began = time.perf_counter()
    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise NoTables from error
    except psycopg.errors.QueryCanceled as error:
        raise TooSlow from error
    except psycopg.OperationalError as error:
        raise _away(error) from error
    except (ArrowError, ComputeError) as error:
        if "statement timeout" in str(error):
            raise TooSlow from error
        state = getattr(error, "sqlstate", None) or "08000"
        if state[:2] in {"08", "53", "57"}:
            raise _away(error) from error
        raise
    finally:
        spent = spent_ms.get()
        if spent is not None:
            spent["db"] = spent.get("db", 0) + (time.perf_counter() - began) * 1000


def _away(error: Any) -> DatabaseUnavailable:
    return DatabaseUnavailable(reason=" ".join(str(error).split()))
