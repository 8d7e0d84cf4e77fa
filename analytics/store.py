"""A worker's connections to the database: one for statements, one that reads frames.

Frames come over Arrow (ADBC), whose connections are dear to open (50 ms of CPU) and
cheap to keep.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import polars as pl
import psycopg

from verkehrspuls.storage.database import Connection, connect, execute, queries


class Store:
    """Statements in the transaction of `connection`; frames of what is committed."""

    def __init__(self, connection: Connection, arrow: Any) -> None:
        self.connection = connection
        self._arrow = arrow
        self._quote = psycopg.ClientCursor(connection).mogrify

    def execute(self, query: str, **parameters: Any) -> psycopg.Cursor[Any]:
        """Run a named query; rows come as dicts."""
        return execute(self.connection, query, **parameters)

    def read(self, query: str, **parameters: Any) -> pl.DataFrame:
        """Read a named query's rows; it sees what is committed, and only that."""
        with self._arrow.cursor() as cursor:
            cursor.execute(self._quote(queries()[query], parameters))
            return cast("pl.DataFrame", cursor.fetch_polars())


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
