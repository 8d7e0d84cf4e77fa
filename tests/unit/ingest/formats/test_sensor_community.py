"""Push bodies of sensor.community."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.formats import DEVICE, RECEIPT
from ingest.formats.sensor_community import EXAMPLES, decode
from tests.unit.ingest.formats import NOW, decoded, readings, sensor, usable, value
from verkehrspuls.model import Profile, TimeField

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
    (record,) = usable(decode(TOPIC, (folder / "nrz_2018_123b.json").read_bytes(), NOW))
    assert record.fields["SDS_P1"] == 27.65
    assert record.fields["signal"] == -68
    fixture = (folder / "feinstaub_api_test_fixture.json").read_bytes()
    (record,) = usable(decode(TOPIC, fixture, NOW))
    assert record.time == datetime(2015, 4, 5, 20, 10, 10, tzinfo=UTC)
    assert record.fields == {"P1": 10, "P2": 99}
    request = (folder / "sensors_africa_gsm_http.txt").read_bytes()
    body = request[request.index(b"{") :]
    (record,) = usable(decode(TOPIC, body, NOW))
    assert record.fields == {"P0": 7.8, "P1": 10.5, "P2": 13.4}


@pytest.mark.parametrize(
    ("stamp", "time"),
    [
        ("2026-11-13 10:00:00", datetime(2026, 11, 13, 10, tzinfo=UTC)),
        ("2026-11-13T10:00:00+01:00", datetime(2026, 11, 13, 9, tzinfo=UTC)),
    ],
)
def test_time_of_the_payload_is_the_time(stamp: str, time: datetime) -> None:
    found = readings(decode(TOPIC, push(("SDS_P1", "3"), timestamp=stamp), NOW), AIR)
    assert [(r.time, r.time_origin) for r in found] == [(time, DEVICE)]


@pytest.mark.parametrize("stamp", ["yesterday", "1795291200", 1795291200, "13.11.2026"])
def test_time_that_cannot_be_used_never_becomes_that_of_receipt(stamp: object) -> None:
    found = decoded(decode(TOPIC, push(("SDS_P1", "3"), timestamp=stamp), NOW), AIR)
    assert found.readings == []
    (problem,) = found.unusable
    assert problem.reason == "not-a-time"
    assert f"timestamp = {stamp!r}" in problem.detail.in_language("de")


@pytest.mark.parametrize(
    ("stamp", "field"),
    [
        ("2026-11-21 21:00:00", TimeField(field="timestamp", zone="Europe/Berlin")),
        ("1795291200", TimeField(field="timestamp", unit="s")),
        (1795291200, TimeField(field="timestamp", unit="s")),
    ],
)
def test_profile_defines_the_time_of_the_payload(
    stamp: object, field: TimeField
) -> None:
    to = sensor(value("SDS_P1", "pm10_ugm3"), profile=Profile(times=(field,)))
    found = readings(decode(TOPIC, push(("SDS_P1", "3"), timestamp=stamp), NOW), to)
    assert [(r.time, r.time_origin) for r in found] == [(NOW, DEVICE)]


@pytest.mark.parametrize("stamp", ["", None])
def test_empty_time_is_none(stamp: object) -> None:
    found = readings(decode(TOPIC, push(("SDS_P1", "3"), timestamp=stamp), NOW), AIR)
    assert [(r.time, r.time_origin) for r in found] == [(NOW, RECEIPT)]


def test_value_type_that_comes_again_corrects_and_is_counted() -> None:
    payload = push(("SDS_P1", "3"), ("SDS_P2", "2"), ("SDS_P1", "4"))
    found = readings(decode(TOPIC, payload, NOW), AIR)
    assert [r.value for r in found] == [3, 2, 4]
