"""The ledger against the tables, and rejected messages: kept, bounded, replayed."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import msgspec
import psycopg
import pytest

from ingest import rejects
from ingest.batch import Collector, Message, Reject
from ingest.check import Limits
from ingest.formats import formats, sparkplug_b
from ingest.keep import Keeper
from ingest.rate import RateLimit
from ingest.reasons import Detail
from ingest.rejects import Choice
from ingest.resolve import read_registry
from ingest.write import Writer
from tests.intake import Intake
from tests.parts import as_ingest, patient
from tests.towns import AIR_TOPIC, COUNTS_TOPIC, TOWN
from verkehrspuls.model import Installation, Mapping
from verkehrspuls.registry.towns import register
from verkehrspuls.storage import ledger
from verkehrspuls.storage.database import execute
from verkehrspuls.storage.ledger_hours import list_ledger as ledger_hours

NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)
UNKNOWN_TOPIC = "vp/v1/kusel/camera-9/counts"


class World(Intake):
    """A database with the town, and a writer that limits what a sensor sends."""

    now = NOW

    def __init__(self, url: str, **ingest: object) -> None:
        super().__init__(url, **ingest)
        register(self.connection, TOWN)
        self.rate = RateLimit(self.settings.ingest, clock=lambda: 0.0)

    def restart(self) -> None:
        """Go on as a worker that is started anew: it remembers nothing."""
        self.writer.close()
        self.formats = formats()
        self.writer = self._new_writer()

    def write(self, *messages: Message) -> Counter[str]:
        collector = Collector(self.writer.registry(), self.formats, self.limits)
        batch = collector.collect(messages)
        if beyond := self.rate.beyond(batch):
            collector = collector.limited(batch.messages, beyond)
            batch = collector.collect(batch.messages)
        return self.writer.write(batch, collector)

    @property
    def limits(self) -> Limits:
        return Limits.at(self.now, self.settings.ingest)

    def mend(self, topic: str = UNKNOWN_TOPIC) -> None:
        """Register the sensor of a topic, in place of the camera that is there."""
        key = topic.split("/")[3]
        camera = msgspec.structs.replace(TOWN.sensors[0], installations=())
        new = msgspec.structs.replace(TOWN.sensors[0], key=key)
        register(self.connection, msgspec.structs.replace(TOWN, sensors=(camera, new)))

    def unmend(self) -> None:
        """Undo that."""
        key = UNKNOWN_TOPIC.split("/")[3]
        gone = msgspec.structs.replace(TOWN.sensors[0], key=key, installations=())
        sensors = (*TOWN.sensors, gone)
        register(self.connection, msgspec.structs.replace(TOWN, sensors=sensors))

    def replay(self, **choice: Any) -> dict[str, int]:
        return dict(rejects.replay(self.settings, Choice(**choice)))

    def value(self, query: LiteralString) -> Any:
        (row,) = self.connection.execute(query).fetchall()
        return next(iter(row.values()))

    def proof(self) -> ledger.Proof:
        return ledger.prove(self.connection)

    def counted(self, reason: str) -> ledger.RejectSums:
        rows = ledger.count_rejects(
            self.connection,
            **dict.fromkeys(("municipality", "sensor", "start", "end")),
            reason=reason,
        )
        return ledger.reasons(rows)[reason]


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with World(database) as world:
        yield world


@pytest.fixture
def plain(plain_database: str) -> Iterator[World]:
    with World(plain_database) as world:
        yield world


def counts(
    time: datetime = NOW,
    *,
    car: int = 3,
    topic: str = COUNTS_TOPIC,
    at: datetime = NOW,
    seq: int | None = None,
    outputs: tuple[str, ...] = ("1",),
) -> Message:
    body = {
        "time": time,
        "interval_s": 300,
        "seq": seq,
        "counts": [{"channel": o, "classes": {"car": car}} for o in outputs],
    }
    return Message(topic, msgspec.json.encode(body), at)


def test_ledger_is_proved_after_all_that_can_happen(world: World) -> None:
    air = {"time": NOW, "interval_s": 600, "values": {"no2_ugm3": 31.2, "x": 1}}
    world.write(
        *(counts(), counts(), counts(car=4), counts(outputs=("1", "9"))),
        *(counts(NOW - timedelta(days=400)), counts(NOW - timedelta(days=400), car=5)),
        Message(AIR_TOPIC, msgspec.json.encode(air), NOW),
        *(counts(topic=UNKNOWN_TOPIC), Message("a/b", b"{}", NOW)),
        Message(COUNTS_TOPIC, b"\xff", NOW + timedelta(hours=1)),
    )
    assert world.proof().differences == {name: [] for name in ledger.CHECKS}
    # what retention dropped is still accounted for
    for table in ("count_reading", "count_reading_history"):
        assert world.value(f"select drop_before('{table}', '2026-01-01')") == 1
    assert world.value("select sum(dropped) from ledger_dropped") == 2
    assert world.proof().holds
    world.connection.execute(
        "select drop_before('rejected_message', %s)", [NOW + timedelta(days=90)]
    )
    assert world.value("select count(*) from rejected_message") == 0
    assert world.proof().holds
    assert world.proof().totals.messages_received == 10


@pytest.mark.parametrize(
    ("statement", "checks"),
    [
        ("delete from count_reading", ["readings"]),
        ("update count_reading set car = 99", ["readings"]),
        ("delete from rejected_message", ["rejects"]),
        ("update ledger_reject set messages = messages + 1", ["sums", "running"]),
        ("delete from ledger where sensor_id is null", ["sums", "running"]),
        ("update ledger_reject set kept = 0", ["rejects", "running"]),
        ("delete from sequence", ["sequences"]),
        ("update sequence set state = '{}'", ["sequences"]),
        ("update ledger_sum set readings_late = readings_late + 1", ["running"]),
        ("delete from ledger_reject_sum", ["running"]),
    ],
)
def test_proof_says_where_something_is_missing(
    plain: World, statement: str, checks: list[str]
) -> None:
    plain.write(
        counts(seq=1), counts(NOW - timedelta(days=1), seq=3), Message("a", b"", NOW)
    )
    plain.write(counts(NOW + timedelta(minutes=10), seq=3))
    assert plain.proof().holds
    plain.connection.execute(statement)
    assert [name for name, rows in plain.proof().differences.items() if rows] == checks


def test_late_and_lost_are_counted(world: World) -> None:
    world.write(
        counts(seq=1),
        counts(NOW + timedelta(minutes=15), seq=4),
        counts(NOW - timedelta(days=2)),
    )
    assert world.value("select sum(readings_late) from ledger") == 1
    assert world.value("select sum(sequence_lost) from ledger") == 2
    # comes late, in another hour and from another worker
    again = counts(NOW + timedelta(minutes=5), seq=2, at=NOW + timedelta(hours=1))
    world.settings = world.settings.model_copy(
        update={"ingest": world.settings.ingest.model_copy(update={"slot": 1})}
    )
    world.writer.close()
    world.writer = Writer(as_ingest(world.url), world.settings.ingest, pause=patient())
    world.write(again, again)
    assert world.value("select sum(sequence_lost) from ledger") == 1
    assert world.value("select lost from sequence") == 1
    assert world.proof().holds


def test_overlaps_are_among_the_running_sums(plain: World) -> None:
    plain.write(counts(), counts(NOW + timedelta(minutes=2)))
    plain.write(counts(NOW - timedelta(minutes=2)))
    (row,) = execute(plain.connection, "sum_ledger").fetchall()
    assert row["readings_overlapping"] == 3
    assert plain.proof().holds


def test_sensor_of_which_nothing_came_is_expected(plain: World) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    start = plain.now = hour - timedelta(hours=2)
    message = counts(start, at=start)
    plain.write(message, message, Message(COUNTS_TOPIC, b"?", start))
    rows = ledger.of_sensors(plain.connection, start=start, end=hour)
    found = {row.sensor: row for row in rows}
    # two outputs every five minutes; one every ten
    assert found["camera-1"].readings_expected == 48
    assert found["camera-1"].readings_stored == 1
    assert found["camera-1"].readings_duplicate == 1
    assert found["camera-1"].rejects == {"unreadable": 1}
    assert found["air-1"].readings_expected == 12
    assert found["air-1"].messages_received == 0


def test_mended_messages_are_replayed_once(world: World) -> None:
    times = [NOW - timedelta(minutes=5 * i) for i in range(5)]
    world.write(*(counts(time, topic=UNKNOWN_TOPIC) for time in times))
    assert world.replay()["rejected"] == 5  # nothing is mended yet
    world.mend()
    result = world.replay(reason="unknown-sensor")
    assert (result["used"], result["readings_stored"]) == (5, 5)
    assert world.replay().get("messages", 0) == 0
    assert world.value("select count(*) from count_reading") == 5
    assert world.value("select min(attempts) from rejected_message") == 2
    assert (
        world.value("select sum(messages_received) from ledger where slot = 101") == 10
    )
    assert world.proof().holds


def test_replay_does_not_undo_what_came_since(world: World) -> None:
    world.write(counts(topic=UNKNOWN_TOPIC, car=1))
    world.write(counts(car=2, at=NOW + timedelta(minutes=1)))  # by another sensor
    world.mend()
    result = world.replay()
    assert (result["used"], result["readings_duplicate"]) == (1, 1)
    assert world.value("select car from count_reading") == 2
    assert world.proof().holds


def test_names_of_a_birth_outlive_the_worker(plain: World) -> None:
    """Its aliases mean the same to a worker that is started anew, or to another."""
    camera = TOWN.sensors[0]
    cabinet = msgspec.structs.replace(
        camera,
        key="cabinet-7",
        payload_format="sparkplug-b",
        topic="spBv1.0/stadt/+/schrank-7/zaehler-1",
        installations=(
            msgspec.structs.replace(
                camera.installations[0], mapping=Mapping(classes={"car": "Counts/Car"})
            ),
        ),
    )
    camera = msgspec.structs.replace(camera, installations=camera.installations[1:])
    sensors = (camera, cabinet)
    register(plain.connection, msgspec.structs.replace(TOWN, sensors=sensors))

    birth, data = (
        Message(topic, payload, NOW) for topic, payload in sparkplug_b.EXAMPLES
    )
    plain.restart()
    plain.write(data)
    assert plain.counted("no-birth").messages == 1
    plain.restart()
    plain.write(birth)
    assert plain.formats.memories["sparkplug-b"][1].unsaved() == []
    plain.restart()
    assert plain.replay()["used"] == 1
    plain.restart()
    plain.write(data)
    assert plain.value("select array_agg(car order by time) from count_reading") == [
        *(12, 14)
    ]
    # one that is older than what is known changes nothing
    older = birth.received_at - timedelta(hours=1)
    plain.formats.foreign["sparkplug-b"](birth.topic, b"", older)
    plain.write(data)
    plain.restart()
    plain.write(data)
    assert plain.counted("no-birth").messages == 1
    assert plain.proof().holds


def test_message_used_in_part_is_replayed_wholly(world: World) -> None:
    world.write(counts(outputs=("1", "9")), counts(car=7))
    camera = TOWN.sensors[0]
    third = Installation(
        site="b420", channel="out", output="9", since=camera.installations[0].since
    )
    mended = msgspec.structs.replace(
        camera, installations=(camera.installations[0], third)
    )
    register(world.connection, msgspec.structs.replace(TOWN, sensors=(mended,)))
    world.connection.execute("update rejected_message set received_at = received_at")
    result = world.replay(sensor="camera-1")
    assert (result["used"], result["readings_stored"]) == (1, 1)
    assert world.proof().holds


def test_message_refused_again_stays_with_the_new_reason(world: World) -> None:
    world.write(counts(topic=UNKNOWN_TOPIC, outputs=("1", "9")))
    world.mend()
    assert world.replay()["rejected"] == 1
    (row,) = ledger.rejects(world.connection, limit=9, **Choice()._asdict(), open=True)
    assert (row.reason, row.last_reason) == ("unknown-sensor", "unknown-output")
    assert row.attempts == 1
    assert row.last_detail is not None
    assert row.last_detail_values is not None
    last = Detail(row.last_detail, row.last_detail_values)
    assert last.in_language("de") == (
        f"'9' zum Zeitpunkt {NOW.isoformat()}; vorhanden sind 1, 2"
    )
    assert world.value("select count(*) from rejected_message") == 1
    assert world.proof().holds


def test_what_was_cut_is_not_replayed(plain_database: str) -> None:
    world = World(plain_database, reject_bytes=10)
    world.write(counts(topic=UNKNOWN_TOPIC))
    world.mend()
    assert world.replay() == {"cut": 1}
    world.close()


def test_database_that_refuses_a_replay_keeps_the_message(plain: World) -> None:
    times = [NOW - timedelta(minutes=5 * i) for i in range(4)]
    plain.write(
        *(counts(t, car=c, topic=UNKNOWN_TOPIC) for c, t in enumerate(times, 11))
    )
    plain.mend()
    plain.connection.execute(
        "alter table count_reading add constraint strange check (car <> 13)"
    )
    result = plain.replay()
    assert (result["used"], result["rejected"]) == (3, 1)
    open_ = ledger.rejects(plain.connection, limit=9, **Choice()._asdict(), open=True)
    assert [row.last_reason for row in open_] == ["database-refused"]
    assert plain.proof().holds


def test_without_room_one_example_is_kept_and_all_are_counted(
    plain_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(plain_database, keep_rejects=20)
    bad = [Message(COUNTS_TOPIC, b"no %d" % i, NOW) for i in range(50)]
    world.write(*bad)
    world.write(*bad)
    later = Message(COUNTS_TOPIC, b"?", NOW + timedelta(hours=1))
    world.write(later, later, counts(outputs=("9",)))
    assert world.counted("unreadable") == ledger.RejectSums(
        messages=102, kept=21, readings=0
    )
    assert world.counted("unknown-output").kept == 1
    assert world.value("select count(*) from rejected_message") == 22
    assert [r.message for r in caplog.records].count("no_room_for_rejects") == 1
    assert world.proof().holds
    # a restart remembers that there is no room, and the examples
    world.writer.close()
    world.writer = Writer(
        as_ingest(plain_database), world.settings.ingest, pause=patient()
    )
    world.write(later)
    assert world.value("select count(*) from rejected_message") == 22
    assert world.proof().holds
    world.close()


def test_flood_of_unknown_senders_is_bounded(plain_database: str) -> None:
    world = World(plain_database, keep_flood_per_minute=100)
    flood = (f"vp/v1/kusel/x{i}/counts" for i in range(10_000))
    world.write(*(counts(topic=topic) for topic in flood), counts())
    assert world.counted("unknown-sensor") == ledger.RejectSums(
        messages=10_000,
        kept=100,
        readings=0,
    )
    assert world.value("select count(*) from count_reading") == 1
    assert world.proof().holds
    world.close()


def test_sensor_that_runs_wild_stops_no_other(plain_database: str) -> None:
    world = World(
        plain_database,
        sensor_burst=1000,
        sensor_messages_per_minute=60,
        keep_flood_per_minute=10_000,
    )
    times = [NOW - timedelta(minutes=i) for i in range(10_000)]
    air = {"time": NOW, "interval_s": 600, "values": {"no2_ugm3": 31.2}}
    for page in range(0, 10_000, 1000):
        world.write(
            *(counts(time) for time in times[page : page + 1000]),
            Message(AIR_TOPIC, msgspec.json.encode(air), NOW),
        )
    assert world.value("select count(*) from count_reading") == 1000
    assert world.value("select count(*) from environment_reading") == 1
    assert world.counted("rate-limited").kept == 9000
    assert world.proof().holds
    # nothing is lost: later there is time for it
    assert world.replay(reason="rate-limited")["readings_stored"] == 9000
    assert world.value("select count(*) from count_reading") == 10_000
    assert world.proof().holds
    world.close()


def test_room_comes_back(plain: World) -> None:
    now = 0.0
    settings = plain.settings.ingest.model_copy(update={"keep_rejects": 10})
    keeper = Keeper(settings, clock=lambda: now)
    collector = Collector(read_registry(plain.connection), formats(), plain.limits)
    bad = collector.collect([Message(COUNTS_TOPIC, b"?", NOW)] * 30).rejects
    assert len(keeper.choose(plain.connection, bad)) == 10
    now = 31.0
    # none of them was written
    assert len(keeper.choose(plain.connection, bad)) == 10


def test_statement_cannot_bend_the_ledger(plain: World) -> None:
    plain.write(counts())
    with pytest.raises(psycopg.errors.CheckViolation):
        plain.connection.execute("update ledger set readings_late = 2")


def long_array(
    bad: dict[int, dict[str, Any]], *, parts: int = 2000, output: str = "1"
) -> Message:
    """Make a back-fill of more than is kept of a message, with some other parts."""
    intervals = [
        {
            "time": NOW - timedelta(minutes=5 * n),
            "interval_s": 300,
            "counts": [{"channel": output, "classes": {"car": 3}}],
        }
        | bad.get(n, {})
        for n in range(parts)
    ]
    return Message(COUNTS_TOPIC, msgspec.json.encode(intervals), NOW)


def test_bad_parts_of_a_long_message_are_kept_alone_and_replayed(world: World) -> None:
    other = {"counts": [{"channel": "9", "classes": {"car": 5}}]}
    message = long_array({700: other, 1900: other, 1950: {"interval_s": 0}})
    assert len(message.payload) > world.settings.ingest.reject_bytes
    world.write(message)
    assert world.value("select count(*) from count_reading") == 1997
    (row,) = ledger.rejects(world.connection, limit=9, **Choice()._asdict(), open=True)
    assert (row.cut, row.readings_rejected) == (False, 3)
    found = world.value("select payload from rejected_message")
    assert [part["interval_s"] for part in msgspec.json.decode(found)] == [300, 300, 0]
    assert world.counted("unknown-output").readings == 2
    assert world.counted("unreadable").readings == 1
    assert world.proof().holds
    camera = TOWN.sensors[0]
    first, *others = camera.installations
    renamed = msgspec.structs.replace(first, output="9")
    mended = msgspec.structs.replace(camera, installations=(renamed, *others))
    register(
        world.connection,
        msgspec.structs.replace(TOWN, sensors=(mended, *TOWN.sensors[1:])),
    )
    result = world.replay()
    assert (result["readings_stored"], result["readings_rejected"]) == (2, 1)
    assert world.proof().holds


def test_long_message_of_which_nothing_is_usable_is_kept_whole(world: World) -> None:
    message = long_array({}, output="9")
    world.write(message)
    (row,) = ledger.rejects(world.connection, limit=9, **Choice()._asdict(), open=True)
    assert (row.cut, row.readings_rejected) == (False, 2000)
    keeper = Keeper(world.settings.ingest)
    keeper.choose(world.connection, [reject_of(message)])
    size = -(-len(message.payload) // world.settings.ingest.reject_bytes)
    assert keeper._kept == 2 * size


def reject_of(message: Message) -> Reject:
    return Reject(message, 1, "unknown-output", Detail(), 2000)


def test_dropped_fields_are_counted_with_their_last_value(world: World) -> None:
    slow = {"channel": "1", "classes": {"car": 3}, "speed_kmh": -1}
    lost = {"channel": "1", "classes": {"car": 3}, "speed_kmh": 65535}
    world.write(long_array({1: {"counts": [slow]}, 2: {"counts": [lost]}}, parts=3))
    everything = dict.fromkeys(("municipality", "site", "sensor", "start", "end"))
    rows = ledger.dropped_fields(world.connection, **everything)
    assert rows == ledger.dropped_fields(
        world.connection, **everything | {"site": TOWN.sites[0].key}
    )
    elsewhere = everything | {"site": "elsewhere"}
    assert ledger.dropped_fields(world.connection, **elsewhere) == []
    assert [(r.problem, r.value, r.fields) for r in rows] == [
        ("above", "65535", 1),
        ("below", "-1", 1),
    ]
    assert world.value("select count(*) from count_reading") == 3
    assert world.proof().holds


def test_api_tells_what_was_left_out_and_messages_by_their_first_reason(
    world: World,
) -> None:
    slow = {"channel": "1", "classes": {"car": 3}, "speed_kmh": -1}
    other = {"counts": [{"channel": "9", "classes": {"car": 5}}]}
    world.write(
        long_array({1: {"counts": [slow]}, 2: other, 3: {"interval_s": 0}}, parts=4)
    )
    (row,) = ledger_hours(
        world.connection,
        start=NOW - timedelta(hours=1),
        end=NOW + timedelta(hours=1),
        municipality="kusel",
        sensor="camera-1",
        silent=False,
        limit=9,
    )
    assert row.fields_dropped == {"speed_kmh:below": 1}
    assert row.rejects == {"unknown-output": 1}
    assert (row.readings_stored, row.readings_rejected) == (2, 2)
