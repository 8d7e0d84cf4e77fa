"""Writing batches to a real database, in each storage edition."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from ingest.batch import Collector, Message
from ingest.check import Limits
from ingest.write import Writer
from tests.intake import Intake
from tests.parts import as_ingest, wait_for
from tests.towns import AIR_TOPIC, COUNTS_TOPIC, TOWN
from verkehrspuls.errors import SlotTaken
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import Ingest
from verkehrspuls.storage.database import Connection, execute
from verkehrspuls.storage.slots import count_workers

NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)


class World(Intake):
    """A database with the town, and a worker that has read its registry."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        register(self.connection, TOWN)
        limits = Limits.at(NOW, self.settings.ingest)
        self.collector = Collector(self.writer.registry(), self.formats, limits)

    def write(self, *messages: Message) -> Counter[str]:
        return self.writer.write(self.collector.collect(messages), self.collector)


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with World(database) as world:
        yield world


def counts(time: datetime = NOW, car: int = 3) -> Message:
    body = {
        "time": time,
        "interval_s": 300,
        "counts": [{"channel": "1", "classes": {"car": car}, "speed_kmh": 47.3}],
    }
    return Message(COUNTS_TOPIC, msgspec.json.encode(body), NOW)


def test_reading_is_stored_once_however_often_it_comes(world: World) -> None:
    sums = world.write(counts(), counts()) + world.write(counts())
    assert (sums["readings_stored"], sums["readings_duplicate"]) == (1, 2)
    (row,) = world.rows("select * from count_reading")
    assert (row["car"], row["truck"], row["revision"]) == (3, None, 0)
    assert row["speed_kmh"] == pytest.approx(47.3)


@pytest.mark.parametrize("histogram", [[0], [1, 2, 1_000_000], list(range(100))])
def test_histogram_is_stored_as_it_came(world: World, histogram: list[int]) -> None:
    output = {
        "channel": "1",
        "classes": {"car": 3},
        "speed_histogram": {"width_kmh": 5, "from_kmh": 10, "counts": histogram},
    }
    body = {"time": NOW, "interval_s": 300, "counts": [output]}
    sent = Message(COUNTS_TOPIC, msgspec.json.encode(body), NOW)
    world.write(sent)
    (row,) = world.rows(
        "select histogram, histogram_from_kmh, histogram_width_kmh from count_reading"
    )
    assert list(row.values()) == [histogram, 10, 5]
    assert world.write(sent)["readings_duplicate"] == 1


def test_one_known_reading_among_new_ones_is_told_from_them(world: World) -> None:
    """Copying straight into the table meets it, and is undone."""
    later = [counts(NOW + timedelta(minutes=5 * i)) for i in range(1, 9)]
    world.write(later[3])
    assert world.writer._known_for == 0
    sums = world.write(*later, later[0], counts(NOW + timedelta(minutes=10), car=7))
    assert sums["readings_received"] == 10
    assert sums["readings_stored"] == 7
    assert sums["readings_duplicate"] == 2
    assert sums["readings_corrected"] == 1
    found = world.rows("select car from count_reading order by time")
    assert [row["car"] for row in found] == [3, 7, 3, 3, 3, 3, 3, 3]
    assert world.writer._known_for > 0


def test_what_is_known_is_not_expected_to_be_new_for_a_while(world: World) -> None:
    world.write(counts())
    world.write(counts())
    known_for = world.writer._known_for
    # what only comes twice in a batch tells nothing of what is in the database
    other = counts(NOW + timedelta(minutes=5))
    assert world.write(other, other)["readings_duplicate"] == 1
    assert world.writer._known_for == known_for - 1


def test_workers_that_write_the_same_readings_store_them_once(
    world: World, database: str
) -> None:
    sent = [counts(NOW + timedelta(minutes=5 * i), car=i % 7) for i in range(500)]
    writers = [
        Writer(as_ingest(database), Ingest(slot=slot), pause=lambda _: False)
        for slot in (1, 2, 3)
    ]

    def write(writer: Writer) -> Counter[str]:
        sums: Counter[str] = Counter()
        for first in range(0, len(sent), 50):
            batch = world.collector.collect(sent[first : first + 50])
            sums += writer.write(batch, world.collector)
        return sums

    with ThreadPoolExecutor(len(writers)) as pool:
        sums = sum(pool.map(write, writers), Counter())
    for writer in writers:
        writer.close()
    assert sums["readings_received"] == 1500
    assert sums["readings_stored"] == 500
    assert sums["readings_duplicate"] == 1000
    assert len(world.rows("select from count_reading")) == 500


def test_connection_that_breaks_after_the_copy_leaves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers: list[int] = []

    def note(connection: Connection, query: str, **parameters: Any) -> Any:
        if query == "note_batch" and not numbers:
            numbers.append(len(world.rows("select from count_reading")))
            world.rows(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
                "where application_name = 'ingest 0'"
            )
        return execute(connection, query, **parameters)

    monkeypatch.setattr("ingest.store.execute", note)
    world.writer._pause = lambda _: False
    sums = world.write(counts(), counts(NOW + timedelta(minutes=5)))
    assert numbers == [0]
    assert sums["readings_stored"] == 2
    assert sums["readings_duplicate"] == 0
    assert len(world.rows("select from count_reading")) == 2


def test_correction_replaces_and_keeps_what_it_replaced(world: World) -> None:
    world.write(counts(car=3))
    assert world.write(counts(car=4), counts(car=5))["readings_corrected"] == 2
    assert [r["car"] for r in world.rows("select car from count_reading")] == [5]
    history = world.rows("select car from count_reading_history order by revision")
    assert [row["car"] for row in history] == [3, 4]


@pytest.mark.parametrize(
    "time",
    [
        datetime(2019, 3, 31, 1, tzinfo=UTC),
        NOW + timedelta(days=1),
        NOW.replace(year=2005),
    ],
)
def test_late_and_early_readings_find_their_place(world: World, time: datetime) -> None:
    world.write(counts(time=time))
    assert [r["time"] for r in world.rows("select time from count_reading")] == [time]
    stale = world.rows("select hour from stale_bucket")
    assert [row["hour"] for row in stale] == [time.replace(minute=0)]


def test_unchanged_reading_makes_nothing_stale(world: World) -> None:
    world.write(counts())
    world.rows("delete from stale_bucket returning 1")
    world.write(counts())
    assert world.rows("select * from stale_bucket") == []


def test_ledger_and_tables_agree(world: World) -> None:
    value = {"time": NOW, "interval_s": 600, "values": {"no2_ugm3": 31.2, "x": 1}}
    world.write(
        counts(),
        counts(car=4),
        Message(AIR_TOPIC, msgspec.json.encode(value), NOW),
        Message("vp/v1/kusel/nobody/counts", b"{}", NOW),
        Message(COUNTS_TOPIC, b"\xff\0", NOW),
    )
    (sums,) = world.rows(
        "select sum(messages_received) as messages, sum(readings_stored) as stored, "
        "sum(readings_corrected) as corrected, sum(readings_rejected) as rejected, "
        "sum(messages_unknown_sensor) as unknown from ledger"
    )
    assert sums == {
        "messages": 5,
        "stored": 2,
        "corrected": 1,
        "rejected": 1,
        "unknown": 1,
    }
    rejected = world.rows(
        "select reason, payload from rejected_message order by reason"
    )
    assert [(r["reason"], r["payload"]) for r in rejected if r["payload"] != b"{}"] == [
        ("unknown-output", msgspec.json.encode(value)),
        ("unreadable", b"\xff\0"),
    ]


def test_status_of_a_sensor_is_kept(world: World) -> None:
    topic = "vp/v1/kusel/camera-1/status"
    world.write(Message(topic, b'{"state":"online","firmware":"1.2"}', NOW))
    world.write(Message(topic, b'{"state":"offline"}', NOW + timedelta(seconds=1)))
    (row,) = world.rows("select state, firmware from sensor_status")
    assert row == {"state": "offline", "firmware": "1.2"}


def test_row_that_the_database_refuses_is_found_and_kept(world: World) -> None:
    # a check that the program does not know: the last resort must find the message
    world.connection.execute(
        "alter table count_reading add constraint strange check (car <> 13)"
    )
    sent = [counts(NOW - timedelta(minutes=5 * i), car=i) for i in range(20)]
    sums = world.write(*sent)
    assert (sums["readings_stored"], sums["readings_rejected"]) == (19, 1)
    (reject,) = world.rows("select reason, payload from rejected_message")
    assert reject == {"reason": "database-refused", "payload": sent[13].payload}


def test_dropped_partition_is_made_again(world: World) -> None:
    world.write(counts(NOW - timedelta(days=400)))
    world.rows("select drop_before('count_reading', '2026-01-01')")
    assert world.rows("select * from count_reading") == []
    world.write(counts(NOW - timedelta(days=400)))
    assert len(world.rows("select * from count_reading")) == 1


def test_broken_connection_is_renewed(world: World) -> None:
    world.write(counts())
    world.rows(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where application_name = 'ingest 0'"
    )
    pauses: list[float] = []

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        return False

    world.writer._pause = pause
    assert world.write(counts(car=7))["readings_corrected"] == 1
    assert len(pauses) == 1


def test_one_worker_per_slot(world: World, database: str) -> None:
    world.write(counts())
    second = Writer(as_ingest(database), Ingest(), pause=lambda _: False)
    with pytest.raises(SlotTaken, match="slot 0"):
        second.with_retry(lambda _: None)


def test_workers_are_counted_while_they_are_connected(plain_database: str) -> None:
    """By that they share the rate limit; imports and replays are none."""
    first, second, replay = (
        Writer(
            as_ingest(plain_database),
            Ingest().model_copy(update={"slot": slot}),
            pause=bool,
        )
        for slot in (0, 1, 101)
    )
    replay.with_retry(lambda _: None)
    assert first.with_retry(count_workers) == 1
    assert second.with_retry(count_workers) == 2
    second.close()
    wait_for(lambda: first.with_retry(count_workers) == 1)
    replay.close()
    first.close()


def test_ledger_cannot_be_out_of_balance(world: World) -> None:
    world.write(counts())
    with pytest.raises(psycopg.errors.CheckViolation):
        world.connection.execute("update ledger set readings_stored = 7")
