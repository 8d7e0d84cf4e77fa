"""What is wrong is told in our own words, with what would be right."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from ingest.batch import Collector, Message
from ingest.check import Limits
from ingest.formats import formats
from ingest.reasons import Detail, explained
from ingest.resolve import Feed, RegisteredSensor, Registry
from verkehrspuls import wording
from verkehrspuls.errors import UsageError
from verkehrspuls.settings import Ingest, load
from verkehrspuls.text import LANGUAGES
from verkehrspuls.wire import CountMessage, StatusMessage

NOW = datetime(2026, 11, 21, 20, 30, tzinfo=UTC)
GOOD = {
    "time": "2026-11-21T20:00:00Z",
    "interval_s": 60,
    "counts": [{"channel": "1", "classes": {"car": 1}}],
}
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
SENSOR = RegisteredSensor(
    7,
    "native",
    frozenset({"car", "truck"}),
    feeds={"1": [Feed(1, "motor", SINCE, datetime(2027, 1, 1, tzinfo=UTC))]},
)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"time": "2026-11-21T20:00:00"}, CountMessage),
        ({"time": "yesterday"}, CountMessage),
        ({"time": 5.5}, CountMessage),
        ({"interval_s": 0}, CountMessage),
        ({"interval_s": "60"}, CountMessage),
        ({"interval_s": 100_000}, CountMessage),
        ({"interval_s": None}, CountMessage),
        ({"counts": []}, CountMessage),
        ({"counts": {}}, CountMessage),
        ({"counts": [{"classes": {}}]}, CountMessage),
        ({"counts": [{"channel": "x" * 65, "classes": {}}]}, CountMessage),
        ({"state": "onlin"}, StatusMessage),
        ({"state": "online", "firmware": "\0"}, StatusMessage),
        ({"state": "online", "battery_pct": 101}, StatusMessage),
    ],
)
def test_no_word_of_the_library_is_left(
    change: dict[str, object], kind: Any, language: str
) -> None:
    payload = json.dumps(GOOD | change)
    for decoder in (
        msgspec.json.Decoder(kind),
        msgspec.json.Decoder(kind | list[kind]),
    ):
        with pytest.raises(msgspec.ValidationError) as caught:
            decoder.decode(payload)
        text = explained(caught.value).in_language(language)
        assert list(change)[-1] in text
        assert not {"Expected", "Invalid", "`"} & set(text.replace("`", " ` ").split())
    if language == "de" and change.get("time") == "2026-11-21T20:00:00":
        assert text.startswith("time: dem Zeitpunkt fehlt der Abstand zu UTC;")


def test_each_of_several_kinds_is_translated() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode('"hello"', type=CountMessage | list[CountMessage])
    text = explained(caught.value).in_language("de")
    assert text.count("ein ") == 2
    assert "an array" not in text


@pytest.mark.parametrize("payload", ["{", "", "{]", "nul", '{"time": "x}', "1" * 5000])
def test_no_word_of_the_parser_is_left(payload: str) -> None:
    with pytest.raises(msgspec.MsgspecError) as caught:
        msgspec.json.decode(payload, type=CountMessage)
    text = explained(caught.value).in_language("de")
    assert text != str(caught.value)
    assert "JSON is" not in text


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"channel": "1", "classes": {"lorry": 1}}, "vorhanden sind car, truck"),
        ({"channel": "1", "classes": {"trucks": 1}}, "war truck gemeint?"),
        ({"channel": "2", "classes": {"car": 1}}, "vorhanden sind 1"),
    ],
)
def test_an_unknown_class_or_output_is_told_with_those_there_are(
    counts: dict[str, object], text: str
) -> None:
    registry = Registry({("a", "b"): SENSOR})
    collector = Collector(registry, formats(), Limits.at(NOW, Ingest()))
    payload = json.dumps(GOOD | {"counts": [counts]}).encode()
    batch = collector.collect([Message("vp/v1/a/b/counts", payload, NOW)])
    sentence = batch.rejects[0].detail.in_language("de")
    assert text in sentence


def test_an_output_is_told_with_when_it_was_installed() -> None:
    registry = Registry({("a", "b"): SENSOR})
    collector = Collector(registry, formats(), Limits.at(NOW, Ingest()))
    payload = json.dumps(GOOD | {"time": "2025-11-21T20:00:00Z"}).encode()
    batch = collector.collect([Message("vp/v1/a/b/counts", payload, NOW)])
    assert "eingebaut ist er 2026-01-01" in batch.rejects[0].detail.in_language("de")


def test_the_nearest_word_is_found_whatever_the_case() -> None:
    assert wording.nearest("TASMOTTA", ["native", "tasmota"]) == "tasmota"
    assert wording.nearest("Motor", ["motor", "bicycle"]) == "motor"
    assert wording.nearest("xyz", ["native", "tasmota"]) == ""
    assert wording.nearest("x" * 100_000, ["native"]) == ""
    assert wording.choice("x", map(str, range(100))).endswith("39, …")


def test_a_setting_is_told_with_its_words() -> None:
    with pytest.raises(UsageError, match="did you mean warning"):
        load({"VERKEHRSPULS_LOG__LEVEL": "warn"})


def test_unknown_setting_asks_whether_another_was_meant() -> None:
    with pytest.raises(UsageError) as refused:
        load({"VERKEHRSPULS_LOG__LEVL": "info"})
    assert str(refused.value) == (
        "There is no setting VERKEHRSPULS_LOG__LEVL (did you mean "
        "VERKEHRSPULS_LOG__LEVEL?). All are listed in docs/reference/settings.md."
    )


def test_details_of_old_are_still_german() -> None:
    assert Detail("{} at {}", ["a", "b"]).in_language("de") == "a zum Zeitpunkt b"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("RULES", "kusel:hihg", "rules: kusel:hihg is not municipality:severity; the"),
        ("QUIET", "22-6", "quiet: '22-6' is malformed; see"),
    ],
)
def test_a_wrong_setting_is_told_without_words_of_the_library(
    name: str, value: str, text: str
) -> None:
    with pytest.raises(UsageError, match=text):
        load({f"VERKEHRSPULS_ALERTS__{name}": value})
