"""Foreign formats from registration to stored readings."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg.rows import dict_row

from ingest.batch import Collector, Message
from ingest.check import Limits
from ingest.formats import DEVICE, NETWORK, chirpstack_v4, formats, tasmota
from ingest.resolve import filters, read_registry
from ingest.write import Writer
from tests.unit.formats import NOW
from tests.unit.test_ingest_resolve import how_to
from verkehrspuls.settings import Ingest
from verkehrspuls.storage.database import Connection, connect
from verkehrspuls.storage.registry import register

MESSAGES = [
    Message(topic, payload, NOW)
    for format in (chirpstack_v4, tasmota)
    for topic, payload in format.EXAMPLES
]


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    with connect(database, row_factory=dict_row, autocommit=True) as connection:
        register(connection, how_to())
        yield connection


def write(url: str, connection: Connection) -> list[Any]:
    collector = Collector(
        read_registry(connection), formats(), Limits.at(NOW, Ingest())
    )
    writer = Writer(url, Ingest(), pause=lambda _: True)
    try:
        writer.write(collector.collect(MESSAGES), collector)
    finally:
        writer.close()
    return connection.execute(
        "select key, pedestrian, null as value, time_origin, interval_s "
        "from count_reading join channel using (channel_id) union all "
        "select key, null, value, time_origin, interval_s "
        "from environment_reading join channel using (channel_id) order by key"
    ).fetchall()


def test_registered_sensors_are_read_with_the_origin_of_their_times(
    database: str, connection: Connection
) -> None:
    assert filters(read_registry(connection)) == {
        "application/1/device/0101010101010101/event/+",
        "tele/wetter-1/+",
    }
    for _ in range(2):  # the same again changes nothing
        rows = [tuple(row.values()) for row in write(database, connection)]
        assert rows == [
            ("in", 12, None, NETWORK, 600),
            ("out", 9, None, NETWORK, 600),
            ("pm10", None, 27.7, DEVICE, 300),
            ("temperature", None, pytest.approx(3.7), DEVICE, 300),
        ]


def test_registration_that_somebody_broke_harms_nobody_else(
    database: str, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    connection.execute(
        "update installation set mapping = '{\"fields\": 5}' where output = 'in'"
    )
    connection.execute("update sensor set profile = '[]' where key = 'wetter-1'")
    with caplog.at_level(logging.ERROR):
        rows = write(database, connection)
    assert [row["key"] for row in rows] == ["out"]
    assert caplog.text.count("registry_not_valid") >= 2
    reasons = connection.execute("select reason from rejected_message").fetchall()
    assert sorted(row["reason"] for row in reasons) == ["no-mapping", "no-time"]
