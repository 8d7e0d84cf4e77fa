"""Clocks that jump: the worker's, and those of sensors; row 27."""

from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
import pytest
import time_machine

from ingest.batch import Collector, Message
from ingest.check import Limits
from ingest.formats import formats
from ingest.resolve import read_registry
from ingest.worker import Worker
from ingest.write import Writer
from tests.parts import as_ingest, patient
from tests.towns import COUNTS_TOPIC, TOWN
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import Ingest, Settings
from verkehrspuls.stack import checks
from verkehrspuls.storage.clocks import sensor_clocks
from verkehrspuls.storage.database import connect
from verkehrspuls.storage.operation import read_lag_s
from verkehrspuls.storage.sites import list_sites

NOW = datetime(2026, 11, 21, 20, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def counts(received_at: datetime, time: datetime) -> Message:
    body = {
        "time": time,
        "interval_s": 300,
        "counts": [{"channel": "1", "classes": {"car": 3}}],
    }
    return Message(COUNTS_TOPIC, msgspec.json.encode(body), received_at)


def test_batch_closes_though_the_clock_stands_still(plain_database: str) -> None:
    settings = Settings.model_validate(
        {
            "database": {"url": as_ingest(plain_database)},
            "broker": {"url": "mqtt://127.0.0.1:9"},
            "ingest": {"linger_ms": 20},
        }
    )
    worker = Worker(settings)
    with time_machine.travel(NOW, tick=False):
        worker._read_registry()
        for jump in (timedelta(0), HOUR, -HOUR):
            with time_machine.travel(NOW + jump, tick=False):
                worker._inbox.put([counts(NOW + jump, NOW)])
                batch, _ = worker._next_batch()
                assert len(batch.messages) == 1
    worker._writer.close()
    worker._receiver.stop()


def test_clock_of_the_worker_jumps(plain_database: str) -> None:
    """The hour of receipt follows it; each reading is stored once, and it balances."""
    with connect(plain_database, autocommit=True) as connection:
        register(connection, TOWN)
        writer = Writer(as_ingest(plain_database), Ingest(), pause=patient())
        for index, jump in enumerate((timedelta(0), HOUR, -HOUR, timedelta(0))):
            now = NOW + jump
            limits = Limits.at(now, Ingest())
            collector = Collector(read_registry(connection), formats(), limits)
            messages = [
                counts(now, NOW - 5 * index * timedelta(minutes=1)),
                counts(now, NOW - HOUR),
            ]
            writer.write(collector.collect(messages), collector)
        writer.close()
        found = connection.execute(
            "select hour, sum(readings_stored)::int, sum(readings_duplicate)::int "
            "from ledger group by 1 order by 1"
        ).fetchall()
        assert found == [
            (NOW.replace(hour=19, minute=0), 1, 1),
            (NOW.replace(hour=20, minute=0), 3, 1),
            (NOW.replace(hour=21, minute=0), 1, 1),
        ]
        assert stored(connection) == 5


@pytest.mark.parametrize(
    ("ahead", "rows"), [(2 * HOUR, 1), (47 * HOUR, 1), (72 * HOUR, 0)]
)
def test_clock_of_a_sensor_is_wrong(
    plain_database: str, ahead: timedelta, rows: int
) -> None:
    """A little ahead is stored, further ahead is kept as a reject."""
    with connect(plain_database, autocommit=True) as connection:
        register(connection, TOWN)
        writer = Writer(as_ingest(plain_database), Ingest(), pause=patient())
        limits = Limits.at(NOW, Ingest())
        collector = Collector(read_registry(connection), formats(), limits)
        writer.write(collector.collect([counts(NOW, NOW + ahead)]), collector)
        writer.close()
        assert stored(connection) == rows
        kept = connection.execute("select reason from rejected_message").fetchall()
        assert len(kept) == 1 - rows


def test_a_clock_that_is_an_hour_ahead_is_said_at_its_first_message(
    plain_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is stored, its offset is kept, and nothing of the future is shown."""
    now = datetime.now(UTC).replace(microsecond=0)
    time = now + timedelta(minutes=57)
    with connect(plain_database, autocommit=True) as connection:
        register(connection, TOWN)
        writer = Writer(as_ingest(plain_database), Ingest(), pause=patient())
        collector = Collector(
            read_registry(connection), formats(), Limits.at(now, Ingest())
        )
        batch = collector.collect([counts(now, time)])
        broker = {"broker": {"url": "mqtt://127.0.0.1:9"}}
        worker = Worker(Settings.model_validate(broker))
        worker._log_ahead(batch)
        worker._log_ahead(batch)
        worker._receiver.stop()
        (record,) = (r for r in caplog.records if r.message == "clock_ahead")
        assert "ahead: is local time marked as Z?" in record.__dict__["reason"]
        assert list(batch.ahead.values()) == [time + timedelta(minutes=5)]
        writer.write(batch, collector)
        writer.close()
        assert stored(connection) == 1
        (clock,) = sensor_clocks(connection, municipality=TOWN.key)
        assert (clock.offset_s, clock.minutes_ahead) == (-62 * 60, 62)
        assert clock.facts["hint"] == "62 minutes ahead: is local time marked as Z?"
        assert clock.problem("de") == (
            "62 Minuten voraus: Ist Ortszeit mit Z gekennzeichnet?"
        )
        findings = {one.part: one for one in checks._clocks(connection)}
    found = findings[f"clock of {TOWN.key}/{clock.sensor}"]
    assert (found.state, found.detail) == ("problem", clock.problem("en"))
    assert findings["clocks"].state == "ok"


def test_a_clock_that_was_mended_is_not_told_of_any_more(plain_database: str) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    with connect(plain_database, autocommit=True) as connection:
        register(connection, TOWN)
        writer = Writer(as_ingest(plain_database), Ingest(), pause=patient())
        limits = Limits.at(now, Ingest())
        collector = Collector(read_registry(connection), formats(), limits)
        minute = timedelta(minutes=1)
        # the end of each interval of five minutes, as the sensor told it
        sent = [
            counts(now - 2 * minute, now + 55 * minute),
            counts(now - minute, now - 6 * minute),
        ]
        writer.write(collector.collect(sent), collector)
        writer.close()
        (clock,) = sensor_clocks(connection)
        assert clock.minutes_ahead is None
        assert clock.newest_offset_s == 0


def test_a_message_of_the_future_is_not_the_newest(plain_database: str) -> None:
    """Of an ingest worker whose clock was a day ahead, and is right again."""
    now = datetime.now(UTC)
    with connect(plain_database, autocommit=True) as connection:
        register(connection, TOWN)
        writer = Writer(as_ingest(plain_database), Ingest(), pause=patient())
        for at in (now + 24 * HOUR, now):
            limits = Limits.at(at, Ingest())
            collector = Collector(read_registry(connection), formats(), limits)
            writer.write(collector.collect([counts(at, at - HOUR)]), collector)
        writer.close()
        lag_s = read_lag_s(connection)
        assert lag_s is not None
        assert -1 < lag_s < 60
        sites = list_sites(connection)
        heard = [site.last_received_at for site in sites]
        assert max(at for at in heard if at) <= datetime.now(UTC)
        (found,) = (one for one in checks._clocks(connection) if one.part == "clocks")
        assert found.state == "problem"
        assert "ingest's was 86" in found.detail


def stored(connection: psycopg.Connection[tuple[int]]) -> int:
    row = connection.execute("select count(*) from count_reading").fetchone()
    assert row is not None
    return row[0]
