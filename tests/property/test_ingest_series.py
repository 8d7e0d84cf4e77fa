"""Intervals in one array end as they would in messages of their own.

Most arrays are packed whole: a fast way that must give what the ordinary one gives.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.batch import Batch, Collector, Message
from ingest.check import Limits
from ingest.formats import formats, native
from ingest.resolve import Feed, RegisteredSensor, Registry
from tests.towns import COUNTS_TOPIC
from verkehrspuls.classes import SCHEMES
from verkehrspuls.settings import Ingest

NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)
EVER = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
CLASSES = frozenset(SCHEMES["tls-8+1"])
REGISTRY = Registry(
    {
        ("kusel", "camera-1"): RegisteredSensor(
            1,
            "native",
            CLASSES,
            {
                "1": [
                    Feed(11, "motor", EVER[0], NOW - timedelta(minutes=3)),
                    # not connected for two minutes, and then to another channel
                    Feed(12, "motor", NOW - timedelta(minutes=1), EVER[1]),
                ],
                "2": [Feed(21, "no2_ugm3", *EVER)],
            },
        )
    }
)
LIMITS = Limits.at(NOW, Ingest())
#: about what is refused, what is late, and what output 1 feeds
STARTS = st.sampled_from(
    [LIMITS.earliest, LIMITS.late, LIMITS.latest, NOW, NOW - timedelta(days=1)]
)
COUNT = st.integers(0, 99)
RARELY = st.integers(0, 20).map(lambda number: number == 0)


@st.composite
def arrays(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Intervals that are mostly alike and in even steps."""
    names = draw(st.permutations([*sorted(CLASSES), "ufo"]))[: draw(st.integers(0, 4))]
    start, step = draw(STARTS), timedelta(minutes=draw(st.integers(-1, 3)))
    speed, rare = draw(st.none() | st.floats(0, 250, width=32)), draw(st.booleans())
    intervals = []
    for number in range(draw(st.integers(1, 8))):
        counts: dict[str, Any] = {
            "channel": "1",
            "classes": {name: draw(COUNT) for name in names},
            "speed_kmh": speed,
        }
        interval: dict[str, Any] = {
            "time": start + (number - 3) * step,
            "interval_s": 60,
            "seq": number,
            "counts": [counts],
        }
        if rare and draw(RARELY):
            counts["classes"] = dict.fromkeys(names)
        if rare and names and draw(RARELY):
            counts["classes"][names[0]] = None
        if rare and draw(RARELY):
            counts |= draw(
                st.sampled_from(
                    [
                        {"channel": "2"},
                        {"channel": "3"},
                        {"occupancy": 0.5},
                        {"speed_kmh": None},
                        {"speed_histogram": {"width_kmh": 5, "counts": [1, 2]}},
                        {"classes": {"car": 1}},
                    ]
                )
            )
        if rare and draw(RARELY):
            interval |= draw(
                st.sampled_from(
                    [
                        {"time": NOW},
                        {"time": "2026-11-21T20:00:00+01:00"},
                        {"interval_s": 300},
                        {"seq": None},
                        {"counts": [counts, counts | {"speed_kmh": 3}]},
                    ]
                )
            )
        intervals.append(interval)
    return intervals


def collect(payloads: Sequence[Any]) -> Batch:
    return Collector(REGISTRY, formats(), LIMITS).collect(
        Message(COUNTS_TOPIC, msgspec.json.encode(each), NOW) for each in payloads
    )


@given(arrays())
def test_array_ends_as_its_intervals_would(intervals: list[dict[str, Any]]) -> None:
    whole, single = collect([intervals]), collect(intervals)
    assert whole.counts == single.counts
    assert whole.readings == single.readings
    assert whole.numbered == single.numbered
    (one,), (other,) = whole.ledger.values(), single.ledger.values()
    assert one.messages == 1
    assert one.readings_written == other.readings_written
    assert one.readings_rejected == other.readings_rejected
    assert one.readings_late == other.readings_late
    assert [r.reason for r in whole.rejects] == [r.reason for r in single.rejects[:1]]


@pytest.mark.parametrize("speed", [None, 47.3])
def test_what_is_sent_after_an_outage_is_a_series(speed: float | None) -> None:
    intervals = [
        {
            "time": NOW + timedelta(minutes=number),
            "interval_s": 60,
            "counts": [
                {"channel": "1", "classes": {"car": number}, "speed_kmh": speed}
            ],
        }
        for number in range(5)
    ]
    decoded = native.decode("counts", msgspec.json.encode(intervals))
    assert decoded.series is not None
    assert not decoded.readings
    assert len(collect([intervals]).counts) == 5


def test_series_that_counts_nothing_is_no_reading() -> None:
    nothing = [
        {
            "time": NOW + timedelta(minutes=number),
            "interval_s": 60,
            "counts": [{"channel": "1", "classes": {}, "speed_kmh": 50}],
        }
        for number in range(2)
    ]
    batch = collect([nothing])
    (tally,) = batch.ledger.values()
    assert (tally.accepted, tally.readings_written, batch.counts) == (1, 0, [])
