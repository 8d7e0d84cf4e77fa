"""Workers that start again and again, at brokers that keep messages."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, LiteralString

import msgspec
import pytest
from psycopg.rows import dict_row

from ingest.rejects import Choice, replay
from tests import parts
from tests.intake import ingesting
from tests.parts import as_ingest
from tests.towns import COUNTS_TOPIC, SINCE, TOWN
from tests.unit.ingest.test_batch import counts
from verkehrspuls import mqtt
from verkehrspuls.model import Channel, Installation, Mapping, Profile, Sensor, Site
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import Settings
from verkehrspuls.storage.database import connect

PATIENCE_S = parts.PATIENCE_S
#: The embedded broker takes no other topics than these.
LEVEL = "vp/v1/kusel/gauge/cm"
STATUS_TOPIC = COUNTS_TOPIC.replace("counts", "status")
GAUGE = msgspec.structs.replace(
    TOWN,
    sites=(
        *TOWN.sites,
        Site(
            key="bridge",
            name="Brücke",
            channels=(Channel(key="level", name="Pegel", quantity="water_level_cm"),),
        ),
    ),
    sensors=(
        *TOWN.sensors,
        Sensor(
            key="gauge",
            name="Pegel",
            payload_format="scalar",
            topic=LEVEL,
            profile=Profile(receipt_time=True),
            interval_s=600,
            installations=(
                Installation(
                    site="bridge",
                    channel="level",
                    output="level",
                    since=SINCE,
                    mapping=Mapping(field="value"),
                ),
            ),
        ),
    ),
)


class World:
    """A database, a broker, and a worker that can be started again."""

    def __init__(self, database: str, broker: parts.Broker, *, bulk: bool) -> None:
        self.broker = broker
        self.settings = Settings.model_validate(
            {
                "database": {"url": database, "ingest_url": as_ingest(database)},
                "broker": {"url": broker.url},
                "ingest": {"bulk": bulk, "linger_ms": 10},
            }
        )
        self.connection = connect(database, row_factory=dict_row, autocommit=True)

    def rows(self, query: LiteralString) -> list[Any]:
        return self.connection.execute(query).fetchall()

    def worker(self) -> AbstractContextManager[None]:
        return ingesting(self.settings)

    def publish(self, topic: str, payload: bytes, *, retain: bool = True) -> None:
        with mqtt.Publisher(self.broker.publish_url, "test-retained") as publisher:
            publisher.publish(topic, payload, retain=retain)
            publisher.flush(PATIENCE_S)

    def received(self) -> int:
        (row,) = self.rows("select sum(messages_received)::int as n from ledger")
        return row["n"] or 0

    def wait_for_messages(self, count: int) -> None:
        parts.wait_for(lambda: self.received() >= count, PATIENCE_S)

    def start_again(self, times: int, expected: int) -> None:
        """Start a worker so often, each time until what is retained came again."""
        for _ in range(times):
            before = self.received()
            with self.worker():
                self.wait_for_messages(before + expected)

    def sums(self) -> dict[str, int]:
        (row,) = self.rows(
            "select sum(readings_received)::int as received,"
            " sum(readings_stored)::int as stored,"
            " sum(readings_duplicate)::int as duplicate,"
            " sum(readings_corrected)::int as corrected,"
            " sum(readings_rejected)::int as rejected from ledger"
        )
        assert row["received"] == sum(row.values()) - row["received"]
        return dict(row)


@pytest.fixture(params=[True, False], ids=["bulk", "ordinary"])
def world(
    request: pytest.FixtureRequest, plain_database: str, broker: parts.Broker
) -> Iterator[World]:
    made = World(plain_database, broker, bulk=request.param)
    register(made.connection, GAUGE)
    yield made
    made.connection.close()


def test_level_that_is_retained_is_one_reading_however_often_we_start(
    world: World,
) -> None:
    with world.worker():
        world.publish(LEVEL, b"182.5")
        world.wait_for_messages(1)
    world.start_again(3, 1)
    assert len(world.rows("select from environment_reading")) == 1
    assert world.sums()["stored"] == 1
    # once for each subscription that takes it in
    assert world.sums()["duplicate"] >= 3
    assert world.rows("select from rejected_message") == []


def test_only_reading_of_a_sensor_that_retains_it_is_taken_once(world: World) -> None:
    world.publish(LEVEL, b"182.5")
    world.start_again(3, 1)
    (reading,) = world.rows("select value, time_origin from environment_reading")
    assert (reading["value"], reading["time_origin"]) == (182.5, 2)
    assert world.sums()["duplicate"] >= 2


def test_retained_level_that_nobody_can_date_is_kept_once_and_never_stored(
    world: World,
) -> None:
    with world.worker():
        world.publish(LEVEL, b"182.5", retain=False)
        world.wait_for_messages(1)
    # as if it had been published while nobody listened
    world.connection.execute("delete from ingest_session")
    world.publish(LEVEL, b"190")
    world.start_again(3, 1)
    assert len(world.rows("select from environment_reading")) == 1
    assert world.sums()["stored"] == 1
    assert world.sums()["rejected"] >= 3
    kept = world.rows("select reason, retained from rejected_message")
    assert [(row["reason"], row["retained"]) for row in kept] == [("retained", True)]
    # and stays what it is when it is replayed
    assert replay(world.settings, Choice())["used"] == 0
    assert len(world.rows("select from environment_reading")) == 1


def test_retained_reading_with_a_time_never_undoes_a_correction(world: World) -> None:
    first, later = (
        msgspec.json.encode(counts(counts=[{"channel": "1", "classes": {"car": car}}]))
        for car in (3, 5)
    )
    with world.worker():
        world.publish(COUNTS_TOPIC, first)
        world.publish(COUNTS_TOPIC, later, retain=False)
        world.wait_for_messages(2)
    world.start_again(2, 1)
    (row,) = world.rows("select car, revision from count_reading")
    assert (row["car"], row["revision"]) == (5, 1)
    assert world.sums()["duplicate"] >= 2


def test_status_that_is_retained_holds_since_it_was_known(world: World) -> None:
    with world.worker():
        world.publish(STATUS_TOPIC, b'{"state": "online"}')
        world.wait_for_messages(1)
    (before,) = world.rows("select since from sensor_status")
    world.start_again(2, 1)
    assert world.rows("select since from sensor_status") == [before]
    world.publish(STATUS_TOPIC, b'{"state": "offline"}')
    world.start_again(1, 2)
    (row,) = world.rows("select state from sensor_status")
    assert row["state"] == "offline"
