"""Tables partitioned by time, on each edition: made, dropped, compressed by range."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import polars as pl
import pytest

from ingest.batch import Collector
from ingest.check import Limits
from ingest.formats import formats
from ingest.resolve import read_registry
from ingest.write import Writer
from tests.conftest import EDITIONS
from tests.integration.test_ingest_write import counts
from tests.parts import Databases, as_ingest, patient
from tests.towns import TOWN
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import Ingest
from verkehrspuls.storage import migrate
from verkehrspuls.storage.database import Connection, connect, read_frame

NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)
OLD = NOW - timedelta(days=200)


@pytest.fixture(
    params=(*EDITIONS, pytest.param("container", marks=pytest.mark.timescale))
)
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a fresh migrated database: each edition, and the production's image."""
    databases: Databases = request.getfixturevalue(f"_{request.param}")
    with databases.fresh() as url:
        yield url


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    with connect(database, autocommit=True) as connection:
        register(connection, TOWN)
        yield connection


def write(connection: Connection, url: str, *readings: tuple[datetime, int]) -> None:
    writer = Writer(as_ingest(url), Ingest(), pause=patient())
    limits = Limits.at(NOW, Ingest())
    collector = Collector(read_registry(connection), formats(), limits)
    messages = [counts(time, car=car) for time, car in readings]
    writer.write(collector.collect(messages), collector)
    writer.close()


def value(connection: Connection, statement: LiteralString) -> object:
    return connection.execute(statement).fetchall()[0][0]


def test_migrating_again_changes_nothing(database: str) -> None:
    before, after = migrate.migrate(database)
    assert before == after == migrate.status(database)[1]


def test_dropping_a_range_leaves_the_rest(
    connection: Connection, database: str
) -> None:
    write(connection, database, (OLD, 1), (OLD, 2), (NOW, 3))
    cutoff = (NOW - timedelta(days=100)).isoformat()
    for table in ("count_reading", "count_reading_history"):
        assert value(connection, f"select drop_before('{table}', '{cutoff}')") == 1
    assert value(connection, "select array_agg(car) from count_reading") == [3]
    assert value(connection, "select count(*) from count_reading_history") == 0
    # nothing that reaches over the cutoff is dropped
    assert value(connection, f"select drop_before('count_reading', '{NOW}')") == 0


def test_late_readings_reach_a_compressed_range(
    connection: Connection, database: str
) -> None:
    times = [OLD + timedelta(minutes=5 * i) for i in range(200)]
    write(connection, database, *((time, 1) for time in times[::2]))
    compressed = value(
        connection,
        "select compress_before('count_reading', now() - interval '90 days')",
    )
    edition = value(connection, "select edition from storage")
    assert bool(compressed) == (edition == "timescale-community")
    # late ones, the same again, and a correction, all in one batch
    write(connection, database, *((time, 1) for time in times), (times[0], 7))
    assert value(connection, "select count(*) from count_reading") == len(times)
    assert value(connection, "select sum(car) from count_reading") == len(times) + 6
    assert value(connection, "select array_agg(car) from count_reading_history") == [1]
    assert value(connection, "select sum(readings_duplicate) from ledger") == 100


def test_every_table_can_be_compressed_and_dropped(connection: Connection) -> None:
    for (table,) in connection.execute("select series from series").fetchall():
        connection.execute(
            "select ensure_range(%s, %s, %s), compress_before(%s, %s), "
            "drop_before(%s, %s)",
            [table, OLD, NOW, table, NOW, table, NOW],
        )


def test_frame_of_a_query_holds_utc(connection: Connection, database: str) -> None:
    write(connection, database, (NOW, 3))
    frame = read_frame(database, "outputs")
    assert frame.schema["since"] == pl.Datetime("us", "UTC")
    assert frame.height == 3


def test_frames_come_again_after_the_server_closed_idle_connections(
    connection: Connection, database: str
) -> None:
    write(connection, database, (NOW, 3))
    assert read_frame(database, "outputs").height == 3
    # with a number of milliseconds it waits until they are closed
    connection.execute(
        "select pg_terminate_backend(pid, 60000) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
        " and backend_type = 'client backend'"
    )
    assert read_frame(database, "outputs").height == 3
