"""The servers that the tests themselves stand on."""

import psycopg
import pytest
from paho.mqtt.client import Client

from tests import parts
from verkehrspuls import mqtt
from verkehrspuls.errors import BrokerUnavailable, UsageError
from verkehrspuls.storage import migrate


def test_database_is_migrated_and_empty(database: str) -> None:
    found = migrate.status(database)
    assert found.current == found.needed
    assert found.fault is None

    with psycopg.connect(database) as connection:
        assert connection.execute("select count(*) from vp.site").fetchone() == (0,)


def test_database_is_of_the_edition_that_its_server_offers(database: str) -> None:
    with psycopg.connect(database) as connection:
        edition, offered = connection.execute(
            "select edition, current_setting('timescaledb.disable_load', true) "
            "from vp.storage"
        ).fetchall()[0]
    assert edition.startswith("timescale") == (offered is not None)


def test_tables_of_a_cloned_database_take_any_time(database: str) -> None:
    moments = ["2019-03-31T00:00Z", "2026-11-20T00:00Z", "2026-11-22T00:00Z"]
    with psycopg.connect(database) as connection:
        for moment in moments:
            connection.execute(
                "select vp.ensure_range('environment_reading', %(at)s, %(at)s)",
                {"at": moment},
            )
            connection.execute(
                "insert into vp.environment_reading "
                "(channel_id, time, interval_s, sensor_id, received_at, value) "
                "values (1, %s, 60, 1, now(), 7)",
                [moment],
            )
        connection.execute("update vp.environment_reading set value = 8")
        kept = connection.execute(
            "select count(*), sum(value) from vp.environment_reading_history"
        ).fetchone()
        assert kept == (3, 21.0)
        connection.execute(
            "select vp.drop_before('environment_reading', '2026-01-01T00:00Z')"
        )
        left = connection.execute("select count(*) from vp.environment_reading")
        assert left.fetchone() == (2,)


def test_publisher_names_what_was_not_acknowledged(broker: parts.Broker) -> None:
    with mqtt.Publisher(broker.publish_url, name="publisher") as publisher:
        broker.stop()
        for sensor in "abcd":
            publisher.publish(f"vp/v1/town/{sensor}/counts", b"{}")
        with pytest.raises(BrokerUnavailable) as refused:
            publisher.flush(0.1)
        assert "4 messages" in str(refused.value)
        assert "'vp/v1/town/a/counts'" in str(refused.value)
        assert "and 1 more" in str(refused.value)
        broker.start()
        publisher.flush(parts.PATIENCE_S)
        # no broker takes it: refused beforehand, and nothing is held up
        with pytest.raises(UsageError, match="no topic"):
            publisher.publish("vp/v1/town/a\tb/counts", b"{}")
        publisher.publish("vp/v1/town/a/counts", b"{}")
        publisher.flush(parts.PATIENCE_S)


def test_broker_keeps_a_session_over_a_restart(broker: parts.Broker) -> None:
    seen: list[bytes] = []

    def listener() -> Client:
        made = mqtt.client(broker.url, client_id="listener", clean=False)
        made.on_message = lambda *args: seen.append(args[2].payload)
        granted: list[object] = []
        made.on_subscribe = lambda *args: granted.append(args)
        mqtt.connect(made, broker.url)
        made.loop_start()
        parts.wait_for(made.is_connected)
        made.subscribe("vp/v1/+/+/+", qos=1)
        parts.wait_for(lambda: granted)
        return made

    first = listener()
    first.disconnect()
    first.loop_stop()
    with mqtt.Publisher(broker.publish_url, name="publisher") as publisher:
        publisher.publish("vp/v1/town/sensor/counts", b"kept")
        publisher.flush(parts.PATIENCE_S)
    broker.stop()
    broker.start()
    second = listener()
    parts.wait_for(lambda: seen == [b"kept"])
    second.disconnect()
    second.loop_stop()
