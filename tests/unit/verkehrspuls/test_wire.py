"""Topics: which brokers take, and which can be registered."""

import msgspec
import pytest

from verkehrspuls.model import Key, TopicFilter
from verkehrspuls.wire import is_topic

GOOD = ("a", "a/b c/ü", "$SYS/x", "a.b", "/".join(200 * "a"), "\U0001f600")
BAD = (
    *("", "a\tb", "a\n", "a\x7f", "a\x85", "a\ufffe", "a\U0001ffff", "\ud800"),
    *("/".join(201 * "a"),),
)


@pytest.mark.parametrize("topic", [*GOOD, "a//b", "/a", 65_535 * "x"])
def test_topic_is_published(topic: str) -> None:
    assert is_topic(topic)


@pytest.mark.parametrize("topic", [*BAD, "+/a", "a/#", 32_768 * "ä"])
def test_topic_that_brokers_hang_up_for_is_none(topic: str) -> None:
    assert not is_topic(topic)


@pytest.mark.parametrize("topic", [*GOOD, "+/a", "a/#", "+/+/#"])
def test_topic_is_registered(topic: str) -> None:
    assert msgspec.convert(topic, TopicFilter) == topic


@pytest.mark.parametrize("topic", [*BAD, "a+", "#/a", "a#", "a//b", 1025 * "x"])
def test_topic_that_stops_the_worker_is_not_registered(topic: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(topic, TopicFilter)


@pytest.mark.parametrize("key", ["camera-1\n", "", "A", 65 * "a"])
def test_key_is_a_key_to_its_last_character(key: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(key, Key)
