"""A worker's connections to the database: one for statements, one that reads frames.

Frames are read with Arrow (ADBC), whose connections are expensive to open (50 ms of
CPU) and cheap to keep.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar, cast

import polars as pl
import psycopg

from analytics.frames import SCHOOL_HOLIDAYS, Schema, of_records
from verkehrspuls.registry import calendar
from verkehrspuls.storage.columns import encode, read_columns
from verkehrspuls.storage.database import (
    Connection,
    connect,
    execute,
    one,
    prepared,
    read_records,
    session,
)
from verkehrspuls.storage.named import queries
from verkehrspuls.storage.watch import Watch, in_time

#: Rows sent to the server as one piece of CSV.
_CSV_ROWS = 25_000
_Record = TypeVar("_Record")
_CSV_TIME = "%Y-%m-%d %H:%M:%S%.f%:z"


class Store:
    """Runs statements in the transaction of `connection`; reads committed frames."""

    def __init__(
        self, connection: Connection, arrow: Any, backend: int, where: str
    ) -> None:
        """Use both connections; `backend` and `where`: Arrow's process and conninfo."""
        self.connection = connection
        self._arrow = arrow
        self._backend = backend
        self._where = where
        #: whether a frame is being read, or its reading timed out
        self.reads = False
        self._quote = psycopg.ClientCursor(connection).mogrify

    def execute(self, query: str, **parameters: Any) -> psycopg.Cursor[Any]:
        """Run a named query; rows come as dicts."""
        return execute(self.connection, query, **parameters)

    def records(
        self, record: type[_Record], query: str, **parameters: Any
    ) -> list[_Record]:
        """Read a named query's rows, in the transaction, as records."""
        return read_records(self.connection, record, query, **parameters)

    def now(self) -> datetime:
        """Return the time by the clock of the database, which all workers share."""
        now: datetime = self.one("clock")["now"]
        return now

    def frame(self, query: str, schema: Schema, **parameters: Any) -> pl.DataFrame:
        """Read a named query's rows, in the transaction, as a frame; for few rows."""
        rows = self.execute(query, **parameters).fetchall()
        return pl.DataFrame(rows, schema=dict(schema), orient="row")

    def one(self, query: str, **parameters: Any) -> dict[str, Any]:
        """Return the row of a named query that always returns one."""
        return one(self.connection, query, **parameters)

    def read(self, query: str, **parameters: Any) -> pl.DataFrame:
        """Read a named query's rows outside of the transaction: committed data only."""
        text = self._quote(queries()[query], parameters)

        def fetch(watch: Watch) -> pl.DataFrame:
            watch.backend = self._backend
            try:
                with self._arrow.cursor() as cursor:
                    cursor.execute(text)
                    return cast("pl.DataFrame", cursor.fetch_polars())
            finally:
                self.reads = False

        self.reads = True
        return in_time(self._where, fetch)

    def read_columns(self, query: str, **parameters: Any) -> pl.DataFrame:
        """Read a named query's rows, which are arrays: see `storage.columns`."""
        return read_columns(self.connection, query, **parameters)

    def copy(self, query: str, frame: pl.DataFrame) -> None:
        """Write a frame by COPY of CSV, with a named query.

        Polars writes the CSV, with nulls and quoting, without a Python step per row.
        """
        if frame.is_empty():
            return
        with self.connection.cursor().copy(queries()[query]) as copy:
            for part in frame.iter_slices(_CSV_ROWS):
                text = part.write_csv(include_header=False, datetime_format=_CSV_TIME)
                copy.write(text.encode())

    def put(self, query: str, frame: pl.DataFrame) -> None:
        """Write a frame by a named query that inserts `rows` of JSON.

        For tables with row security, into which only their owner may COPY.
        """
        if not frame.is_empty():
            self.execute(query, rows=frame.write_json())

    def copy_columns(self, query: str, frame: pl.DataFrame) -> None:
        """Write a frame of numbers by binary COPY, a quarter cheaper for the server."""
        if frame.is_empty():
            return
        with self.connection.cursor().copy(queries()[query]) as copy:
            for piece in encode(frame):
                copy.write(piece)


@contextmanager
def open_store(url: str, *, application: str) -> Iterator[Store]:
    """Open both connections, without a transaction: callers begin their own."""
    from adbc_driver_postgresql import dbapi

    where = session(url)
    with connect(url, application=application, autocommit=True) as connection:
        arrow, backend = in_time(
            where, lambda _: prepared(dbapi.connect(where, autocommit=True))
        )
        store = Store(connection, arrow, backend, where)
        try:
            yield store
        finally:
            if not store.reads:
                arrow.close()


def school_holidays(store: Store) -> pl.DataFrame:
    """Read all known SCHOOL_HOLIDAYS."""
    return of_records(calendar.school_holidays(store.connection), SCHOOL_HOLIDAYS)
