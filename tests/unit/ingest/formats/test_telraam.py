"""Hourly records of Telraam."""

import json
from datetime import UTC, datetime

import pytest

from ingest.formats import CountReading
from ingest.formats.telraam import EXAMPLES, decode
from ingest.reasons import Unusable
from tests.unit.ingest.formats import NOW, decoded, readings, sensor, usable
from verkehrspuls.model import Mapping

((TOPIC, EXAMPLE),) = EXAMPLES
CLASSES = {"car": "car", "truck": "heavy"}
ROAD = sensor(("all", "motor", Mapping(classes=CLASSES, round=True)), interval_s=60)
(HOUR,) = json.loads(EXAMPLE)["report"]


@pytest.mark.parametrize("body", [HOUR, [HOUR], {"report": [HOUR]}])
def test_hour_is_read_however_it_is_wrapped(body: object) -> None:
    (reading,) = readings(decode(TOPIC, json.dumps(body).encode(), NOW), ROAD)
    at = datetime(2026, 11, 21, 19, tzinfo=UTC)
    assert (reading.output, reading.time, reading.interval_s, reading.classes) == (
        "all",
        at,
        3600,
        # 118.4 and 3.9 of the whole hour, of which 0.76 was observed
        {"car": 90, "truck": 3},
    )
    assert reading.observed_s == 2736


def test_a_device_that_hardly_looked_is_believed() -> None:
    hardly = HOUR | {"uptime": 0.02, "car": 1450}
    (reading,) = readings(decode(TOPIC, json.dumps(hardly).encode(), NOW), ROAD)
    assert isinstance(reading, CountReading)
    assert (reading.observed_s, reading.classes["car"]) == (72, 29)


@pytest.mark.parametrize("uptime", [None, -1, 7, "viel", True])
def test_an_uptime_that_cannot_be_is_unknown(uptime: object) -> None:
    hour = HOUR | {"uptime": uptime}
    (reading,) = readings(decode(TOPIC, json.dumps(hour).encode(), NOW), ROAD)
    assert isinstance(reading, CountReading)
    assert (reading.observed_s, reading.classes["car"]) == (None, 118)


def test_fraction_is_refused_where_rounding_is_not_allowed() -> None:
    exact = sensor(("all", "motor", Mapping(classes=CLASSES)))
    (problem,) = decoded(decode(TOPIC, EXAMPLE, NOW), exact).unusable
    assert problem.reason == "not-a-number"
    whole = json.dumps(HOUR | {"car": 118.0, "heavy": 4}).encode()
    (reading,) = readings(decode(TOPIC, whole, NOW), exact)
    assert isinstance(reading, CountReading)
    assert reading.classes == {"car": 90, "truck": 3}


def test_zeros_of_a_camera_that_was_off_are_gaps() -> None:
    off = HOUR | {"uptime": 0, "car": 0, "heavy": 0}
    assert readings(decode(TOPIC, json.dumps(off).encode(), NOW), ROAD) == []


def test_quarter_hour_has_its_interval() -> None:
    quarter = HOUR | {"interval": "quarterly"}
    (record,) = usable(decode(TOPIC, json.dumps(quarter).encode(), NOW))
    assert record.interval_s == 900


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"date": "gestern"}, "not-a-time"),
        ({"date": "2026-11-21T19:00:00"}, "not-a-time"),
        ({"date": 7}, "not-a-time"),
        ({"interval": "daily"}, "unreadable"),
        ({"interval": []}, "unreadable"),
    ],
)
def test_unreadable_record_is_refused(change: dict[str, object], reason: str) -> None:
    with pytest.raises(Unusable) as refused:
        decode(TOPIC, json.dumps(HOUR | change).encode(), NOW)
    assert refused.value.reason == reason
