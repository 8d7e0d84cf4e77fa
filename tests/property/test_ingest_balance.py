"""Whatever arrives, every message and every reading is counted exactly once."""

from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ingest.batch import Message
from tests.towns import AIR_TOPIC, COUNTS_TOPIC
from tests.unit.ingest.test_batch import NOW, collect

TOPICS = st.sampled_from(
    [COUNTS_TOPIC, AIR_TOPIC, "vp/v1/kusel/camera-1/status", "vp/v1/x/y/counts", "a/b"]
)
CLASSES = st.dictionaries(
    st.sampled_from(["car", "truck", "total", "ufo"]),
    st.none() | st.integers(-2, 2**40),
    max_size=3,
)
OUTPUTS = st.fixed_dictionaries(
    {"channel": st.sampled_from(["1", "2", "9"]), "classes": CLASSES}
)
INTERVALS = st.fixed_dictionaries(
    {
        "time": st.integers(-300, 300).map(lambda m: NOW + timedelta(hours=m)),
        "interval_s": st.sampled_from([0, 60, 300, 3600]),
        "counts": st.lists(OUTPUTS, max_size=3),
    }
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
GOOD = st.one_of(INTERVALS, st.lists(INTERVALS, max_size=4)).map(msgspec.json.encode)


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """A good payload with some bytes replaced, removed or added."""
    payload = bytearray(draw(GOOD))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(payload)))
        payload[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(payload)


PAYLOADS = st.one_of(
    GOOD, mutations(), st.binary(max_size=40), JSON.map(msgspec.json.encode)
)


@given(st.lists(st.tuples(TOPICS, PAYLOADS), max_size=12))
def test_every_message_and_reading_is_counted_once(
    arrived: list[tuple[str, bytes]],
) -> None:
    batch = collect(*(Message(topic, payload, NOW) for topic, payload in arrived))
    tallies = batch.ledger.values()
    outcomes = sum(
        t.accepted + t.partly_accepted + t.rejected + t.unknown_sensor for t in tallies
    )
    assert outcomes == len(arrived)
    assert sum(
        t.rejected + t.partly_accepted + t.unknown_sensor for t in tallies
    ) == len(batch.rejects)
    assert batch.readings == sum(t.readings_written for t in tallies)
    assert len(batch.counts) + len(batch.environment) == batch.readings
    assert sum(t.readings_rejected for t in tallies) == sum(
        reject.readings for reject in batch.rejects
    )
