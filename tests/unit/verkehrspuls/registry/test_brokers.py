"""Topic filters that a login may have."""

import pytest

from verkehrspuls.errors import UsageError
from verkehrspuls.registry.brokers import administrated, overlap, wrong_with


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/c", False),
        ("a/+", "a/c", True),
        ("a/+", "a/c/d", False),
        ("a/#", "a", True),
        ("a/#", "a/c/d", True),
        ("#", "a/c/d", True),
        ("+/b", "a/+", True),
        ("+/b", "a/c", False),
        ("a", "a/b", False),
        ("a/+/#", "a", False),
    ],
)
def test_filters_overlap_where_they_have_a_topic_in_common(
    one: str, other: str, expected: bool
) -> None:
    assert overlap(one, other) is expected
    assert overlap(other, one) is expected


@pytest.mark.parametrize(
    ("topic", "text"),
    {
        "#": "includes vp/v1",
        "+/#": "includes vp/v1",
        "vp/#": "includes vp/v1",
        "vp/+": "includes vp/v1",
        "+/v1/kusel/camera-1/counts": "includes vp/v1",
        "+/+/+/+/+": "includes vp/v1",
        "vp/v1/doctor/probe": "includes vp/v1",
        "tele/#/x": "has # before its end",
        "tele/a#": "beside other characters",
        "$SYS/#": "begins with $",
        "*/>": "wildcards at some",
        "tele/>": "wildcards at some",
        "%u/#": "wildcards at some",
        "tele/a\nuser ingest": "cannot be printed",
        " tele/a": "blanks at an end",
        "": "is empty",
        "a" * 1025: "too long",
    }.items(),
)
def test_filter_that_would_give_too_much_is_refused(topic: str, text: str) -> None:
    assert text in wrong_with(topic)


@pytest.mark.parametrize(
    "topic", ["tele/+/SENSOR", "application/#", "vp/v2/#", "a b/c"]
)
def test_other_filters_are_taken(topic: str) -> None:
    assert wrong_with(topic) == ""


@pytest.mark.parametrize("url", ["mqtt://broker", "emqx+http://broker", ""])
def test_broker_without_a_file_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="mosquitto"):
        administrated(url)
