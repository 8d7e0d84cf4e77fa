"""What a message would become, without a database."""

from datetime import UTC, datetime

import pytest
from msgspec import structs

from ingest.batch import Message
from ingest.reasons import ADVICE, PAYLOAD_ADVICE
from ingest.trial import judge, preview
from tests.towns import AIR_TOPIC, COUNTS_TOPIC, TOWN
from verkehrspuls.registry import device_profiles
from verkehrspuls.registry.device_profiles import shipped
from verkehrspuls.registry.formats import networks
from verkehrspuls.settings import Ingest
from verkehrspuls.text import is_translated

NOW = datetime(2026, 11, 21, 20, 5, tzinfo=UTC)
SETTINGS = Ingest()


@pytest.mark.parametrize("key", shipped())
def test_examples_of_a_device_profile_become_what_it_says(key: str) -> None:
    assert list(judge(shipped()[key], SETTINGS)) == []


def test_an_example_of_a_lorawan_device_is_tried_for_each_network_server() -> None:
    profile = shipped()["parametric-pcr2"]
    sent = list(device_profiles.messages(profile, profile.examples[0]))
    assert [each.payload_format for each in sent] == ["chirpstack-v4", "ttn-v3"]


def test_what_is_not_as_an_example_says_is_told() -> None:
    profile = shipped()["parametric-pcr2"]
    (first, *_) = profile.examples
    (in_, out) = first.readings
    for change, told in (
        ({"readings": (in_,)}, "out at 2026-11-21T20:00:00+00:00 becomes"),
        ({"readings": (in_, structs.replace(out, values={"pedestrian": 8}))}, "out at"),
        ({"readings": (in_, structs.replace(out, interval_s=300))}, "out at"),
        ({"status": {"signal_dbm": -92}}, "temperature_c"),
        ({"object": {"LTR": 7.5, "RTL": 9}}, "partly accepted: "),
        ({"f_port": 2}, "becomes None"),
    ):
        example = structs.replace(first, **change)
        found = list(judge(structs.replace(profile, examples=(example,)), SETTINGS))
        for name in networks():
            said = [each for each in found if f", {name}: " in each]
            assert any(told in each for each in said), found


def test_a_native_message_of_a_town_is_previewed() -> None:
    payload = (
        b'{"time": "2026-11-21T20:00:00Z", "interval_s": 60, "counts":'
        b' [{"channel": "1", "classes": {"car": 12}, "speed_kmh": 47}]}'
    )
    found = preview(TOWN, SETTINGS, Message(COUNTS_TOPIC, payload, NOW))
    assert (found.outcome, found.problem) == ("accepted", None)
    (reading,) = found.readings
    assert reading.values == {"car": 12, "speed_kmh": 47}


def test_what_is_wrong_is_said_with_what_to_do() -> None:
    message = Message(AIR_TOPIC, b'{"values": {}}', NOW)
    found = preview(TOWN, SETTINGS, message)
    assert found.outcome == "rejected"
    assert found.problem is not None
    assert found.problem.advice.startswith("Compare the payload")
    message = Message(COUNTS_TOPIC.replace("camera-1", "camera"), b"{}", NOW)
    german = preview(TOWN, SETTINGS, message, language="de").problem
    assert german is not None
    assert german.advice == (
        "Den Sensor registrieren oder die Schlüssel in seinem Topic berichtigen. "
        "Registrierte Sensoren mit ähnlichem Namen: kusel/camera-1, kusel/air-1."
    )


@pytest.mark.parametrize("text", [*ADVICE.values(), PAYLOAD_ADVICE])
def test_advice_is_german_on_german_pages(text: str) -> None:
    assert is_translated(text, "de")
