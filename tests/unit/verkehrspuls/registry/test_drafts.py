"""A device profile made by saying what the fields of messages are."""

import json
import tomllib
from datetime import UTC, datetime

import pytest

from verkehrspuls.errors import UsageError
from verkehrspuls.registry import device_profiles, drafts
from verkehrspuls.registry.device_profiles import LORAWAN, find, parse
from verkehrspuls.registry.drafts import (
    Draft,
    add_messages,
    complete,
    forget,
    meanings,
    say,
    to_toml,
)

AT = datetime(2026, 11, 21, 20, 10, tzinfo=UTC)
UPLINK = json.dumps(
    {
        "deviceInfo": {"devEui": "0101010101010101"},
        "fPort": 14,
        "object": {"in": 3, "battery": 80},
    }
)


def said(*fields: tuple[str, str], draft: Draft | None = None) -> Draft:
    draft = draft or {}
    for field, means in fields:
        draft = say(draft, field, means)
    return draft


def test_counts_of_an_output_belong_together() -> None:
    draft = say({}, "n.car", "class/car", output="Nord")
    draft = say(draft, "n.lorry", "class/truck", output="Nord")
    draft = say(draft, "n.v", "speed_kmh", output="Nord", unit="mph")
    draft = say(draft, "s.car", "class/car", output="Süd")
    north, south = draft["outputs"]
    assert north["mapping"] == {
        "classes": {"car": "n.car", "truck": "n.lorry"},
        "speed_kmh": {"field": "n.v", "unit": "mph"},
    }
    assert (south["output"], south["channel"], south["quantity"]) == (
        *("Süd", "s-d", "motor"),
    )
    assert draft["class_scheme"] == "length-2"


@pytest.mark.parametrize(
    ("means", "scheme"),
    [
        ("class/total", "total"),
        ("class/bicycle", "bicycle"),
        ("class/pedestrian", "pedestrian"),
        ("class/bus", "tls-5+1"),
        ("class/van", "tls-8+1"),
    ],
)
def test_a_class_scheme_that_has_the_class_is_chosen(means: str, scheme: str) -> None:
    assert said(("x", means))["class_scheme"] == scheme


def test_each_meaning_is_said_again_and_forgotten() -> None:
    fields = (
        *(("a", "class/car"), ("b", "occupancy"), ("t", "time/ms")),
        *(("u", "status/battery_pct"), ("w", "status/firmware"), ("k", "only")),
        ("no2", "quantity/no2_ugm3"),
    )
    draft = say(said(*fields), "a", "no-value", value=65535)
    assert {(f, m) for f, m, _ in meanings(draft)} == {*fields, ("a", "no-value")}
    for field, _ in fields:
        draft = forget(draft, field)
    assert (draft["outputs"], draft["profile"], list(meanings(draft))) == ([], {}, [])


def test_a_field_has_one_meaning() -> None:
    draft = said(("x", "class/car"), ("x", "class/truck"))
    assert list(meanings(draft)) == [("x", "class/truck", "1")]


@pytest.mark.parametrize(
    "means", ["", "class/plane", "quantity/x", "time/y", "no-value"]
)
def test_what_a_field_cannot_be_is_refused(means: str) -> None:
    with pytest.raises(UsageError):
        say({}, "x", means, value=True)


def test_uplinks_become_what_the_codec_returned_and_five_are_kept() -> None:
    draft = add_messages({}, [UPLINK] * 7, AT)
    assert draft["payload_format"] == LORAWAN
    assert len(draft["examples"]) == drafts.MAX_EXAMPLES
    assert draft["examples"][0]["object"] == {"in": 3, "battery": 80}
    assert draft["examples"][0]["f_port"] == 14
    with pytest.raises(UsageError):
        add_messages(draft, ['{"in": 3}'], AT)


def test_other_messages_stay_as_they_are() -> None:
    draft = add_messages({}, ['{"in": 3}', "no JSON"], AT)
    assert draft["payload_format"] == "json"
    assert [one["payload"] for one in draft["examples"]] == ['{"in": 3}', "no JSON"]


def test_a_draft_is_a_device_profile_at_any_time() -> None:
    draft = add_messages({}, [UPLINK], AT)
    assert complete(draft).outputs[0].mapping is None
    draft = say(draft, "{fields}.in", "class/pedestrian")
    found = complete(draft)
    device_profiles.sample(found, "ttn-v3")
    assert found.class_scheme == "pedestrian"


@pytest.mark.parametrize("key", device_profiles.shipped())
def test_what_is_written_is_read_again(key: str) -> None:
    import msgspec

    document = msgspec.to_builtins(find(key), builtin_types=(datetime,))
    assert parse(to_toml(document)) == find(key)


def test_any_text_is_written() -> None:
    odd = {'a"b': 'x\n"\\\x7f\x00é🚲', "c": [1.5, True, {"d e": None, "f": -1}]}
    assert tomllib.loads(to_toml(odd)) == {
        'a"b': odd['a"b'],
        "c": [1.5, True, {"f": -1}],
    }
