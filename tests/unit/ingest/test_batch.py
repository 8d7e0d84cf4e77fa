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


def raw(topic: str, *parts: object) -> Message:
    """Make an array, of objects and of what is written as it is."""
    written = [
        part if isinstance(part, bytes) else msgspec.json.encode(part) for part in parts
    ]
    return Message(topic, b"[%s]" % b",".join(written), NOW)


def at_minute(minute: int, **change: object) -> dict[str, object]:
    time = NOW - timedelta(minutes=minute)
    return counts(time=time, **change)


@pytest.mark.parametrize(
    ("bad", "reason", "text"),
    [
        (b"null", "unreadable", "[1]: it is null; an object is wanted"),
        (b'"n/a"', "unreadable", "[1]: it is text; an object is wanted"),
        (b"[]", "unreadable", "[1]: it is an array; an object is wanted"),
        (b"{}", "unreadable", "[1]: the field time is missing"),
        (b'{"time": NaN, "interval_s": 60}', "unreadable", '[1]: time = "NaN": '),
        (
            counts(counts=[{"channel": "1", "classes": {"car": -1}}]),
            "unreadable",
            "[1]: counts[0].classes.car = -1: the number is below 0; write null",
        ),
        (
            counts(counts=[{"channel": "7", "classes": {"car": 1}}]),
            "unknown-output",
            "[1]: '7' at 2026-11-21T20:00:00+00:00; ",
        ),
        (at_minute(10**6), "too-old", "[1]: 2024-"),
    ],
)
def test_one_bad_element_of_an_array_costs_no_other(
    bad: object, reason: str, text: str
) -> None:
    sent = raw(COUNTS_TOPIC, at_minute(10), bad, at_minute(5))
    limits = Limits.at(NOW, Ingest(oldest_year=2025))
    batch = Collector(REGISTRY, formats(), limits).collect([sent])
    (tally,) = batch.ledger.values()
    assert (tally.partly_accepted, len(batch.counts)) == (1, 2)
    assert (tally.readings_written, tally.readings_rejected) == (2, 1)
    (reject,) = batch.rejects
    assert (reject.reason, reject.readings) == (reason, 1)
    assert reject.detail.in_language("en").startswith(text)


def test_bad_elements_of_a_long_array_can_be_kept_alone() -> None:
    written: list[object] = [at_minute(minute) for minute in range(8640)]
    bad = counts(counts=[{"channel": "1", "classes": {"car": -1}}])
    written[4000] = bad
    written[8000] = b'"n/a"'
    batch = collect(raw(COUNTS_TOPIC, *written))
    (tally,) = batch.ledger.values()
    assert (tally.readings_written, tally.readings_rejected) == (8638, 2)
    (reject,) = batch.rejects
    assert reject.parts == b'[%s,"n/a"]' % msgspec.json.encode(bad)
    assert "[8000]" in reject.detail.in_language("de")


def test_bad_entries_of_an_object_cost_no_other() -> None:
    two = [
        {"channel": "1", "classes": {"car": 3}},
        {"channel": "2", "classes": {"car": "3"}},
    ]
    batch = collect(message(COUNTS_TOPIC, counts(counts=two)))
    assert len(batch.counts) == 1
    assert (
        batch.rejects[0]
        .detail.in_language("en")
        .startswith('counts[1].classes.car = "3": it is text; a whole number is wanted')
    )
    values = {"no2_ugm3": 31.2, "o3_ugm3": "n/a"}
    air = {"time": NOW, "interval_s": 600, "values": values}
    batch = collect(message(AIR_TOPIC, air))
    assert len(batch.environment) == 1
    assert (
        batch.rejects[0].detail.in_language("de").startswith('values.o3_ugm3 = "n/a": ')
    )


def test_array_of_more_entries_than_its_bytes_can_hold_is_refused_at_once() -> None:
    batch = collect(raw(COUNTS_TOPIC, *[b"0"] * 6_000))
    (reject,) = batch.rejects
    assert (reject.reason, reject.readings) == ("unreadable", 0)
    assert "6000" in reject.detail.in_language("en")


def test_readings_of_a_message_are_counted_by_their_own_reasons() -> None:
    other = counts(counts=[{"channel": "7", "classes": {"car": 1}}])
    nested = b"[%s]" % msgspec.json.encode(counts())
    batch = collect(raw(COUNTS_TOPIC, counts(), other, other, nested))
    (reject,) = batch.rejects
    assert reject.reasons == {"unknown-output": 2, "unreadable": 1}


@pytest.mark.parametrize(
    ("field", "written", "dropped"),
    [
        ("speed_kmh", b"-1", ("speed_kmh", "below")),
        ("speed_kmh", b"65535", ("speed_kmh", "above")),
        ("speed_kmh", b"255", ("speed_kmh", "above")),
        ("speed_kmh", b"NaN", ("speed_kmh", "wrong")),
        ("speed_kmh", b'""', ("speed_kmh", "wrong")),
        ("speed_kmh", b'"n/a"', ("speed_kmh", "wrong")),
        ("occupancy", b"-999", ("occupancy", "below")),
        ("occupancy", b"12.5", ("occupancy", "above")),
        ("speed_histogram", b"[]", ("speed_histogram", "wrong")),
        ("speed_histogram", b'{"width_kmh": 5, "counts": [-1]}', None),
    ],
)
def test_field_that_cannot_be_used_is_left_out_of_the_counts(
    field: str, written: bytes, dropped: tuple[str, str] | None
) -> None:
    payload = msgspec.json.encode(counts()).replace(
        b'"classes"', b'"%s":%s,"classes"' % (field.encode(), written)
    )
    for sent in (payload, b"[%s]" % payload):
        batch = collect(Message(COUNTS_TOPIC, sent, NOW))
        (tally,) = batch.ledger.values()
        assert (tally.accepted, batch.rejects) == (1, [])
        assert tally.dropped == {dropped or ("speed_histogram", "wrong"): 1}
        assert (
            unpack(*batch.counts)[6:]
            == unpack(*collect(message(COUNTS_TOPIC, counts())).counts)[6:]
        )


@pytest.mark.parametrize(
    ("written", "seconds", "dropped"),
    [
        (b"15", 15, {}),
        (b"-1", None, {("observed_s", "below"): 1}),
        (b'"n/a"', None, {("observed_s", "wrong"): 1}),
    ],
)
def test_observed_seconds_stay_where_another_field_is_left_out(
    written: bytes, seconds: int | None, dropped: dict[tuple[str, str], int]
) -> None:
    body = counts(counts=[{"channel": "1", "classes": {"car": 1}, "speed_kmh": -1}])
    payload = msgspec.json.encode(body)[:-1] + b',"observed_s":%s}' % written
    batch = collect(Message(COUNTS_TOPIC, payload, NOW))
    (tally,) = batch.ledger.values()
    assert tally.dropped == {("speed_kmh", "below"): 1} | dropped
    assert unpack(*batch.counts)[-1] == seconds


def test_class_that_cannot_be_used_is_left_out_beside_a_total() -> None:
    sensors = {
        ("kusel", "camera-1"): RegisteredSensor(
            1,
            "native",
            frozenset({"total", "car"}),
            {"1": [Feed(11, "motor", *EVER)]},
        )
    }
    limits = Limits.at(NOW, Ingest())
    collector = Collector(Registry(sensors), formats(), limits)
    classes = {"total": 12, "car": -1}
    sent = counts(counts=[{"channel": "1", "classes": classes}])
    batch = collector.collect([message(COUNTS_TOPIC, sent)])
    (tally,) = batch.ledger.values()
    assert (tally.accepted, tally.dropped) == (1, {("classes.car", "below"): 1})
    classes["total"] = -1
    sent = counts(counts=[{"channel": "1", "classes": classes}])
    batch = collector.collect([message(COUNTS_TOPIC, sent)])
    assert reasons(batch) == ["unreadable"]


def test_status_without_a_usable_battery_is_a_status() -> None:
    status = b'{"state": "online", "battery_pct": 255}'
    topic = COUNTS_TOPIC.replace("/counts", "/status")
    batch = collect(Message(topic, status, NOW))
    assert batch.status[1][1].battery_pct is None
    (tally,) = batch.ledger.values()
    assert tally.dropped == {("battery_pct", "above"): 1}


def test_unusable_sequence_number_costs_no_reading() -> None:
    batch = collect(message(COUNTS_TOPIC, counts(seq=-1)))
    (tally,) = batch.ledger.values()
    assert (tally.accepted, tally.dropped) == (1, {("seq", "below"): 1})
    assert batch.numbered == {}
