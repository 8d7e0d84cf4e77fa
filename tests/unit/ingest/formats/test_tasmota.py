"""Tasmota telemetry."""

import json
from datetime import UTC, datetime

import pytest

from ingest.formats import DEVICE, RECEIPT
from ingest.formats.tasmota import EXAMPLES, decode
from tests.unit.ingest.formats import NOW, decoded, readings, sensor, value
from verkehrspuls.model import Profile, TimeField

((TOPIC, EXAMPLE),) = EXAMPLES
TIMES = (TimeField(field="Time", zone="Europe/Berlin"),)
STATION = sensor(
    value("BME280.Temperature", "temperature_c"),
    value("SDS0X1.PM2.5", "pm25_ugm3"),
    profile=Profile(times=TIMES),
)


def change(**fields: object) -> bytes:
    return json.dumps(json.loads(EXAMPLE) | fields).encode()


def test_local_time_is_that_of_the_devices_zone() -> None:
    found = readings(decode(TOPIC, EXAMPLE, NOW), STATION)
    assert [(r.output, r.value) for r in found] == [
        ("pm25_ugm3", 10.6),
        ("temperature_c", 4.1),
    ]
    assert {(r.time, r.time_origin) for r in found} == {(NOW, DEVICE)}


def test_unit_of_the_payload_goes_before_any_other() -> None:
    payload = change(TempUnit="F", BME280={"Temperature": 39.38}, SDS0X1=None)
    (reading,) = readings(decode(TOPIC, payload, NOW), STATION)
    assert reading.value == pytest.approx(4.1)


def test_null_is_a_gap() -> None:
    payload = change(BME280={"Temperature": None}, SDS0X1={"PM2.5": None})
    assert readings(decode(TOPIC, payload, NOW), STATION) == []


@pytest.mark.parametrize("kind", ["STATE", "LWT", "INFO1"])
def test_other_topics_hold_no_readings(kind: str) -> None:
    assert decode(f"tele/wetter-1/{kind}", b"Online", NOW) == []


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2026-07-01T12:00:00", datetime(2026, 7, 1, 10, tzinfo=UTC)),
        # the hour that an autumn night has twice: the first of the two
        ("2026-10-25T02:30:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("2026-10-25T03:00:00", datetime(2026, 10, 25, 2, 0, tzinfo=UTC)),
    ],
)
def test_time_follows_the_clock_change(local: str, utc: datetime) -> None:
    for reading in readings(decode(TOPIC, change(Time=local), NOW), STATION):
        assert reading.time == utc


@pytest.mark.parametrize(
    "local", ["2026-03-29T02:30:00", "21.11.2026 21:00", "2026-02-30T12:00:00", 5, [1]]
)
def test_time_that_never_was_is_refused(local: object) -> None:
    (problem,) = decoded(decode(TOPIC, change(Time=local), NOW), STATION).unusable
    assert problem.reason == "not-a-time"


@pytest.mark.parametrize(
    ("local", "remedy"),
    [
        ("2026-11-13T21:00:00", "name it in `times`, with its zone"),
        (1795291200, "name it in `times`, with its unit"),
        ("soon", "Time = 'soon'"),
    ],
)
def test_time_that_cannot_be_used_never_becomes_that_of_receipt(
    local: object, remedy: str
) -> None:
    to = sensor(
        value("BME280.Temperature", "temperature_c"), profile=Profile(receipt_time=True)
    )
    found = decoded(decode(TOPIC, change(Time=local), NOW), to)
    assert found.readings == []
    (problem,) = found.unusable
    assert problem.reason == "not-a-time"
    assert remedy in problem.detail.in_language("en")


def test_device_without_a_time_has_that_of_receipt_where_it_may() -> None:
    to = sensor(
        value("BME280.Temperature", "temperature_c"), profile=Profile(receipt_time=True)
    )
    (reading,) = readings(decode(TOPIC, change(Time=None), NOW), to)
    assert (reading.time, reading.time_origin) == (NOW, RECEIPT)
