"""Messages that a broker had kept, and topics that several sensors share."""

from datetime import timedelta

import msgspec
import pytest

from ingest.batch import Batch, Collector, Message
from ingest.check import Limits
from ingest.formats import formats
from ingest.resolve import Feed, RegisteredSensor, Registry
from tests.rows import unpack
from tests.unit.ingest.formats import EVER, NOW
from tests.unit.ingest.test_batch import SENSORS, counts
from verkehrspuls.model import Mapping, Profile
from verkehrspuls.settings import Ingest

LEVEL = "haus/pegel/cm"
GATEWAY = "gateway/rtl433"


def foreign(
    number: int, topic: str, field: str, payload_format: str, profile: Profile
) -> RegisteredSensor:
    feed = Feed(number, "water_level_cm", *EVER, Mapping(field=field))
    return RegisteredSensor(
        number,
        payload_format,
        frozenset(),
        {"level": [feed]},
        topic=topic,
        interval_s=600,
        profile=profile,
    )


def of_device(number: int, device: int | None, topic: str) -> RegisteredSensor:
    only: dict[str, bool | int | float | str] = {} if device is None else {"id": device}
    profile = Profile(receipt_time=True, only=only)
    return foreign(number, topic, "cm", "tasmota", profile)


REGISTRY = Registry(
    SENSORS
    | {
        ("kusel", "level"): foreign(
            31, LEVEL, "value", "scalar", Profile(receipt_time=True)
        ),
        ("kusel", "one"): of_device(41, 1672, f"{GATEWAY}/SENSOR"),
        ("kusel", "two"): of_device(42, 3585, f"{GATEWAY}/SENSOR"),
        ("kusel", "any"): of_device(43, 9, "gateway/+/SENSOR"),
        ("kusel", "all"): of_device(44, None, "all/SENSOR"),
        ("kusel", "also"): of_device(45, None, "all/SENSOR"),
    }
)


def collector() -> Collector:
    return Collector(REGISTRY, formats(), Limits.at(NOW, Ingest()))


def retained(payload: bytes = b"182.5", topic: str = LEVEL) -> Message:
    return Message(topic, payload, NOW, retained=True)


def sensors_of(batch: Batch) -> list[int]:
    return [unpack(row)[2] for row in batch.environment]


def of_gateway(topic: str = f"{GATEWAY}/SENSOR", **fields: object) -> Message:
    return Message(topic, msgspec.json.encode(fields), NOW)


def test_retained_reading_with_a_time_is_taken_and_corrects_nothing() -> None:
    payload = msgspec.json.encode(counts())
    batch = collector().collect([retained(payload, "vp/v1/kusel/camera-1/counts")])
    ((first,), _) = batch.packed().values()
    assert (first.rows, first.corrects) == (1, False)
    assert not batch.undated
    assert batch.outcomes["accepted"] == 1


def test_retained_array_corrects_nothing_either() -> None:
    intervals = [counts(time=NOW - timedelta(minutes=5 * n)) for n in (3, 2, 1)]
    payload = msgspec.json.encode(intervals)
    batch = collector().collect([retained(payload, "vp/v1/kusel/camera-1/counts")])
    assert [each.corrects for each in batch.packed()["counts"]] == [False]
    assert sum(each.rows for each in batch.packed()["counts"]) == 3


def test_retained_reading_without_time_waits_for_what_is_known() -> None:
    batch = collector().collect([retained()])
    assert batch.undated == {31: NOW}
    assert [reject.reason for reject in batch.rejects] == ["retained"]
    assert batch.outcomes["rejected"] == 1


@pytest.mark.parametrize(
    ("known", "outcome", "rows"),
    [
        (None, "accepted", 1),
        ({"value": 182.5}, "accepted", 0),
        ({"value": 181.0}, "rejected", 0),
    ],
)
def test_retained_reading_without_time_is_new_once_known_or_rejected(
    known: dict[str, float] | None, outcome: str, rows: int
) -> None:
    batch = collector().knowing({31: known}).collect([retained(), retained()])
    assert batch.outcomes[outcome] == 2
    assert sum(each.rows for each in batch.packed()["environment"]) == rows
    (tally,) = batch.ledger.values()
    assert tally.readings_written == (2 if outcome == "accepted" else 0)
    assert tally.readings_rejected == (0 if outcome == "accepted" else 2)


def test_retained_reading_is_known_where_it_was_sent_a_moment_ago() -> None:
    live = Message(LEVEL, b"190", NOW)
    again = retained(b"190")
    batch = collector().knowing({31: {"value": 182.5}}).collect([live, again])
    assert not batch.rejects
    assert len(batch.environment) == 1


def test_reading_of_the_same_value_that_is_not_retained_is_a_new_one() -> None:
    later = Message(LEVEL, b"182.5", NOW + timedelta(seconds=1))
    batch = collector().collect([Message(LEVEL, b"182.5", NOW), later])
    assert len(batch.environment) == 2


@pytest.mark.parametrize(("device", "sensor"), [(1672, 41), (3585, 42), (9, 43)])
def test_content_distinguishes_sensors_of_one_topic(device: int, sensor: int) -> None:
    batch = collector().collect([of_gateway(id=device, cm=80)])
    assert sensors_of(batch) == [sensor]
    assert [key[0] for key in batch.ledger] == [sensor]
    assert batch.outcomes["accepted"] == 1


def test_message_that_none_of_a_topics_sensors_takes_is_rejected() -> None:
    batch = collector().collect([of_gateway(id=77, cm=80)])
    assert [reject.reason for reject in batch.rejects] == ["not-meant"]
    assert batch.outcomes["rejected"] == 1
    assert batch.environment == []


def test_message_that_cannot_be_read_is_of_one_of_the_topics_sensors() -> None:
    batch = collector().collect([Message(f"{GATEWAY}/SENSOR", b"{", NOW)])
    assert [reject.reason for reject in batch.rejects] == ["unreadable"]
    assert batch.outcomes["rejected"] == 1


def test_sensors_that_take_the_same_message_both_get_it() -> None:
    message = of_gateway("all/SENSOR", cm=80)
    batch = collector().collect([message])
    assert sensors_of(batch) == [44, 45]
    assert batch.messages == [message]
    assert batch.outcomes["accepted"] == 2


def test_sensor_beyond_its_rate_takes_nothing_from_its_neighbour() -> None:
    messages = [of_gateway(id=device, cm=80) for device in (1672, 3585, 1672)]
    batch = collector().limited(messages, {41: 1}).collect(messages)
    assert sensors_of(batch) == [41, 42]
    assert [reject.reason for reject in batch.rejects] == ["rate-limited"]
