"""How messages become rows, rejects and the ledger's counts."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from ingest.batch import Batch, Collector, Message
from ingest.check import Limits
from ingest.formats import formats
from ingest.resolve import Feed, RegisteredSensor, Registry
from ingest.rows import rounds
from ingest.sequence import SequenceNumbers
from tests.rows import unpack
from tests.towns import AIR_TOPIC, COUNTS_TOPIC
from verkehrspuls.classes import COUNTS, SCHEMES
from verkehrspuls.settings import Ingest

NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)
EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
SENSORS = {
    ("kusel", "camera-1"): RegisteredSensor(
        1,
        "native",
        frozenset(SCHEMES["tls-8+1"]),
        {"1": [Feed(11, "motor", *EVER)], "2": [Feed(12, "motor", *EVER)]},
    ),
    ("kusel", "air-1"): RegisteredSensor(
        2, "native", frozenset(), {"no2_ugm3": [Feed(21, "no2_ugm3", *EVER)]}
    ),
}
REGISTRY = Registry(SENSORS)


def collect(*messages: Message) -> Batch:
    limits = Limits.at(NOW, Ingest())
    return Collector(REGISTRY, formats(), limits).collect(messages)


def counts(**change: object) -> dict[str, object]:
    interval: dict[str, object] = {
        "time": NOW,
        "interval_s": 300,
        "counts": [{"channel": "1", "classes": {"car": 3, "truck": 1}}],
    }
    return interval | change


def message(topic: str, *intervals: dict[str, object]) -> Message:
    body = intervals[0] if len(intervals) == 1 else list(intervals)
    return Message(topic, msgspec.json.encode(body), NOW)


def reasons(batch: Batch) -> list[str]:
    return [reject.reason for reject in batch.rejects]


def test_absent_class_is_unknown_and_not_zero() -> None:
    row = unpack(*collect(message(COUNTS_TOPIC, counts())).counts)
    classes = dict(zip(COUNTS, row[6 : 6 + len(COUNTS)], strict=True))
    assert classes == dict.fromkeys(COUNTS) | {"car": 3, "truck": 1}


def test_null_value_is_a_gap() -> None:
    value = {"time": NOW, "interval_s": 600, "values": {"no2_ugm3": None}}
    batch = collect(message(AIR_TOPIC, value))
    assert batch.environment == []
    assert batch.rejects == []
    assert next(iter(batch.ledger.values())).accepted == 1


def test_duplicate_in_a_batch_is_written_once() -> None:
    batch = collect(*[message(COUNTS_TOPIC, counts())] * 3)
    assert [len(rows) for rows in rounds(batch.counts)] == [1]
    assert batch.readings == 3


def test_other_content_in_a_batch_is_a_correction_in_a_later_round() -> None:
    other = counts(counts=[{"channel": "1", "classes": {"car": 9}}])
    batch = collect(*(message(COUNTS_TOPIC, each) for each in (counts(), other, other)))
    assert [len(rows) for rows in rounds(batch.counts)] == [1, 1]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"time": NOW + timedelta(hours=49)}, "too-new"),
        ({"time": datetime(1999, 12, 31, tzinfo=UTC)}, "too-old"),
        ({"time": "2026-11-21T20:00:00"}, "unreadable"),
        ({"interval_s": 0}, "unreadable"),
        ({"counts": [{"channel": "9", "classes": {"car": 1}}]}, "unknown-output"),
        ({"counts": [{"channel": "1", "classes": {"ufo": 1}}]}, "unknown-class"),
        (
            {"counts": [{"channel": "1", "classes": {"total": 1}}]},
            "class-not-in-scheme",
        ),
        ({"counts": [{"channel": "1", "classes": {"car": -1}}]}, "unreadable"),
        ({"counts": [{"channel": "1", "classes": {"car": True}}]}, "unreadable"),
        ({"counts": []}, "unreadable"),
    ],
)
def test_unusable_counts_are_rejected_with_the_reason(
    change: dict[str, object], reason: str
) -> None:
    batch = collect(message(COUNTS_TOPIC, counts(**change)))
    assert reasons(batch) == [reason]
    assert batch.counts == []


@pytest.mark.parametrize(
    "time", [NOW + timedelta(hours=24), datetime(2019, 1, 1, tzinfo=UTC)]
)
def test_tomorrow_and_2019_are_accepted(time: datetime) -> None:
    assert collect(message(COUNTS_TOPIC, counts(time=time))).rejects == []


def test_impossible_value_is_rejected() -> None:
    value = {"time": NOW, "interval_s": 600, "values": {"no2_ugm3": 1e5}}
    assert reasons(collect(message(AIR_TOPIC, value))) == ["out-of-range"]


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("vp/v1/kusel/nobody/counts", "unknown-sensor"),
        ("vp/v1/kusel/camera-1/other", "unknown-topic"),
        ("vp/v1/Kusel/camera-1/counts", "unknown-topic"),
        ("elsewhere", "unknown-topic"),
    ],
)
def test_message_of_nobody_is_kept(topic: str, reason: str) -> None:
    batch = collect(message(topic, counts()))
    assert reasons(batch) == [reason]
    assert batch.rejects[0].message.topic == topic


def test_back_fill_is_used_in_part_where_one_interval_is_bad() -> None:
    later = counts(time=NOW - timedelta(minutes=5))
    batch = collect(message(COUNTS_TOPIC, counts(interval_s=-1), later))
    (tally,) = batch.ledger.values()
    assert (tally.partly_accepted, tally.readings_written, tally.readings_rejected) == (
        (1, 1, 1)
    )


def test_clock_that_ran_ahead_hides_no_later_restart() -> None:
    sent = [counts(seq=7, time="2126-01-01T00:00:00Z")]
    # a week later, begun anew
    later = NOW + timedelta(days=7)
    sent += [counts(seq=seq, time=later + timedelta(minutes=seq)) for seq in (1, 2, 4)]
    numbers = SequenceNumbers()
    for each, now in zip(sent, (NOW, *3 * (later,)), strict=True):
        collector = Collector(REGISTRY, formats(), Limits.at(now, Ingest()))
        batch = collector.collect([message(COUNTS_TOPIC, each)])
        for numbered in batch.numbered.values():
            numbers.add(numbered)
    assert (numbers.resets, numbers.lost) == (1, 1)


def test_array_of_anything_is_one_reject_and_not_thousands() -> None:
    batch = collect(Message(COUNTS_TOPIC, b"[" + 100_000 * b"1," + b"1]", NOW))
    (reject,) = batch.rejects
    assert (reject.reason, reject.readings) == ("unreadable", 0)


def test_deep_nesting_is_rejected_and_not_fatal() -> None:
    deep = b'{"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    batch = collect(Message(COUNTS_TOPIC, deep, NOW))
    assert len(batch.rejects) == 1


def test_deleted_retained_message_is_accepted() -> None:
    (tally,) = collect(Message(COUNTS_TOPIC, b"", NOW)).ledger.values()
    assert tally.accepted == 1
