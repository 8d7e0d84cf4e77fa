"""Any JSON."""

import pytest

from ingest.batch import content_of
from ingest.formats import DEVICE, RECEIPT
from ingest.formats.plain_json import EXAMPLES, decode
from ingest.reasons import Unusable
from tests.unit.ingest.formats import NOW, decoded, readings, sensor, value
from verkehrspuls.model import Mapping, Profile, TimeField

((TOPIC, EXAMPLE),) = EXAMPLES
TIMED = Profile(times=(TimeField(field="from"),))


def test_members_are_fields_by_path() -> None:
    lane = ("2", "motor", Mapping(classes={"car": "lanes.1.car"}))
    (found,) = readings(decode(TOPIC, EXAMPLE, NOW), sensor(lane, profile=TIMED))
    assert (found.classes, found.time, found.time_origin) == ({"car": 71}, NOW, DEVICE)


def test_elements_of_an_array_are_messages_of_their_own() -> None:
    warm = sensor(value("t", "temperature_c"), profile=Profile(receipt_time=True))
    found = decoded(decode(TOPIC, b'[{"t": 4.1}, 7, {"t": 4.2}]', NOW), warm)
    assert [content_of(each) for each in found.readings] == [
        {"value": 4.1},
        {"value": 4.2},
    ]
    assert {each.time_origin for each in found.readings} == {RECEIPT}
    assert [each.reason for each in found.unusable] == ["unreadable"]


@pytest.mark.parametrize("payload", [b"7", b'"a"', b"null", b"{", b"\xff"])
def test_what_is_neither_object_nor_array_is_refused(payload: bytes) -> None:
    with pytest.raises(Unusable):
        decode(TOPIC, payload, NOW)
