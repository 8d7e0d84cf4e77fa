"""Sparkplug B, from bytes made here by the rules of protobuf."""

import struct
from datetime import timedelta

import pytest

from ingest.formats import sparkplug_b
from ingest.formats.record import DecodeForeign
from ingest.formats.sparkplug_b import EXAMPLES, Births
from ingest.reasons import Unusable
from tests.unit.ingest.formats import NOW, decoded, readings, sensor, usable
from verkehrspuls.model import Mapping

(BIRTH_TOPIC, BIRTH), (DATA_TOPIC, DATA) = EXAMPLES
ROAD = sensor(("1", "motor", Mapping(classes={"car": "Counts/Car"})))
NOW_MS = 1795291200000


@pytest.fixture
def births() -> Births:
    return Births()


@pytest.fixture
def decode(births: Births) -> DecodeForeign:
    """What decodes; nothing is remembered at first."""
    return births.decode


def varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def field(number: int, content: int | bytes | float | str) -> bytes:
    if isinstance(content, float):
        return varint(number << 3 | 1) + struct.pack("<d", content)
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def payload(*metrics: bytes, timestamp: int = NOW_MS) -> bytes:
    return field(1, timestamp) + b"".join(field(2, each) for each in metrics)


def test_alias_has_the_name_of_the_birth(decode: DecodeForeign) -> None:
    (birth,) = readings(decode(BIRTH_TOPIC, BIRTH, NOW), ROAD)
    assert (birth.time, birth.classes) == (NOW, {"car": 12})
    (data,) = readings(decode(DATA_TOPIC, DATA, NOW), ROAD)
    assert (data.time, data.classes) == (NOW + timedelta(minutes=5), {"car": 14})


def test_alias_without_birth_is_refused(decode: DecodeForeign) -> None:
    with pytest.raises(Unusable) as refused:
        decode(DATA_TOPIC, DATA, NOW)
    assert refused.value.reason == "no-birth"


def test_birth_of_another_device_names_nothing(decode: DecodeForeign) -> None:
    decode(BIRTH_TOPIC.replace("zaehler-1", "zaehler-2"), BIRTH, NOW)
    with pytest.raises(Unusable):
        decode(DATA_TOPIC, DATA, NOW)


def test_later_birth_replaces_the_names(decode: DecodeForeign) -> None:
    decode(BIRTH_TOPIC, BIRTH, NOW)
    decode(BIRTH_TOPIC, payload(field(1, "Other") + field(2, 2) + field(10, 1)), NOW)
    with pytest.raises(Unusable):
        decode(DATA_TOPIC, DATA, NOW)


def test_what_is_remembered_is_bounded(decode: DecodeForeign, births: Births) -> None:
    for number in range(sparkplug_b.MAX_DEVICES + 5):
        decode(f"spBv1.0/g/NBIRTH/edge-{number}", BIRTH, NOW)
    assert len(births._born) == sparkplug_b.MAX_DEVICES
    many = [
        field(1, f"m{n}") + field(2, n) + field(10, 1)
        for n in range(sparkplug_b.MAX_METRICS + 5)
    ]
    decode("spBv1.0/g/NBIRTH/big", payload(*many), NOW)
    assert len(births._born["g/big"].names) == sparkplug_b.MAX_METRICS
    assert len(births.unsaved()) == sparkplug_b.MAX_DEVICES


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (field(4, 3) + field(10, 2**32 - 5), -5),
        (field(4, 1) + field(10, 251), -5),
        (field(4, 1) + field(10, 2**32 - 5), -5),
        (field(4, 4) + field(11, 2**64 - 5), -5),
        (field(4, 7) + field(10, 2**32 - 5), 2**32 - 5),
        (field(4, 10) + field(13, 1.5), 1.5),
        (varint(12 << 3 | 5) + struct.pack("<f", 0.25), 0.25),
        (field(14, 1), True),
        (field(15, "Ä"), "Ä"),
        (field(10, 0) + field(7, 1), None),
        (field(10, 5) + field(9, b"\x0a\x01x") + field(8, b"") + field(5, 1), 5),
    ],
)
def test_values_are_read(decode: DecodeForeign, metric: bytes, value: object) -> None:
    body = payload(field(1, "m") + metric)
    (record,) = usable(decode("spBv1.0/g/NDATA/e", body, NOW))
    assert record.fields == {"m": value}


def test_metrics_are_grouped_by_their_own_time(decode: DecodeForeign) -> None:
    old = (
        field(1, "Counts/Car") + field(3, NOW_MS - 60_000) + field(5, 1) + field(10, 3)
    )
    new = field(1, "Counts/Car") + field(10, 4)
    earlier, now = readings(decode("spBv1.0/g/NDATA/e", payload(old, new), NOW), ROAD)
    assert (earlier.time, earlier.classes) == (NOW - timedelta(minutes=1), {"car": 3})
    assert (now.time, now.classes) == (NOW, {"car": 4})


@pytest.mark.parametrize("kind", ["NDEATH", "DDEATH", "NCMD", "DCMD", "STATE"])
def test_other_messages_hold_no_readings(decode: DecodeForeign, kind: str) -> None:
    assert decode(f"spBv1.0/g/{kind}/e/d", b"\xff", NOW) == []


@pytest.mark.parametrize(
    "bad",
    [
        b"\xff",
        b"\x12\x7f\x00",
        b"\x80" * 20,
        b"\x0b",
        field(1, 2**64 - 1) + field(2, field(1, "m")),
        payload(field(1, b"\xff\xfe")),
        payload(field(1, "m") + field(12, 2**63)),
        payload(field(10, 1)),
    ],
)
def test_broken_protobuf_is_refused(decode: DecodeForeign, bad: bytes) -> None:
    with pytest.raises(Unusable):
        decode("spBv1.0/g/NDATA/e", bad, NOW)


def test_value_of_another_kind_is_no_gap(decode: DecodeForeign) -> None:
    for kind in (16, 17, 18):
        metric = field(1, "Counts/Car") + field(kind, b"\x08\x01")
        (problem,) = decoded(decode(DATA_TOPIC, payload(metric), NOW), ROAD).unusable
        assert problem.reason == "not-a-number"


def test_number_of_the_edge_is_not_taken_for_one_of_the_device(
    decode: DecodeForeign,
) -> None:
    for number in (1, 5, 9):  # between them: the edge's other devices
        body = payload(field(1, "Counts/Car") + field(10, 1)) + field(3, number)
        assert decoded(decode(DATA_TOPIC, body, NOW), ROAD).numbered == []


def test_birth_of_the_edge_ends_the_names_of_its_devices(decode: DecodeForeign) -> None:
    decode(BIRTH_TOPIC, BIRTH, NOW)
    later = NOW + timedelta(seconds=1)
    decode("spBv1.0/stadt/NBIRTH/schrank-77", payload(), later)  # of another one
    assert decode(DATA_TOPIC, DATA, NOW)
    decode("spBv1.0/stadt/NBIRTH/schrank-7", payload(), later)
    with pytest.raises(Unusable) as refused:
        decode(DATA_TOPIC, DATA, NOW)
    assert refused.value.reason == "no-birth"


def test_compressed_payload_is_refused_and_not_taken_for_an_empty_one(
    decode: DecodeForeign,
) -> None:
    body = field(1, NOW_MS) + field(4, "SPBV1.0_COMPRESSED") + field(5, b"\x1f\x8b")
    with pytest.raises(Unusable, match="compressed"):
        decode(DATA_TOPIC, body, NOW)


def test_metric_that_comes_again_corrects_and_is_counted(decode: DecodeForeign) -> None:
    first, second = (field(1, "Counts/Car") + field(10, car) for car in (4, 5))
    found = readings(decode(BIRTH_TOPIC, payload(first, second), NOW), ROAD)
    assert [r.classes for r in found] == [{"car": 4}, {"car": 5}]


def test_metric_that_is_not_to_be_stored_is_rejected(decode: DecodeForeign) -> None:
    metric = field(1, "Counts/Car") + field(6, 1) + field(10, 4)
    found = decoded(decode(BIRTH_TOPIC, payload(metric), NOW), ROAD)
    assert found.readings == []
    assert [problem.reason for problem in found.unusable] == ["not-to-be-stored"]
