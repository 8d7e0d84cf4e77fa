"""Connections to PostgreSQL, and the SQL of `queries/*.sql` by name.

Every query stands in a file under a heading `-- name: <query_name>`; call sites say
`execute(connection, "query_name", parameter=value)`.
"""

import atexit
import re
import threading
import time
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, LiteralString, cast

import psycopg
from psycopg import rows, sql

from verkehrspuls.errors import (
    DatabaseUnavailable,
    NoTables,
    NotPermitted,
    UsageError,
    VerkehrspulsError,
)

if TYPE_CHECKING:
    import polars as pl

Connection = psycopg.Connection[Any]

#: UTC in, UTC out, and no name found by accident in another schema.
_SESSION = "-c TimeZone=UTC -c search_path=vp,public"
_HEADING = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def connect(
    url: str, *, application: str = "verkehrspuls", **kwargs: Any
) -> Connection:
    """Open a connection; `DatabaseUnavailable` says what to do where it fails."""
    try:
        return psycopg.connect(
            url,
            options=_SESSION,
            application_name=application,
            connect_timeout=10,
            **kwargs,
        )
    # a URL that cannot be read is a ProgrammingError
    except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
        raise DatabaseUnavailable(reason=str(error).strip()) from error


def explained(error: BaseException) -> VerkehrspulsError | None:
    """Say what to do about an error of the server; None for a fault of the program."""
    cause = getattr(error, "orig", error)  # SQLAlchemy wraps the driver's
    state = getattr(cause, "sqlstate", None) or ""
    reason = str(cause).partition("\n")[0]
    if state in ("42P01", "3F000"):  # no such table, no such schema
        return NoTables()
    if state == "42501":
        return NotPermitted(reason=reason)
    if state == "22003":
        return UsageError(reason=f"a number is too large: {reason}")
    if state[:2] in ("08", "53", "57") or (
        not state and isinstance(cause, psycopg.OperationalError)
    ):
        return DatabaseUnavailable(reason=reason)
    return None


@cache
def queries() -> Mapping[str, LiteralString]:
    """All named queries."""
    found: dict[str, LiteralString] = {}
    folder = resources.files("verkehrspuls.storage") / "queries"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        parts = _HEADING.split(file.read_text("utf-8"))
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            if name in found:
                raise ValueError(f"query {name} is defined twice, see {file.name}")
            found[name] = cast("LiteralString", text.strip().removesuffix(";"))
    return found


def execute(
    connection: Connection, query: str, **parameters: Any
) -> psycopg.Cursor[Any]:
    """Run a named query; rows come as dicts."""
    cursor = connection.cursor(row_factory=rows.dict_row)
    return cursor.execute(queries()[query], parameters)


def read_frame(url: str, query: str, **parameters: Any) -> "pl.DataFrame":
    """Read a named query's rows into a frame, over Arrow (ADBC).

    Times come as aware UTC. On a connection of its own: it sees what is committed.
    """
    from adbc_driver_manager import AdbcStatusCode, OperationalError

    text = quoted(query, parameters)
    if used := _idle_arrow(url):
        try:
            return _fetch(url, used, text)
        except OperationalError as error:
            # the server went away meanwhile, and may be back
            if error.status_code != AdbcStatusCode.IO:
                raise
    return _fetch(url, _new_arrow(url), text)


def one(connection: Connection, query: str, **parameters: Any) -> dict[str, Any]:
    """Give the row of a named query that always has one."""
    row = execute(connection, query, **parameters).fetchone()
    if row is None:
        raise LookupError(f"{query} gave no row")
    return cast("dict[str, Any]", row)


def quoted(query: str, parameters: Mapping[str, Any]) -> str:
    """Give a named query with its parameters in it, quoted, for drivers without any."""
    literals = {
        name: sql.Literal(value).as_string(None) for name, value in parameters.items()
    }
    return queries()[query] % literals


#: By URL a connection for Arrow from which others are cloned: a clone takes 5 ms, a new
#: one 60, because it reads the server's types first.
_arrows: dict[str, Any] = {}
_ARROWS: Final = 8
#: Connections that were used, and when. In a new one a query takes 15 ms longer,
#: because its server process does not know the tables yet.
_idle: dict[str, list[tuple[Any, float]]] = {}
_IDLE: Final = 4
_IDLE_S: Final = 60.0
_arrows_lock = threading.Lock()


def _fetch(url: str, arrow: Any, text: str) -> "pl.DataFrame":
    """Read a frame, and keep the connection for the next one."""
    try:
        with arrow.cursor() as cursor:
            cursor.execute(text)
            frame = cast("pl.DataFrame", cursor.fetch_polars())
    except BaseException:
        arrow.close()
        raise
    with _arrows_lock:
        idle = _idle.setdefault(url, [])
        if url in _arrows and len(idle) < _IDLE:
            idle.append((arrow, time.monotonic()))
            return frame
    arrow.close()
    return frame


def _idle_arrow(url: str) -> Any:
    """Take a connection that was used a moment ago; None where there is none."""
    while True:
        with _arrows_lock:
            if not _idle.get(url):
                return None
            arrow, since = _idle[url].pop()
        if time.monotonic() - since < _IDLE_S:
            return arrow
        arrow.close()


def _new_arrow(url: str) -> Any:
    from adbc_driver_manager import Error
    from adbc_driver_postgresql import dbapi

    try:
        with _arrows_lock:
            if url not in _arrows:
                while len(_arrows) >= _ARROWS:
                    _close_arrow(next(iter(_arrows)))
                if not _arrows:
                    atexit.register(_close_arrows)
                _arrows[url] = dbapi.connect(url, autocommit=True)
            arrow = _arrows[url].adbc_clone()
        with arrow.cursor() as cursor:
            cursor.execute("set time zone 'UTC'")
            cursor.execute("set search_path = vp, public")
    except Error as error:
        raise DatabaseUnavailable(reason=str(error)) from error
    return arrow


def _close_arrow(url: str) -> None:
    _arrows.pop(url).close()
    for arrow, _ in _idle.pop(url, ()):
        arrow.close()


def _close_arrows() -> None:
    while _arrows:
        _close_arrow(next(iter(_arrows)))
