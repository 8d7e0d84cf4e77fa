"""Lists in foreign payloads: one bad element costs no other."""

import json
from typing import Any

import cbor2
import pytest

from ingest.formats import formats
from ingest.formats.record import DecodeForeign, Record
from ingest.formats.sparkplug_b import Births
from ingest.reasons import Unusable
from tests.unit.ingest.formats import NOW
from tests.unit.ingest.formats.test_sparkplug_b import NOW_MS, field, payload

HOUR = {"date": "2026-11-21T19:00:00Z", "interval": "hourly", "uptime": 0.8}
AT = 1795291200
DATASTREAM = {"Datastream": {"@iot.id": 5}, "components": ["phenomenonTime", "result"]}
TIMES = [f"2026-11-21T20:0{minute}:00Z" for minute in range(3)]
GOOD = [{"value_type": "SDS_P1", "value": "27.65"}, {"value_type": "P2", "value": "1"}]


def found(name: str, body: object) -> tuple[list[Record], list[Unusable]]:
    decode: DecodeForeign = formats().foreign[name]
    cbor = name == "senml-cbor"
    written = cbor2.dumps(body) if cbor else json.dumps(body).encode()
    return parted(decode("any/topic", written, NOW))


def parted(all_: Any) -> tuple[list[Record], list[Unusable]]:
    records = [each for each in all_ if isinstance(each, Record)]
    return records, [each for each in all_ if isinstance(each, Unusable)]


@pytest.mark.parametrize("bad", [None, "n/a", 5, [], {"date": "gestern"}])
def test_bad_record_of_a_report_costs_no_other(bad: object) -> None:
    for body in ([HOUR, bad, HOUR], {"report": [HOUR, bad, HOUR]}):
        records, problems = found("telraam", body)
        assert len(records) == 2
        (problem,) = problems
        assert problem.detail.in_language("en").startswith("[1]: ")


@pytest.mark.parametrize("bad", [None, "n/a", {}, {"result": 1, "Datastream": 5}])
def test_bad_observation_of_an_array_costs_no_other(bad: object) -> None:
    good = [{"phenomenonTime": time, "result": 1} for time in TIMES[:2]]
    records, problems = found("sensorthings", [good[0], bad, good[1]])
    assert (len(records), len(problems)) == (2, 1)
    assert problems[0].detail.in_language("en").startswith("[1]: ")


@pytest.mark.parametrize("bad", [None, "n/a", [1], [5, 1], ["heute", 1]])
def test_bad_row_of_a_data_array_costs_no_other(bad: object) -> None:
    rows = [[TIMES[0], 1], bad, [TIMES[2], 3]]
    records, problems = found("sensorthings", [DATASTREAM | {"dataArray": rows}])
    assert (len(records), len(problems)) == (2, 1)


@pytest.mark.parametrize(
    "bad", [None, "n/a", {"value": 1}, {"value_type": "P0", "value": [1]}]
)
def test_bad_value_of_a_push_costs_no_other(bad: object) -> None:
    body = {"sensordatavalues": [GOOD[0], bad, GOOD[1]]}
    (record,), (problem,) = found("sensor-community", body)
    assert record.fields == {"SDS_P1": 27.65, "P2": 1}
    assert problem.detail.in_language("en").startswith("[1]: ")


@pytest.mark.parametrize("name", ["senml-json", "senml-cbor"])
@pytest.mark.parametrize(
    "bad",
    [
        None,
        "n/a",
        {"n": "b", "v": "n/a"},
        {"n": "b", "v": 1, "vs": "x"},
        {"n": "!", "v": 1},
        {"n": "b", "v": 1, "t": 1e300},
        {"n": "b", "v": 1, "t": "soon"},
    ],
)
def test_bad_entry_of_a_pack_costs_no_other(name: str, bad: object) -> None:
    pack = [{"bt": AT, "n": "a", "v": 1}, bad, {"n": "c", "v": 3}]
    (record,), (_,) = found(name, pack)
    assert record.fields == {"a": 1, "c": 3}


def test_base_fields_of_a_bad_entry_hold_for_those_after_it() -> None:
    pack = [{"bn": "x:", "bt": AT, "n": "a", "v": "n/a"}, {"n": "b", "v": 2}]
    (record,), (_,) = found("senml-json", pack)
    assert record.fields == {"x:b": 2}


def test_entries_after_a_bad_base_field_are_not_guessed() -> None:
    good = {"n": "a", "v": 1, "t": AT}
    pack = [good, {"bt": "soon", "n": "b", "v": 2}, {"n": "c", "v": 3}]
    (record,), problems = found("senml-json", pack)
    assert record.fields == {"a": 1}
    assert [problem.detail.in_language("en")[:4] for problem in problems] == [
        "[1]:",
        "[2]:",
    ]


@pytest.mark.parametrize("bad", [None, "n/a", {"rssi": "n/a"}, {"gwTime": "1980"}])
def test_bad_gateway_costs_no_uplink(bad: object) -> None:
    heard = [bad, {"rssi": -90, "snr": 7.5}]
    body: dict[str, Any] = {"fCnt": 1, "object": {"n": 2}, "rxInfo": heard}
    (record,), _ = found("chirpstack-v4", body)
    assert (record.fields["object.n"], record.fields["rssi"]) == (2, -90)
    uplink = {"decoded_payload": {"n": 2}, "rx_metadata": [*heard, {"time": "x"}]}
    (record,), _ = found("ttn-v3", {"uplink_message": uplink})
    assert (record.fields["decoded_payload.n"], record.fields["rssi"]) == (2, -90)


def test_bad_metric_costs_no_other() -> None:
    metrics = [
        field(1, "Counts/Car") + field(10, 3),
        field(2, 77) + field(10, 3),  # of a number that nobody named
        field(1, "Counts/Bus") + b"\x52\xff",  # cut off
        field(1, "Counts/Truck") + field(10, 1),
        field(1, "Counts/Van") + field(3, 1 << 62) + field(10, 1),
    ]
    body = field(1, NOW_MS) + payload(*metrics)
    topic = "spBv1.0/stadt/DDATA/schrank-7/zaehler-1"
    (record,), problems = parted(Births().decode(topic, body, NOW))
    assert record.fields == {"Counts/Car": 3, "Counts/Truck": 1}
    assert sorted(each.reason for each in problems) == [
        "no-birth",
        "not-a-time",
        "unreadable",
    ]


def test_invalid_time_is_reported_with_its_field() -> None:
    good = {"phenomenonTime": TIMES[0], "result": 1}
    for name in ("phenomenonTime", "resultTime"):
        _, (problem,) = found("sensorthings", [good, {name: "heute", "result": 1}])
        assert problem.detail.in_language("en") == f"{name} = 'heute'"
