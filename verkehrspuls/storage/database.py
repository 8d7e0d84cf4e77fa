"""Connections to PostgreSQL, and named queries that are run on them."""

import atexit
import re
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

import psycopg
from psycopg import rows

from verkehrspuls.errors import (
    DatabaseUnavailable,
    LoginRefused,
    NoTables,
    NotPermitted,
    Unavailable,
    UsageError,
    VerkehrspulsError,
)
from verkehrspuls.storage import origin
from verkehrspuls.storage.named import queries, quoted
from verkehrspuls.storage.watch import Lost, Watch, Watched, conninfo, in_time

if TYPE_CHECKING:
    import polars as pl

Connection = psycopg.Connection[Any]
#: Lends a connection for a transaction.
Transaction = Callable[[], AbstractContextManager[Connection]]
_Record = TypeVar("_Record")


class Shown(NamedTuple):
    """What a viewer sees, as a source of frames."""

    #: conninfo with the options of the session
    address: str
    #: setting `vp.viewer`; empty: everybody
    viewer: str


#: Where frames are read: what is shown to a viewer, or the tables at a URL.
FrameSource = str | Shown


#: What a server says that is there and does not know the role, or its password, or does
#: not let it take another role.
_REFUSED: Final = re.compile(
    'password authentication failed|role ".*" does not exist'
    "|is not permitted to log in|permission denied (for database|to set role)"
)
#: UTC in, UTC out, no name found by accident in another schema, and no statement
#: compiled, which takes longer than running one of ours.
_SESSION = "-c TimeZone=UTC -c search_path=vp,public -c jit=off"


def session(url: str) -> str:
    """Return the conninfo of a session that reads and writes tables."""
    return conninfo(url, options=_SESSION)


def connect(
    url: str, *, application: str = "verkehrspuls", **kwargs: Any
) -> Connection:
    """Open a connection; raise `Unavailable` with advice where that fails."""
    try:
        return Watched.connect(
            conninfo(
                url,
                options=f"{_SESSION} {origin.option()}",
                application_name=application,
            ),
            **kwargs,
        )
    # a URL that cannot be read is a ProgrammingError
    except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
        raise not_connected(error) from error


def not_connected(error: Exception) -> Unavailable:
    """Return why there is no connection: the server is away, or refuses the login."""
    reason = str(error).strip()
    kind = LoginRefused if _REFUSED.search(reason) else DatabaseUnavailable
    return kind(reason=reason)


def explained(error: BaseException) -> VerkehrspulsError | None:
    """Return what to do about an error of the server; None for a fault of the program.

    The loss of a server may raise several errors in a chain. A fault of the program
    that follows one stays a fault of the program.
    """
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, Unavailable):
            return found
        if known := _explained(found):
            return known
        own = found.__suppress_context__ or not of_driver(found)
        found = found.__cause__ or (None if own else found.__context__)
    return None


def of_driver(error: BaseException) -> bool:
    """Return whether an error was raised by a database driver or the system."""
    module = type(error).__module__.partition(".")[0]
    return module in _DRIVERS or isinstance(error, OSError) or _came_with_frame(error)


def _came_with_frame(error: BaseException) -> bool:
    """Return whether an error of the server came while its rows became a frame."""
    kind = f"{type(error).__module__}.{type(error).__name__}"
    return kind == "polars.exceptions.ComputeError" and "[libpq]" in str(error)


def is_lost(error: BaseException) -> bool:
    """Return whether an error says that the database is away, and may be back."""
    return isinstance(explained(error), DatabaseUnavailable)


def _explained(error: BaseException) -> VerkehrspulsError | None:
    state = getattr(error, "sqlstate", None) or ""
    reason = " ".join(str(error).partition("\n")[0].split())
    if state in ("42P01", "3F000"):  # no such table, no such schema
        return NoTables()
    if state == "42501":
        return NotPermitted(reason=reason)
    if state == "22003":
        return UsageError(reason=f"a number is too large: {reason}")
    if state[:2] in _AWAY or state in _AWAY_FOR_US:
        return DatabaseUnavailable(reason=reason)
    kind = f"{type(error).__module__}.{type(error).__name__}"
    if not state and (
        isinstance(error, psycopg.OperationalError)
        or kind in _AWAY_BY_ARROW
        or _came_with_frame(error)
    ):
        return DatabaseUnavailable(reason=reason)
    return None


def refused(error: BaseException) -> VerkehrspulsError | None:
    """Return in a line what the database refuses of a call; None for other errors.

    The last resort: known refusals are reported earlier, with better words.
    """
    if not isinstance(error, psycopg.IntegrityError | psycopg.DataError):
        return None
    return UsageError(reason=refusal(error))


def refusal(error: psycopg.Error) -> str:
    """Put what the database refuses, and which value, into a line."""
    message = error.diag.message_primary or str(error).partition("\n")[0]
    parts = [f"the database refuses it: {message}", error.diag.message_detail or ""]
    return ". ".join(" ".join(part.split()).rstrip(".") for part in parts if part)


#: Classes of states: no connection, no resources, stopped by somebody, system error.
_AWAY: Final = ("08", "53", "57", "58")
#: Errors of ADBC, which is not loaded for this.
_AWAY_BY_ARROW: Final = (
    "adbc_driver_manager.OperationalError",
    "adbc_driver_manager.InternalError",
)
_DRIVERS: Final = ("psycopg", "psycopg_pool", "adbc_driver_manager")
#: It reads only (a replica), or has ended our transaction because it stood still.
_AWAY_FOR_US: Final = ("25006", "25P03", "25P04")


def execute(
    connection: Connection, query: str, **parameters: Any
) -> psycopg.Cursor[Any]:
    """Run a named query; rows come as dicts."""
    cursor = connection.cursor(row_factory=rows.dict_row)
    return cursor.execute(queries()[query], parameters)


def read_frame(
    source: FrameSource | str, query: str, **parameters: Any
) -> "pl.DataFrame":
    """Read a named query's rows into a frame, over Arrow (ADBC).

    Times come as aware UTC. On a connection of its own: it sees what is committed.
    """
    where, viewer = (session(source), "") if isinstance(source, str) else source
    text = quoted(query, parameters)
    try:
        return in_time(where, lambda watch: _read(where, viewer, text, watch))
    except Lost:
        # those that were opened before are lost, too
        with _arrows_lock:
            lost = _idle.pop(where, [])
        for arrow in lost:
            arrow.connection.close()
        raise


def read_records(
    connection: Connection,
    record: Callable[..., _Record],
    query: str,
    **parameters: Any,
) -> list[_Record]:
    """Read a named query's rows; `record` makes one, from an argument per column."""
    with connection.cursor(row_factory=rows.kwargs_row(record)) as cursor:
        return cursor.execute(queries()[query], parameters).fetchall()


def read_record(
    connection: Connection,
    record: Callable[..., _Record],
    query: str,
    **parameters: Any,
) -> _Record:
    """Read the row of a named query that always has one, as a record."""
    (found,) = read_records(connection, record, query, **parameters)
    return found


def one(connection: Connection, query: str, **parameters: Any) -> dict[str, Any]:
    """Return the row of a named query that always has one."""
    row = execute(connection, query, **parameters).fetchone()
    if row is None:
        raise LookupError(f"{query} gave no row")
    return cast("dict[str, Any]", row)


class _Arrow(NamedTuple):
    """A connection for Arrow."""

    connection: Any
    #: the server's process behind it
    backend: int
    #: when it was last used
    used: float
    #: for whom it reads
    viewer: str = ""


#: By conninfo a connection for Arrow from which others are cloned: a clone takes 5 ms,
#: a new one 60, because it reads the server's types first.
_arrows: dict[str, Any] = {}
_ARROWS: Final = 8
#: Connections that were used. In a new one a query takes 15 ms longer, because its
#: server process does not know the tables yet.
_idle: dict[str, list[_Arrow]] = {}
_IDLE: Final = 4
_IDLE_S: Final = 60.0
_arrows_lock = threading.Lock()
#: One is opened at a time; where the server does not answer that takes long.
_opening = threading.Lock()
_OPENING_S: Final = 5.0


def _read(where: str, viewer: str, text: str, watch: Watch) -> "pl.DataFrame":
    from adbc_driver_manager import AdbcStatusCode, OperationalError

    if used := _idle_arrow(where):
        try:
            return _fetch(where, used, viewer, text, watch)
        except OperationalError as error:
            # the server went away meanwhile, and may be back
            if error.status_code != AdbcStatusCode.IO:
                raise
    return _fetch(where, _new_arrow(where), viewer, text, watch)


def _fetch(
    where: str, arrow: _Arrow, viewer: str, text: str, watch: Watch
) -> "pl.DataFrame":
    """Read a frame for a viewer, and keep the connection for the next one."""
    watch.backend = arrow.backend
    try:
        with arrow.connection.cursor() as cursor:
            if viewer != arrow.viewer:
                cursor.execute(quoted("take_viewer", {"viewer": viewer, "once": False}))
            cursor.execute(text)
            frame = cast("pl.DataFrame", cursor.fetch_polars())
    except BaseException:
        arrow.connection.close()
        raise
    with _arrows_lock:
        idle = _idle.setdefault(where, [])
        if where in _arrows and len(idle) < _IDLE:
            idle.append(arrow._replace(used=time.monotonic(), viewer=viewer))
            return frame
    arrow.connection.close()
    return frame


def _idle_arrow(where: str) -> _Arrow | None:
    """Take a connection that was used a moment ago; None where there is none."""
    while True:
        with _arrows_lock:
            if not _idle.get(where):
                return None
            arrow = _idle[where].pop()
        if time.monotonic() - arrow.used < _IDLE_S:
            return arrow
        arrow.connection.close()


def _new_arrow(where: str) -> _Arrow:
    from adbc_driver_manager import Error

    if not _opening.acquire(timeout=_OPENING_S):
        raise DatabaseUnavailable(reason="it takes long to connect")
    try:
        return _opened(where)
    except Error as error:
        raise not_connected(error) from error
    finally:
        _opening.release()


def _opened(where: str) -> _Arrow:
    from adbc_driver_postgresql import dbapi

    if where not in _arrows:
        made = dbapi.connect(where, autocommit=True)
        with _arrows_lock:
            while len(_arrows) >= _ARROWS:
                _close_arrow(next(iter(_arrows)))
            if not _arrows:
                atexit.register(_close_arrows)
            _arrows[where] = made
    return _Arrow(*prepared(_arrows[where].adbc_clone()), time.monotonic())


def prepared(connection: Any) -> tuple[Any, int]:
    """Return a new connection for Arrow, and the server's process behind it."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("select pg_backend_pid()")
            backend = cursor.fetch_polars().item()
    except BaseException:
        connection.close()
        raise
    return connection, backend


def _close_arrow(where: str) -> None:
    _arrows.pop(where).close()
    for arrow in _idle.pop(where, ()):
        arrow.connection.close()


def _close_arrows() -> None:
    while _arrows:
        _close_arrow(next(iter(_arrows)))


def array(values: Iterable[object]) -> str:
    """Write values as PostgreSQL writes an array: the fastest way for both sides.

    For numbers, times, and texts without anything to be escaped.
    """
    return "{" + ",".join(map(str, values)) + "}"
