"""A worker's connections to the database: one for statements, one that reads frames.

Frames come over Arrow (ADBC), whose connections are dear to open (50 ms of CPU) and
cheap to keep.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import polars as pl
import psycopg

from analytics.frames import Schema
from verkehrspuls.storage.columns import encode, read_columns
from verkehrspuls.storage.database import Connection, connect, execute, one, queries

#: Rows that go to the server as one piece of CSV.
_SLICE = 25_000
_CSV_TIME = "%Y-%m-%d %H:%M:%S%.f%:z"


class Store:
    """Statements in the transaction of `connection`; frames of what is committed."""

    def __init__(self, connection: Connection, arrow: Any) -> None:
        self.connection = connection
        self._arrow = arrow
        self._quote = psycopg.ClientCursor(connection).mogrify

    def execute(self, query: str, **parameters: Any) -> psycopg.Cursor[Any]:
        """Run a named query; rows come as dicts."""
        return execute(self.connection, query, **parameters)

    def frame(self, query: str, schema: Schema, **parameters: Any) -> pl.DataFrame:
        """Read a named query's few rows, in the transaction, as a frame of a schema."""
        rows = self.execute(query, **parameters).fetchall()
        return pl.DataFrame(rows, schema=dict(schema), orient="row")

    def one(self, query: str, **parameters: Any) -> dict[str, Any]:
        """Give the row of a named query that always has one."""
        return one(self.connection, query, **parameters)

    def read(self, query: str, **parameters: Any) -> pl.DataFrame:
        """Read a named query's rows; it sees what is committed, and only that."""
        with self._arrow.cursor() as cursor:
            cursor.execute(self._quote(queries()[query], parameters))
            return cast("pl.DataFrame", cursor.fetch_polars())

    def read_columns(self, query: str, **parameters: Any) -> pl.DataFrame:
        """Read a named query's rows, which are arrays: see `storage.columns`."""
        return read_columns(self.connection, query, **parameters)

    def copy(self, query: str, frame: pl.DataFrame) -> None:
        """Write a frame by COPY of CSV, with a named query.

        Polars writes it without touching a row in Python; nulls and texts need no care.
        """
        if frame.is_empty():
            return
        with self.connection.cursor().copy(queries()[query]) as copy:
            for part in frame.iter_slices(_SLICE):
                text = part.write_csv(include_header=False, datetime_format=_CSV_TIME)
                copy.write(text.encode())

    def copy_columns(self, query: str, frame: pl.DataFrame) -> None:
        """Write a frame of numbers by binary COPY: a quarter less for the server."""
        if frame.is_empty():
            return
        with self.connection.cursor().copy(queries()[query]) as copy:
            for piece in encode(frame):
                copy.write(piece)


@contextmanager
def open_store(url: str, *, application: str) -> Iterator[Store]:
    """Open both connections; each transaction is begun where it is needed."""
    from adbc_driver_postgresql import dbapi

    with (
        connect(url, application=application, autocommit=True) as connection,
        dbapi.connect(url, autocommit=True) as arrow,
    ):
        with arrow.cursor() as cursor:
            cursor.execute("set time zone 'UTC'")
            cursor.execute("set search_path = vp, public")
        yield Store(connection, arrow)
