"""SensorThings observations."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from ingest.formats import EnvironmentReading
from ingest.formats.sensorthings import EXAMPLES, decode
from ingest.mapping import readings_of
from ingest.reasons import Unusable
from tests.unit.ingest.formats import NOW, readings, sensor, usable, value
from verkehrspuls.model import Mapping

(ONE_TOPIC, ONE), (BULK_TOPIC, BULK) = EXAMPLES
CLASSES = {"car": "Datastreams(5).result", "truck": "Datastreams(6).result"}
ROAD = sensor(("1", "motor", Mapping(classes=CLASSES)), interval_s=60)


def test_observation_has_its_own_interval() -> None:
    (reading,) = readings(decode(ONE_TOPIC, ONE, NOW), ROAD)
    assert (reading.output, reading.time, reading.interval_s, reading.classes) == (
        "1",
        NOW,
        300,
        {"car": 12, "truck": None},
    )


def test_classes_of_an_interval_become_one_reading() -> None:
    first, second = readings(decode(BULK_TOPIC, BULK, NOW), ROAD)
    assert first.classes == {"car": 12, "truck": 1}
    assert (second.time, second.classes) == (
        NOW + timedelta(minutes=5),
        {"car": 9, "truck": None},
    )


def test_instant_is_read_by_interval_and_profile() -> None:
    payload = b'{"phenomenonTime": "2026-11-21T20:00:00Z", "result": 3}'
    (reading,) = readings(decode(ONE_TOPIC, payload, NOW), ROAD)
    assert (reading.time, reading.interval_s) == (NOW, 60)


def test_object_as_result_gives_fields() -> None:
    body = {"phenomenonTime": "2026-11-21T20:00:00Z", "result": {"car": 3, "x": [1]}}
    (record,) = usable(decode("any", json.dumps(body).encode(), NOW))
    assert record.fields == {"result.car": 3, "result.x.0": 1}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"phenomenonTime": "2026-11-21T20:00:00Z"}, "unreadable"),
        ({"phenomenonTime": "heute", "result": 1}, "not-a-time"),
        ({"phenomenonTime": "2026-11-21T20:00:00Z/", "result": 1}, "not-a-time"),
        ({"components": ["result"], "dataArray": [[1, 2]]}, "unreadable"),
        ({"components": ["a"], "dataArray": [[1]]}, "unreadable"),
        (
            {"components": ["phenomenonTime", "result"], "dataArray": [[5, 1]]},
            "not-a-time",
        ),
    ],
)
def test_what_is_no_observation_is_refused(
    body: dict[str, object], reason: str
) -> None:
    with pytest.raises(Unusable) as refused:
        decode("any", json.dumps(body).encode(), NOW)
    assert refused.value.reason == reason


def test_observation_that_comes_again_for_its_time_corrects_and_is_counted() -> None:
    payload = b"""{"Datastream": {"@iot.id": 5}, "components": ["phenomenonTime",
        "result"], "dataArray": [["2026-11-21T20:00:00Z", 12],
        ["2026-11-21T21:00:00+01:00", 9]]}"""
    to = sensor(value("Datastreams(5).result", "temperature_c"))
    found = readings(decode("sta/bulk", payload, NOW), to)
    assert [(r.time, r.value) for r in found] == [(NOW, 12), (NOW, 9)]


@pytest.mark.parametrize("wrong", ["1980-01-06T00:00:12Z", "2026-11-13T10:00:00"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_time_that_cannot_be_right_is_passed_over(wrong: str, *, wrapped: bool) -> None:
    names, right = ["phenomenonTime", "resultTime", "result"], "2026-11-21T20:0{}:00Z"
    rows = [[wrong, right.format(minute), minute] for minute in range(2)]
    body: object = [dict(zip(names, row, strict=True)) for row in rows]
    if wrapped:
        body = [{"components": names, "dataArray": rows}]
    found = readings_of(
        decode("any", json.dumps(body).encode(), NOW),
        sensor(value("result", "temperature_c")),
        received_at=NOW,
        possible=(datetime(2000, 1, 1, tzinfo=UTC), NOW + timedelta(hours=48)),
    )
    first, second = found.readings
    assert isinstance(first, EnvironmentReading)
    assert isinstance(second, EnvironmentReading)
    assert (first.time, first.value) == (NOW, 0)
    assert (second.time, second.value) == (NOW + timedelta(minutes=1), 1)
    assert {(field, taken) for field, _, taken in found.passed_over} == {
        ("phenomenonTime", "resultTime")
    }


def test_time_of_the_result_stands_in_for_that_of_the_phenomenon() -> None:
    payload = b'{"result": 4, "resultTime": "2026-11-13T10:00:00Z"}'
    (record,) = usable(decode("v1.1/Datastreams(5)/Observations", payload, NOW))
    assert record.time == datetime(2026, 11, 13, 10, tzinfo=UTC)
