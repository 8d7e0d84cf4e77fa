"""SenML packs; the examples of RFC 8428 resolve as the RFC's authors do."""

import contextlib
import json
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import cbor2
import msgspec
import pytest
from cbor2 import CBORTag

from ingest.formats import DEVICE, RECEIPT
from ingest.formats.senml import (
    EXAMPLES,
    LABELS,
    decode_cbor,
    decode_json,
    entries,
    resolve,
)
from ingest.reasons import Unusable
from tests.unit.ingest.formats import NOW, decoded, readings, sensor, usable, value
from verkehrspuls.model import Mapping

((TOPIC, EXAMPLE),) = EXAMPLES
NAME = "urn:dev:ow:10e2073a01080063"
#: when the authors resolved packs without time, by example
THEN = {7: 1499109309.0}
AT = 1795291200


@pytest.mark.parametrize("number", range(1, 13))
def test_examples_of_the_rfc_resolve(data: Path, number: int) -> None:
    folder = data / "senml_rfc8428"
    pack = json.loads((folder / f"ex{number}.gen.json").read_bytes())
    found = resolve(entries(pack), now=THEN.get(number, 1498780179.0))
    wanted = json.loads((folder / f"ex{number}.gen.resolved.json").read_bytes())
    for entry in wanted:
        entry.pop("l", None)  # not of the RFC, to be ignored
    # the authors' tool leaves out data values
    assert [msgspec.to_builtins(entry) for entry in found if entry.vd is None] == wanted


def test_last_example_of_the_rfc_is_read(data: Path) -> None:
    payload = (data / "senml_rfc8428/ex13.gen.json").read_bytes()
    first, second = usable(decode_json(TOPIC, payload, NOW))
    assert first.fields["2001:db8::3"] == 0.5
    assert second.time == datetime(2011, 10, 31, 16, 27, 9, 100000, tzinfo=UTC)


@pytest.mark.parametrize("number", [3, 5])
def test_cbor_of_the_rfc_equals_json(data: Path, number: int) -> None:
    path = data / "senml_rfc8428" / f"ex{number}.gen.json"
    json_records = decode_json(TOPIC, path.read_bytes(), NOW)
    assert json_records
    cbor = path.with_suffix(".cbor").read_bytes()
    assert decode_cbor(TOPIC, cbor, NOW) == json_records


def test_values_are_read_in_their_units() -> None:
    found = readings(
        decode_json(TOPIC, EXAMPLE, NOW),
        sensor(
            value(f"{NAME}:temp", "temperature_c"),
            value(f"{NAME}:humidity", "humidity_pct"),
        ),
    )
    assert [(r.output, r.time, r.value, r.time_origin) for r in found] == [
        ("humidity_pct", NOW, 87.2, DEVICE),
        ("temperature_c", NOW, 4.1, DEVICE),
    ]


def test_kelvin_becomes_degrees_and_a_foreign_dimension_is_refused() -> None:
    to = sensor(value("t", "temperature_c"))
    pack = [{"n": "t", "u": "K", "v": 277.25, "t": AT}]
    (reading,) = readings(decode_json(TOPIC, msgspec.json.encode(pack), NOW), to)
    assert reading.value == pytest.approx(4.1)
    pack = [{"n": "t", "u": "lx", "v": 5, "t": AT}]
    (problem,) = decoded(
        decode_json(TOPIC, msgspec.json.encode(pack), NOW), to
    ).unusable
    assert problem.reason == "unknown-unit"


def test_unit_distinguishes_values_of_one_name() -> None:
    pack = [{"bn": "x", "bt": AT, "u": "lon", "v": 7.4}, {"u": "%RH", "v": 80}]
    to = sensor(value("x %RH", "humidity_pct"))
    (reading,) = readings(decode_json(TOPIC, msgspec.json.encode(pack), NOW), to)
    assert reading.value == 80


@pytest.mark.parametrize(
    ("time", "expected", "origin"),
    [
        ({}, NOW, RECEIPT),
        ({"t": -10}, NOW - timedelta(seconds=10), RECEIPT),
        ({"t": 2**28 - 1}, NOW + timedelta(seconds=2**28 - 1), RECEIPT),
        ({"t": 2**28}, datetime(1978, 7, 4, 21, 24, 16, tzinfo=UTC), DEVICE),
        ({"bt": AT, "t": -5}, NOW - timedelta(seconds=5), DEVICE),
    ],
)
def test_small_times_are_relative(
    time: dict[str, float], expected: datetime, origin: int
) -> None:
    payload = msgspec.json.encode([{"n": "x", "v": 1, **time}])
    (record,) = usable(decode_json(TOPIC, payload, NOW))
    assert (record.time, record.time_origin) == (expected, origin)


def test_base_value_and_base_sum_are_added() -> None:
    pack = [{"bn": "a", "bt": AT, "bv": 10, "bs": 100, "v": 1}, {"n": "b", "s": 5}]
    (record,) = usable(decode_json(TOPIC, msgspec.json.encode(pack), NOW))
    assert record.fields == {"a": 11, "ab": 10, "ab sum": 105}


@pytest.mark.parametrize(
    "pack",
    [
        [{"v": 1}],
        [{"n": "-x", "v": 1}],
        [{"n": "ü", "v": 1}],
        [{"n": "x", "v": 1, "vs": "1"}],
        [{"n": "x", "v": 1, "must_": 1}],
        [{"n": "x", "v": 1, "bver": 11}],
        [{"n": "x", "v": 1, "bver": 0}],
        [{"n": "x", "v": 1, "bver": 5}, {"bver": 6, "n": "x", "v": 1}],
        [{"n": "x", "v": "1"}],
        [{"n": "x", "v": True}],
        {"n": "x", "v": 1},
        [[]],
    ],
)
def test_pack_against_the_rules_is_refused(pack: object) -> None:
    for decode, payload in (
        (decode_json, msgspec.json.encode(pack)),
        (decode_cbor, cbor2.dumps(pack)),
    ):
        with pytest.raises(Unusable) as refused:
            decode(TOPIC, payload, NOW)
        assert refused.value.reason == "unreadable"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x81",
        b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff",  # an array of 2**63 items
        b"\x81" * 100_000,
        b"\xd8\x1c\x81\xd8\x1d\x00",  # an array that holds itself
        cbor2.dumps([{0: "x", 2: float("nan")}]),
        cbor2.dumps([{0: "x", 2: float("inf")}]),
        cbor2.dumps([{0: "x", 2: 10**400}]),
        # what would take minutes: a decimal fraction of a million digits, a float to
        # base 2, an expression to be compiled
        cbor2.dumps([{0: "x", 2: CBORTag(4, [0, 1 << 4_000_000])}]),
        cbor2.dumps([{0: "x", 2: CBORTag(5, [2**15, 1 << 4_000_000])}]),
        cbor2.dumps([{0: "x", 2: CBORTag(30, [1 << 4_000_000, 3**2_500_000])}]),
        cbor2.dumps([{0: "x", 2: CBORTag(35, "(a|b)" * 180_000)}]),
        cbor2.dumps([{0: "x", 2: CBORTag(4, [2**40, 1])}]),
    ],
    ids=lambda payload: payload[:12].hex(),
)
def test_malicious_cbor_is_refused_at_once(payload: bytes) -> None:
    began = time.process_time()
    with pytest.raises(Unusable) as refused:
        decode_cbor(TOPIC, payload, NOW)
    assert time.process_time() - began < 0.5
    assert refused.value.reason in ("unreadable", "too-deep")


@pytest.mark.parametrize("label", sorted(LABELS))
def test_number_of_any_size_in_cbor_is_read_or_refused(label: int) -> None:
    for number in (2**64, -(2**64), 2**40_000, Decimal("1e999999"), Fraction(1, 3)):
        payload = cbor2.dumps([{0: "x", 2: 1, 6: AT} | {label: number}])
        with contextlib.suppress(Unusable):
            decode_cbor(TOPIC, payload, NOW)


def test_cbor_with_something_behind_the_pack_is_refused() -> None:
    pack = cbor2.dumps([{0: "x", 2: 1, 6: AT}])
    assert len(decode_cbor(TOPIC, pack, NOW)) == 1
    for more in (b"\0", pack):
        with pytest.raises(Unusable, match="behind the pack"):
            decode_cbor(TOPIC, pack + more, NOW)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (CBORTag(4, [-2, 27315]), 273.15),
        (CBORTag(4, [-2, -(2**70)]), -(2**70) / 100),
        (2**70, 2.0**70),
        (-(2**70), -(2.0**70)),
    ],
)
def test_number_may_have_a_tag(number: object, expected: float) -> None:
    pack = cbor2.dumps([{0: "x", 2: number}])
    for payload in (pack, b"\xd9\xd9\xf7" + pack):  # "this is CBOR"
        (record,) = usable(decode_cbor(TOPIC, payload, NOW))
        assert record.fields == {"x": expected}


def test_long_base_name_of_many_records_takes_no_memory() -> None:
    pack = [{"bn": 50_000 * "u", "n": "t", "v": 1}]
    pack += [{"n": f"t{number}", "v": 1} for number in range(2_000)]
    payload = msgspec.json.encode([*pack, {"bn": "x", "v": 7}])
    tracemalloc.start()
    (record,) = usable(decode_json(TOPIC, payload, NOW))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sorted(record.fields) == [257 * "u", "x"]  # no mapping can name the one
    assert most < 50 * len(payload)


def test_base_fields_hold_until_the_next_of_their_name_be_it_empty() -> None:
    pack = [
        {"bn": "a", "bt": AT, "bu": "Cel", "n": "b", "v": 1},
        {"bn": "", "bt": 0, "bu": "", "n": "c", "v": 2},
        {"n": "d", "u": "%RH", "v": 3},
    ]
    first, second = usable(decode_json(TOPIC, msgspec.json.encode(pack), NOW))
    assert (first.time_origin, second.time_origin) == (DEVICE, RECEIPT)
    assert first.units["ab"] == "Cel"
    assert second.fields == {"c": 2, "d": 3, "d %RH": 3}


def test_name_that_comes_again_at_its_time_corrects_and_is_counted() -> None:
    pack = [
        {"bt": AT, "n": "temp", "u": "Cel", "v": 4.1},
        {"n": "humidity", "u": "%RH", "v": 87.2},
        {"n": "temp", "u": "Cel", "v": 4.6},
        {"n": "temp", "u": "%RH", "v": 50},
    ]
    to = sensor(value("temp", "temperature_c"), value("humidity", "humidity_pct"))
    found = readings(decode_json(TOPIC, msgspec.json.encode(pack), NOW), to)
    assert [(r.output, r.value) for r in found] == [
        ("humidity_pct", 87.2),
        ("temperature_c", 4.1),
        ("temperature_c", 4.6),
    ]


def test_count_that_comes_again_leaves_the_other_classes_as_they_were() -> None:
    pack = [
        {"bt": AT, "n": "car", "v": 4},
        {"n": "truck", "v": 1},
        {"n": "car", "v": 5},
    ]
    to = sensor(("1", "motor", Mapping(classes={"car": "car", "truck": "truck"})))
    found = readings(decode_json(TOPIC, msgspec.json.encode(pack), NOW), to)
    assert [r.classes for r in found] == [
        {"car": 4, "truck": 1},
        {"car": 5, "truck": 1},
    ]


def test_name_that_comes_again_and_again_takes_no_memory() -> None:
    pack = [{"bt": AT, "u": "Cel", "n": "temp", "v": 1} for _ in range(3_000)]
    pack += [{"n": f"t{number}", "u": "Cel", "v": 1} for number in range(3_000)]
    payload = msgspec.json.encode(pack)
    tracemalloc.start()
    assert len(decode_json(TOPIC, payload, NOW)) == 3_000
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 60 * len(payload)
