"""ChirpStack v4 events."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingest.formats import NETWORK, CountReading
from ingest.formats.chirpstack_v4 import EXAMPLES, decode
from ingest.mapping import readings_of
from ingest.reasons import Unusable
from tests.unit.ingest.formats import NOW, readings, sensor
from verkehrspuls.model import Mapping, Profile

((TOPIC, EXAMPLE),) = EXAMPLES
COUNTER = sensor(
    ("in", "pedestrian", Mapping(classes={"pedestrian": "object.people_in"})),
    ("out", "pedestrian", Mapping(classes={"pedestrian": "object.people_out"})),
    profile=Profile(only={"f_port": 14}, time_is="end"),
    scheme="pedestrian",
)


def change(**fields: object) -> bytes:
    return json.dumps(json.loads(EXAMPLE) | fields).encode()


def test_people_counter_counts_by_direction() -> None:
    found = readings(decode(TOPIC, EXAMPLE, NOW), COUNTER)
    assert all(isinstance(reading, CountReading) for reading in found)
    at = datetime(2026, 11, 21, 19, 55, 1, 790000, tzinfo=UTC)
    assert [(r.output, r.time, r.interval_s, r.classes) for r in found] == [
        ("in", at, 300, {"pedestrian": 12}),
        ("out", at, 300, {"pedestrian": 9}),
    ]
    assert {r.time_origin for r in found} == {NETWORK}


def test_zero_that_is_left_out_is_zero_in_the_envelope_only() -> None:
    envelope = json.loads(EXAMPLE)
    del envelope["fCnt"]
    del envelope["object"]["people_in"]
    (record,) = decode(TOPIC, json.dumps(envelope).encode(), NOW)
    assert record.seq == 0
    assert [r.output for r in readings([record], COUNTER)] == ["out"]


def test_time_is_the_network_servers_where_no_gateway_has_one() -> None:
    (record,) = decode(TOPIC, change(rxInfo=[{"rssi": -120}]), NOW)
    assert record.time == datetime(2026, 11, 21, 20, 0, 1, 823501, tzinfo=UTC)
    assert record.time_origin == NETWORK


def test_other_port_holds_no_readings() -> None:
    assert readings(decode(TOPIC, change(fPort=190), NOW), COUNTER) == []


def test_signal_is_that_of_the_best_gateway() -> None:
    heard = [{"rssi": -120, "snr": -3}, {"rssi": -70, "snr": 8}, {}]
    (record,) = decode(TOPIC, change(rxInfo=heard), NOW)
    assert (record.fields["rssi"], record.fields["snr"]) == (-70, 8)


def test_events_as_documented(data: Path) -> None:
    folder = data / "chirpstack_v4_events"
    for event in ("join", "status", "log"):
        payload = (folder / f"{event}.json").read_bytes()
        assert decode(TOPIC.replace("/up", f"/{event}"), payload, NOW) == []
    with pytest.raises(Unusable) as refused:
        decode(TOPIC, (folder / "up.json").read_bytes(), NOW)
    assert refused.value.reason == "no-decoded-object"


def test_real_codecs_make_readings(data: Path) -> None:
    examples = json.loads((data / "lorawan_codec_examples/examples.json").read_bytes())
    counter, _, station, battery = examples

    def fields(example: dict[str, object]) -> dict[str, object]:
        payload = change(object=example["decoded"], fPort=example["fPort"])
        (record,) = decode(TOPIC, payload, NOW)
        return {k: v for k, v in record.fields.items() if k.startswith("object.")}

    assert fields(counter)["object.LTR"] == 1
    assert fields(counter)["object.RTL_SUM"] == 4
    assert fields(station)["object.air_temperature"] == pytest.approx(27.678, abs=1e-3)
    assert "object.air_temperature" not in fields(battery)


@pytest.mark.parametrize("name", ["gwTime", "time"])
def test_time_is_that_of_the_first_gateway_with_one(name: str) -> None:
    heard = [
        {"rssi": -60},
        {name: "2026-11-21T20:00:01.790Z"},
        {name: "1970-01-01T00:00:00Z"},
    ]
    (record,) = decode(TOPIC, change(rxInfo=heard), NOW)
    assert record.time == NOW + timedelta(seconds=1, milliseconds=790)


@pytest.mark.parametrize(
    ("gateways", "clock"),
    [
        (["1980-01-06T00:00:12Z"], "20:00:01.823501"),
        (["2007-04-07T20:00:01Z"], "20:00:01.823501"),
        (["1980-01-06T00:00:12Z", "2026-11-21T20:00:01.7Z"], "20:00:01.700000"),
        (["2026-11-21T21:00:01"], "20:00:01.823501"),
    ],
)
def test_gateway_whose_clock_is_wrong_is_passed_over(
    gateways: list[str], clock: str
) -> None:
    payload = change(rxInfo=[{"gwTime": stamp} for stamp in gateways])
    first = datetime(2000, 1, 1, tzinfo=UTC)
    found = readings_of(
        decode(TOPIC, payload, NOW),
        COUNTER,
        received_at=NOW,
        possible=(first, NOW + timedelta(hours=48)),
    )
    at = datetime.fromisoformat(f"2026-11-21T{clock}+00:00") - timedelta(minutes=5)
    assert {reading.time for reading in found.readings} == {at}
    assert [name for name, _, _ in found.passed_over] == ["rxInfo.gwTime"]


def test_frame_without_anything_for_the_application_holds_no_reading() -> None:
    payload = change(object=None, fPort=0, data="")
    assert decode(TOPIC, payload, NOW) == []
