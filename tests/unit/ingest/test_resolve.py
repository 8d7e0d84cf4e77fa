"""From topics to sensors."""

import re
from datetime import UTC, datetime

import msgspec
import pytest

from ingest.reasons import Unusable
from ingest.resolve import (
    TOPIC_CACHE_SIZE,
    Feed,
    RegisteredSensor,
    Registry,
    beside,
    filters,
)
from tests.parts import PROJECT
from tests.unit.ingest.test_batch import SENSORS
from verkehrspuls.errors import UsageError
from verkehrspuls.model import Town
from verkehrspuls.registry.faults import check

FOREIGN = {
    "exact": "a/b/up",
    "level": "a/+/up",
    "rest": "x/#",
    "dollar": "+/broker/load",
}
REGISTRY = Registry(
    {
        **SENSORS,
        **{
            ("kusel", key): RegisteredSensor(n, "scalar", frozenset(), topic=topic)
            for n, (key, topic) in enumerate(FOREIGN.items(), 100)
        },
    }
)


@pytest.mark.parametrize(
    ("topic", "key"),
    [
        ("a/b/up", "exact"),
        ("a/c/up", "level"),
        ("a/c/down", None),
        ("a//up", "level"),
        ("x", "rest"),
        ("x/y/z", "rest"),
        ("X/y", None),
        ("$SYS/broker/load", None),
        ("x/" + "y" * 2_000, None),
        ("/".join("x" * 30_000), None),
        ("", None),
    ],
)
def test_sensor_is_found_by_its_topic(topic: str, key: str | None) -> None:
    for _ in range(2):
        found = REGISTRY.listen(topic)
        assert found[:1] == ((REGISTRY["kusel", key],) if key else ())


def test_what_is_remembered_of_topics_is_bounded() -> None:
    registry = Registry(REGISTRY)
    for number in range(2 * TOPIC_CACHE_SIZE):
        registry.listen(f"flood/{number}")
    assert len(registry._remembered) <= TOPIC_CACHE_SIZE
    assert registry.listen("a/c/up")[0] is REGISTRY["kusel", "level"]


def test_worker_subscribes_to_the_topics_of_foreign_sensors_only() -> None:
    assert filters(REGISTRY) == set(FOREIGN.values())
    assert filters(Registry(SENSORS)) == set()


@pytest.mark.parametrize(
    ("until", "text"),
    [(2027, "2026-01-01 – 2027-01-01"), (2200, "2026-01-01 –"), (9999, "2026-01-01 –")],
)
def test_installation_without_an_end_names_none(until: int, text: str) -> None:
    since, ends = (datetime(year, 1, 1, tzinfo=UTC) for year in (2026, until))
    assert Feed(1, "motor", since, ends).days == text


def how_to() -> Town:
    page = (PROJECT / "docs/how-to/register-sensors.md").read_text("utf-8")
    blocks = re.findall(r"```toml\n(key = .+?)```", page, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        check(msgspec.toml.decode(block, type=Town))
    return msgspec.toml.decode(blocks[1], type=Town)


def test_examples_of_the_how_to_can_be_registered() -> None:
    assert [s.payload_format for s in how_to().sensors] == ["chirpstack-v4", "tasmota"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"topic": None}, "topic"),
        ({"payload_format": "native"}, "topic"),
        ({"class_scheme": "length-2"}, "pedestrian"),
        ({"profile": {"times": [{"field": "t", "zone": "Europa/Berlin"}]}}, "zone"),
        ({"profile": {"times": [{"field": "t", "zone": "../etc"}]}}, "zone"),
    ],
)
def test_registration_that_contradicts_itself_is_refused(
    change: dict[str, object], text: str
) -> None:
    town = msgspec.to_builtins(how_to())
    town["sensors"] = [town["sensors"][0] | change]
    with pytest.raises(UsageError, match=text):
        check(msgspec.convert(town, Town))


@pytest.mark.parametrize("topic", ["a/#/b", "a+/b", "a/b#", "", "a\0b", "x" * 1025])
def test_topic_that_is_no_filter_is_refused(topic: str) -> None:
    town = msgspec.to_builtins(how_to())
    town["sensors"][0]["topic"] = topic
    with pytest.raises(msgspec.ValidationError, match="topic"):
        msgspec.convert(town, Town)


def test_mapping_needs_what_its_channel_counts_or_measures() -> None:
    town = how_to()
    counter, station = town.sensors
    for one, other in ((counter, station), (station, counter)):
        mapping = other.installations[0].mapping
        wrong = msgspec.structs.replace(one.installations[0], mapping=mapping)
        sensor = msgspec.structs.replace(one, installations=(wrong,))
        with pytest.raises(UsageError, match="mapping"):
            check(msgspec.structs.replace(town, sensors=(sensor,)))


@pytest.mark.parametrize(
    ("payload_format", "topic", "found"),
    [
        (
            "chirpstack-v4",
            "application/1/device/01/event/+",
            "application/1/device/+/event/+",
        ),
        ("ttn-v3", "v3/stadt@ttn/devices/parkplatz-1/up", "v3/stadt@ttn/devices/+/up"),
        ("tasmota", "tele/wetter-1/+", "tele/+/+"),
        ("tasmota", "tele/wetter-1/#", "tele/+/#"),
        ("sparkplug-b", "spBv1.0/stadt/+/schrank-7/zaehler-1", "spBv1.0/stadt/+/+/+"),
        ("sensorthings", "v1.1/Datastreams(5)/Observations", "v1.1/+/Observations"),
        ("scalar", "haus/pegel/cm", "haus/+/+"),
        ("telraam", "telraam", "telraam"),
    ],
)
def test_other_devices_are_beside_a_registered_topic(
    payload_format: str, topic: str, found: str
) -> None:
    sensor = RegisteredSensor(1, payload_format, frozenset(), topic=topic)
    assert beside(Registry({("a", "b"): sensor})) == {found}


def test_a_sensor_that_is_attached_to_nothing_is_named() -> None:
    sensor = RegisteredSensor(1, "native", frozenset())
    with pytest.raises(Unusable) as refused:
        sensor.feed("1", datetime(2026, 3, 2, tzinfo=UTC))
    assert refused.value.reason == "unknown-output"
    detail = refused.value.detail
    assert detail.text == "{} at {}; the sensor is attached to no channel"
