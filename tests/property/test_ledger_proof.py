"""Whatever is interleaved, delivered again, mended, replayed or dropped: it adds up."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.batch import Message
from tests import parts
from tests.integration.test_ledger import NOW, UNKNOWN_TOPIC, World, counts
from tests.property.test_ingest_balance import PAYLOADS, TOPICS
from tests.towns import COUNTS_TOPIC

MINUTES = st.integers(0, 12).map(lambda n: timedelta(minutes=5 * n))
MONTHS = st.sampled_from([timedelta(0), timedelta(days=100)])


@st.composite
def numbered(draw: st.DrawFn) -> Message:
    """A good message of a known sensor or another, its number in order of its time."""
    since, month = draw(MINUTES), draw(MONTHS)
    number = int(since / timedelta(minutes=5)) + (100 if not month else 0)
    return counts(
        NOW - month + since,
        car=draw(st.integers(1, 2)),
        topic=draw(st.sampled_from([COUNTS_TOPIC, COUNTS_TOPIC, UNKNOWN_TOPIC])),
        at=NOW + draw(st.sampled_from([timedelta(0), timedelta(hours=1)])),
        seq=draw(st.sampled_from([None, number])),
        outputs=draw(st.sampled_from([("1",), ("1", "2"), ("1", "9"), ("9",)])),
    )


ANYTHING = st.builds(
    lambda topic, payload: Message(topic, payload, NOW), TOPICS, PAYLOADS
)
BATCHES = st.lists(st.one_of(numbered(), numbered(), ANYTHING), min_size=1, max_size=12)
STEPS = st.one_of(
    st.tuples(st.just("write"), BATCHES),
    st.tuples(st.just("write"), BATCHES),
    st.tuples(st.just("again"), st.none()),
    st.tuples(st.just("mend"), st.none()),
    st.tuples(st.just("unmend"), st.none()),
    st.tuples(st.just("replay"), st.none()),
    st.tuples(st.just("drop"), st.sampled_from(["count_reading", "rejected_message"])),
)


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(STEPS, min_size=1, max_size=10),
    st.sampled_from([{}, {"keep_rejects": 3}, {"sensor_burst": 2}]),
)
def test_ledger_is_proved_after_any_history(
    _plain: parts.Databases,  # noqa: PT019 - it has a value
    steps: list[tuple[str, Any]],
    limits: dict[str, int],
) -> None:
    with _plain.fresh() as url, closing(World(url, **limits)) as world:
        written: list[Message] = []
        for step, what in steps:
            if step == "write":
                world.write(*what)
                written += what
            elif step == "again":
                world.write(*written[::-1])
            elif step == "mend":
                world.mend()
            elif step == "unmend":
                world.unmend()
            elif step == "replay":
                world.replay()
            else:
                cutoff = datetime(2026, 10, 1, tzinfo=UTC)
                if what == "rejected_message":
                    cutoff = NOW + timedelta(days=60)
                for table in (what, f"{what}_history"):
                    world.connection.execute(
                        "select drop_before(series, %s) from series where series = %s",
                        [cutoff, table],
                    )
        proof = world.proof()
        assert proof.differences == {name: [] for name in proof.differences}
