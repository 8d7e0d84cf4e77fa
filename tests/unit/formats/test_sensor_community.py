"""Push bodies of sensor.community."""

import json
from datetime import UTC, datetime
from pathlib import Path

from ingest.formats import RECEIPT
from ingest.formats.sensor_community import EXAMPLES, decode
from tests.unit.formats import NOW, decoded, readings, sensor, value
from verkehrspuls.model import Profile

((TOPIC, EXAMPLE),) = EXAMPLES
AIR = sensor(
    value("SDS_P1", "pm10_ugm3"),
    value("SDS_P2", "pm25_ugm3", unit="ug/m3"),
    value("BME280_temperature", "temperature_c", unit="Cel"),
    profile=Profile(receipt_time=True, sentinels={"*": (-1,), "SDS_P1": (999.9,)}),
    interval_s=150,
)


def push(*values: tuple[str, object], **more: object) -> bytes:
    body = [{"value_type": name, "value": value} for name, value in values]
    return json.dumps({"sensordatavalues": body, **more}).encode()


def test_text_that_is_a_number_is_one() -> None:
    found = readings(decode(TOPIC, EXAMPLE, NOW), AIR)
    assert [(r.output, r.value, r.time, r.time_origin) for r in found] == [
        ("pm10_ugm3", 27.65, NOW, RECEIPT),
        ("pm25_ugm3", 10.6, NOW, RECEIPT),
        ("temperature_c", 4.1, NOW, RECEIPT),
    ]


def test_empty_value_and_sentinel_are_gaps() -> None:
    payload = push(("SDS_P1", "999.90"), ("SDS_P2", ""), ("BME280_temperature", "-1"))
    assert readings(decode(TOPIC, payload, NOW), AIR) == []


def test_value_that_is_no_number_is_refused_and_others_used() -> None:
    payload = push(("SDS_P1", "nan"), ("SDS_P2", "3.0"))
    found = decoded(decode(TOPIC, payload, NOW), AIR)
    assert [reading.output for reading in found.readings] == ["pm25_ugm3"]
    assert [problem.reason for problem in found.unusable] == ["not-a-number"]


def test_real_bodies_are_read(data: Path) -> None:
    folder = data / "sensor_community_push"
    (record,) = decode(TOPIC, (folder / "nrz_2018_123b.json").read_bytes(), NOW)
    assert record.fields["SDS_P1"] == 27.65
    assert record.fields["signal"] == -68
    fixture = (folder / "feinstaub_api_test_fixture.json").read_bytes()
    (record,) = decode(TOPIC, fixture, NOW)
    assert record.time == datetime(2015, 4, 5, 20, 10, 10, tzinfo=UTC)
    assert record.fields == {"P1": 10, "P2": 99}
    request = (folder / "sensors_africa_gsm_http.txt").read_bytes()
    body = request[request.index(b"{") :]
    (record,) = decode(TOPIC, body, NOW)
    assert record.fields == {"P0": 7.8, "P1": 10.5, "P2": 13.4}
