"""What a worker subscribes to."""

import pytest

from ingest.receive import native_topics, uncovered
from verkehrspuls.settings import Ingest


def test_a_worker_hears_all_municipalities_or_its_own() -> None:
    assert native_topics(Ingest()) == ["vp/v1/+/+/+"]
    assert native_topics(Ingest(municipalities=("kusel",))) == ["vp/v1/kusel/+/+"]


@pytest.mark.parametrize(
    ("topics", "left"),
    [
        ({"tele/a/SENSOR", "tele/b/SENSOR"}, {"tele/a/SENSOR", "tele/b/SENSOR"}),
        ({"tele/+/SENSOR", "tele/b/SENSOR"}, {"tele/+/SENSOR"}),
        ({"vp/v1/kusel/x/SENSOR", "vp/v1/kusel/x/1/y"}, {"vp/v1/kusel/x/1/y"}),
        (set(), set()),
    ],
)
def test_no_message_is_subscribed_to_twice(topics: set[str], left: set[str]) -> None:
    assert uncovered(topics, native_topics(Ingest())) == left
