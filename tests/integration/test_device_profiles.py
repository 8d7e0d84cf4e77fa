"""Sensors registered by device profiles: what their messages become."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from msgspec import structs
from typer.testing import CliRunner, Result

from ingest.batch import Message
from ingest.trial import attempt
from tests.intake import Intake
from tests.towns import TOWN
from verkehrspuls.cli import command as cli
from verkehrspuls.errors import FoundProblems
from verkehrspuls.registry import commissioning, device_profiles
from verkehrspuls.registry.device_profiles import (
    DeviceProfile,
    Example,
    NotApplicable,
    shipped,
)
from verkehrspuls.registry.towns import register
from verkehrspuls.storage.database import connect

CASES: Final = [
    (key, name) for key, profile in shipped().items() for name in profile.formats
]


@pytest.fixture
def intake(plain_database: str) -> Iterator[Intake]:
    with Intake(plain_database) as intake:
        yield intake


def sent(profile: DeviceProfile, payload_format: str, example: Example) -> Message:
    (one,) = (
        each
        for each in device_profiles.messages(profile, example)
        if each.payload_format == payload_format
    )
    return Message(one.topic, one.payload, example.received_at)


def test_examples_become_what_they_say_as_registered(intake: Intake) -> None:
    for key, payload_format in CASES:
        profile = shipped()[key]
        channels = {one.output: one.channel for one in profile.outputs}
        for example in profile.examples:
            town = device_profiles.sample(profile, payload_format, example.ids)
            town = structs.replace(town, key=f"t-{key}"[:64])
            if profile.payload_format == "native":
                town = structs.replace(town, key="town")
            register(intake.connection, town)
            message = sent(profile, payload_format, example)
            found = attempt(intake.connection, intake.settings.ingest, message)
            assert found.problem is None, (key, found)
            # another profile may read the same topic, in its own town
            made = {
                (one.channel, one.time): {
                    name: pytest.approx(value)
                    for name, value in one.values.items()
                    if value is not None
                }
                for one in found.readings
                if one.channel in channels.values()
            }
            assert made == {
                (channels[one.output], one.time): one.values for one in example.readings
            }, key


def test_what_devices_say_of_themselves_is_shown(intake: Intake) -> None:
    profile = shipped()["milesight-ws302"]
    for payload_format in profile.formats:
        register(intake.connection, device_profiles.sample(profile, payload_format))
        for example in profile.examples:
            intake.write(sent(profile, payload_format, example))
        facts = commissioning.sensor(intake.connection, "town", "sensor").facts
        assert (facts.battery_pct, facts.signal_dbm) == (64, -92)
        assert (facts.state, facts.temperature_c) == ("online", None)
        assert facts.messages_rejected == 0


@pytest.fixture
def command(
    plain_database: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    monkeypatch.setenv("VERKEHRSPULS_DATABASE__URL", plain_database)
    with connect(plain_database) as connection:
        register(connection, TOWN)
    return lambda *words: CliRunner().invoke(cli.app, words)


SENSOR: Final = f"{TOWN.key}/zaehler"
USE: Final = (
    *("profile", "use", "parametric-pcr2", SENSOR, "--site", TOWN.sites[0].key),
    *("--id", "dev_eui=0016C001F153A14C", "--format", "ttn-v3"),
)


def test_a_sensor_is_registered_by_a_device_profile(
    command: Callable[..., Result], plain_database: str
) -> None:
    dry = command(*USE, "--dry-run")
    assert (dry.exit_code, "channel" in dry.output) == (0, True), dry.exception
    assert "zaehler" not in command("sensor", "list").output
    done = command(*USE, "--output", "ltr=rein", "--since", "2026-11-01")
    assert done.exit_code == 0, done.output
    assert "codec" in done.output
    shown = json.loads(command("sensor", "show", SENSOR, "--json").output)
    assert shown["topic"] == "v3/+/devices/eui-0016c001f153a14c/+"
    assert [one["channel"] for one in shown["installations"]] == ["rein"]
    again = command(*USE)
    assert isinstance(again.exception, NotApplicable)
    assert "choose another key" in str(again.exception)


def test_a_file_of_ones_own_is_used_and_checked(
    command: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "own.toml"
    text = (device_profiles.FOLDER / "parametric-pcr2.toml").read_text("utf-8")
    file.write_text(text, "utf-8")
    assert command("profile", "check", str(file)).exit_code == 0
    words = [str(file) if word == "parametric-pcr2" else word for word in USE]
    assert command(*words).exit_code == 0
    file.write_text(text.replace("LTR = 12", "LTR = 13"), "utf-8")
    wrong = command("profile", "check", str(file), "--json")
    assert isinstance(wrong.exception, FoundProblems)
    assert len(json.loads(wrong.output)["problems"]) == 2
    file.write_text(text.replace('"people"', '"humans"'), "utf-8")
    refused = command("profile", "check", str(file))
    assert "line 3, kind" in str(refused.exception)
