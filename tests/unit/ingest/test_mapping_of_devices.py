"""What a device says of itself, words that are numbers, and plausible values."""

import pytest

from ingest import mapping
from ingest.formats.record import Record, Value
from ingest.reasons import Dropped, Unusable
from tests.unit.ingest.formats import NOW, decoded, sensor, value
from verkehrspuls.model import Mapping, Profile, Source, StatusFields
from verkehrspuls.wire import StatusMessage

STATUS = StatusFields(
    battery_pct=Source(field="volt", factor=100.0, offset=-200.0),
    signal_dbm="rssi",
    temperature_c=Source(field="inside", unit="F"),
    firmware="version",
)
SAYS = Profile(status=STATUS, receipt_time=True)


def test_a_device_says_how_it_is() -> None:
    one = Record(NOW, {"t": 4.1, "volt": 2.5, "rssi": -92, "inside": 50, "version": 3})
    found = decoded([one], sensor(value("t", "temperature_c"), profile=SAYS))
    assert found.status == StatusMessage(
        state="online",
        time=NOW,
        battery_pct=50.0,
        signal_dbm=-92.0,
        temperature_c=10.0,
        firmware="3",
    )
    assert len(found.readings) == 1


@pytest.mark.parametrize(("volt", "battery_pct"), [(3.7, 100.0), (1.9, 0.0)])
def test_battery_is_full_or_empty_beyond_its_voltages(
    volt: float, battery_pct: float
) -> None:
    found = decoded([Record(NOW, {"volt": volt})], sensor(profile=SAYS))
    assert found.status is not None
    assert found.status.battery_pct == battery_pct


def test_a_message_about_the_device_only_is_accepted() -> None:
    station = sensor(value("t", "temperature_c"), profile=SAYS)
    assert decoded([Record(None, {"rssi": -92})], station).status is not None
    with pytest.raises(Unusable, match="no-mapped-field"):
        decoded([Record(None, {"other": 1})], station)


@pytest.mark.parametrize(("rssi", "kind"), [("?", "wrong"), (4000, "above")])
def test_what_cannot_be_is_left_out_and_counted(rssi: Value, kind: str) -> None:
    one = Record(NOW, {"t": 4.1, "rssi": rssi, "volt": 3})
    found = decoded([one], sensor(value("t", "temperature_c"), profile=SAYS))
    assert found.dropped == [Dropped("signal_dbm", kind, str(rssi))]
    assert found.status is not None
    assert (found.status.signal_dbm, found.status.battery_pct) == (None, 100.0)


def test_a_time_that_cannot_be_is_not_that_of_the_status() -> None:
    found = mapping.readings_of(
        [Record(NOW.replace(year=1970), {"rssi": -92})],
        sensor(profile=SAYS),
        received_at=NOW,
        possible=(NOW, NOW),
    )
    assert found.status == StatusMessage(state="online", signal_dbm=-92.0)


def test_of_a_shared_topic_only_the_own_messages_count() -> None:
    own = Profile(status=STATUS, only={"id": 7})
    one = sensor(value("t", "temperature_c"), profile=own)
    assert decoded([Record(NOW, {"id": 8, "rssi": -92})], one).status is None
    assert decoded([Record(NOW, {"id": 7, "rssi": -92})], one).status is not None


@pytest.mark.parametrize(
    ("said", "is_value"), [(True, 100.0), (False, 0.0), ("taken", 100.0)]
)
def test_words_are_numbers(said: Value, is_value: float) -> None:
    words = {"true": 100.0, "false": 0.0, "taken": 100.0}
    space = sensor(value("state", "parking_pct", words=words))
    found = decoded([Record(NOW, {"state": said})], space).readings
    assert [getattr(reading, "value", None) for reading in found] == [is_value]


def test_a_word_that_nobody_named_is_no_number() -> None:
    space = sensor(value("state", "parking_pct", words={"true": 100.0}))
    (wrong,) = decoded([Record(NOW, {"state": False})], space).unusable
    assert wrong.reason == "not-a-number"


@pytest.mark.parametrize(("level", "is_used"), [(30, 1), (120, 1), (29.9, 0), (121, 0)])
def test_what_the_device_cannot_measure_is_rejected(level: float, is_used: int) -> None:
    meter = sensor(value("l", "laeq_db", plausible=(30, 120)))
    found = decoded([Record(NOW, {"l": level})], meter)
    assert len(found.readings) == is_used
    assert [each.reason for each in found.unusable] == ["out-of-range"][is_used:]


def test_counts_that_cannot_be_are_rejected() -> None:
    counts = Mapping(classes={"car": "c"}, plausible=(0, 1000))
    radar = sensor(("1", "motor", counts))
    assert len(decoded([Record(NOW, {"c": 1000})], radar).readings) == 1
    (wrong,) = decoded([Record(NOW, {"c": 1001})], radar).unusable
    assert wrong.reason == "out-of-range"
