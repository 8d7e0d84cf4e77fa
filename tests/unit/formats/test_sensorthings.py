"""SensorThings observations."""

import json
from datetime import timedelta

import pytest

from ingest.formats.sensorthings import EXAMPLES, decode
from ingest.reasons import Unusable
from tests.unit.formats import NOW, readings, sensor
from verkehrspuls.model import Mapping

(ONE_TOPIC, ONE), (BULK_TOPIC, BULK) = EXAMPLES
CLASSES = {"car": "Datastreams(5).result", "truck": "Datastreams(6).result"}
ROAD = sensor(("1", "motor", Mapping(classes=CLASSES)), interval_s=60)


def test_observation_has_the_interval_that_it_tells() -> None:
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
    (record,) = decode("any", json.dumps(body).encode(), NOW)
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
