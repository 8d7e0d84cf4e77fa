"""Whatever is done to a good foreign message: nothing is raised, and all is counted."""

import json
from typing import Any

import cbor2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.batch import Collector, Message
from ingest.check import Limits
from ingest.formats import foreign_formats, formats, modules
from ingest.formats.record import flatten
from ingest.resolve import Feed, RegisteredSensor, Registry
from tests.rows import unpack
from tests.unit.ingest.test_batch import EVER, NOW
from verkehrspuls.model import Mapping, Profile, Source, TimeField
from verkehrspuls.settings import Ingest

#: Messages of each format: (format, topic, payload).
EXAMPLES = [
    (name, topic, payload)
    for module in modules()
    for name in (one.name for one in module.FORMATS)
    if name != "senml-cbor"
    for topic, payload in module.EXAMPLES
]
(SENML,) = (p for name, _, p in EXAMPLES if name == "senml-json")
LABELS = {"bn": -2, "bt": -3, "n": 0, "u": 1, "v": 2}
EXAMPLES.append(
    (
        "senml-cbor",
        "luft/mast-4",
        cbor2.dumps([{LABELS[k]: v for k, v in e.items()} for e in json.loads(SENML)]),
    )
)
FIELDS = {
    "chirpstack-v4": "object.people_in",
    "json": "lanes.0.car",
    "scalar": "value",
    "senml-cbor": "urn:dev:ow:10e2073a01080063:temp",
    "senml-json": "urn:dev:ow:10e2073a01080063:temp",
    "sensor-community": "BME280_temperature",
    "sensorthings": "Datastreams(5).result",
    "sparkplug-b": "Counts/Car",
    "tasmota": "BME280.Temperature",
    "telraam": "car",
    "ttn-v3": "decoded_payload.bicycles",
}
CELSIUS = ("senml-cbor", "senml-json", "tasmota")
TIMES = (
    TimeField(field="Time", zone="Europe/Berlin"),
    TimeField(field="object.time", unit="ms"),
)


def registry(profile: Profile, *, factor: float = 1.0) -> Registry:
    """For each example a sensor that counts with it, and measures with it."""
    found = Registry()
    for number, (name, topic, _) in enumerate(EXAMPLES):
        field = FIELDS[name]
        count = Mapping(
            classes={"car": field, "truck": Source(field=field, factor=factor)},
            # those that tell a unit tell that of a temperature
            speed_kmh=None if name in CELSIUS else field,
            occupancy=None if name in CELSIUS else Source(field=field, factor=0.001),
            round=True,
        )
        value = Mapping(field=field, factor=0.1 * factor)
        found["kusel", f"sensor-{number}"] = RegisteredSensor(
            number,
            name,
            frozenset(("car", "truck")),
            {
                "c": [Feed(2 * number, "motor", *EVER, count)],
                "v": [Feed(2 * number + 1, "temperature_c", *EVER, value)],
            },
            topic=topic,
            interval_s=300,
            profile=profile,
        )
    return found


REGISTRIES = [
    registry(Profile()),
    registry(Profile(times=TIMES, receipt_time=True, time_is="end", text_numbers=True)),
    registry(Profile(sentinels={"*": (12.0,)}, receipt_time=True), factor=1e300),
]

STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["", "NaN", "12,5", "1e999", "0001-01-01T00:00:00+14:00", "/", "_"]
    ),
    st.just([]),
    st.just({}),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=4), st.floats(), max_size=2),
)


def replaced(found: Any, at: list[str], value: Any) -> Any:
    """A value with the part at a path replaced."""
    if not at:
        return value
    if isinstance(found, list):
        index = int(at[0])
        return [
            replaced(e, at[1:], value) if i == index else e for i, e in enumerate(found)
        ]
    return {
        k: replaced(v, at[1:], value) if k == at[0] else v for k, v in found.items()
    }


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """A good message, with something else in one place, or other bytes."""
    name, topic, payload = draw(st.sampled_from(EXAMPLES))
    change = draw(st.sampled_from(["none", "value", "bytes", "cut", "any"]))
    if change == "value" and payload.startswith((b"{", b"[")):
        found = json.loads(payload)
        paths = [p for p in flatten(found) if not any(k in p for k in ("@", "PM2.5"))]
        at = draw(st.sampled_from(paths)).split(".")
        at = at[: draw(st.integers(1, len(at)))]
        payload = json.dumps(replaced(found, at, draw(STRANGE))).encode()
    elif change == "bytes":
        data = bytearray(payload)
        for _ in range(draw(st.integers(1, 4))):
            where = draw(st.integers(0, len(data)))
            data[where : where + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
        payload = bytes(data)
    elif change == "cut":
        payload = payload[: draw(st.integers(0, len(payload)))]
    elif change == "any":
        payload = draw(st.binary(max_size=60))
        if name == "senml-cbor":
            payload = cbor2.dumps([{draw(st.integers(-7, 9)): draw(STRANGE)}])
    return Message(topic, payload, NOW)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(messages(), min_size=1, max_size=8), st.sampled_from(REGISTRIES))
def test_every_foreign_message_and_reading_is_counted_once(
    arrived: list[Message], known: Registry
) -> None:
    limits = Limits.at(NOW, Ingest())
    batch = Collector(known, formats(), limits).collect(arrived)
    tallies = batch.ledger.values()
    assert sum(t.messages for t in tallies) == len(arrived)
    assert sum(t.rejected + t.partly_accepted for t in tallies) == len(batch.rejects)
    assert sum(t.unknown_sensor for t in tallies) == 0
    assert batch.readings == sum(t.readings_written for t in tallies)
    assert sum(t.readings_rejected for t in tallies) == sum(
        reject.readings for reject in batch.rejects
    )
    for row in map(unpack, (*batch.counts, *batch.environment)):
        assert limits.earliest <= row[1] <= limits.latest
        assert row[4] in (0, 1, 2)
        assert 1 <= row[5] <= 90_000
        # what the database's types hold
        assert all(
            value is None or (value == value and abs(value) < 2**31)
            for value in row[6:]
        )


def test_every_format_has_an_example_that_makes_a_reading() -> None:
    batch = Collector(REGISTRIES[1], formats(), Limits.at(NOW, Ingest())).collect(
        Message(topic, payload, NOW) for _, topic, payload in EXAMPLES
    )
    assert {name for name, _, _ in EXAMPLES} == foreign_formats().keys()
    assert batch.rejects == []
    channels = {unpack(row)[0] for row in batch.environment}
    assert channels == {2 * number + 1 for number in range(len(EXAMPLES))}
    channels = {unpack(row)[0] for row in batch.counts}
    assert channels == {2 * number for number in range(len(EXAMPLES))}
