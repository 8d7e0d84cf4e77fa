"""Device profiles: read, checked, and applied to a site."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from verkehrspuls.errors import BadFile, UnknownKey, UsageError
from verkehrspuls.model import Channel, Site, Source
from verkehrspuls.quantities import QUANTITIES
from verkehrspuls.registry import device_profiles
from verkehrspuls.registry.device_profiles import (
    FOLDER,
    NotApplicable,
    apply,
    find,
    line_of,
    parse,
    shipped,
)
from verkehrspuls.registry.faults import check
from verkehrspuls.registry.formats import networks

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
SITE = Site(key="platz", name="Platz", channels=())
PCR2 = (FOLDER / "parametric-pcr2.toml").read_text("utf-8")
EUI = "0016C001F153A14C"


@pytest.mark.parametrize("key", shipped())
def test_a_device_profile_can_be_registered_for_each_format(key: str) -> None:
    profile = shipped()[key]
    for payload_format in profile.formats:
        check(device_profiles.sample(profile, payload_format))
        assert {one.quantity for one in profile.outputs} <= set(QUANTITIES)


def test_devices_of_each_kind_are_there() -> None:
    assert {one.kind for one in shipped().values()} >= {
        *("thermal-camera", "camera", "radar", "loops", "bicycles", "people"),
        *("parking", "air", "sound", "water", "weather"),
    }
    radars = [one for one in shipped().values() if one.kind == "radar"]
    assert len({one.payload_format for one in radars}) == 2


def test_each_names_its_source() -> None:
    assert [key for key, one in shipped().items() if not one.sources] == []


def test_one_profile_is_for_each_network_server() -> None:
    topics = {
        name: apply(
            find("parametric-pcr2"),
            site=SITE,
            key="zaehler",
            name="Zähler",
            since=SINCE,
            ids={"dev_eui": EUI},
            payload_format=name,
        ).sensor
        for name in networks()
    }
    assert {name: sensor.topic for name, sensor in topics.items()} == {
        "chirpstack-v4": "application/+/device/0016c001f153a14c/event/+",
        "ttn-v3": "v3/+/devices/eui-0016c001f153a14c/+",
    }
    fields = {name: sensor.installations[0].mapping for name, sensor in topics.items()}
    assert {name: one.classes for name, one in fields.items() if one} == {
        "chirpstack-v4": {"pedestrian": "object.LTR"},
        "ttn-v3": {"pedestrian": "decoded_payload.LTR"},
    }


@pytest.mark.parametrize(
    "written", ["00-16-C0-01-F1-53-A1-4C", " 0016:c001:f153:a14c "]
)
def test_a_dev_eui_is_taken_as_it_is_written_on_the_device(written: str) -> None:
    sensor = apply(
        find("bosch-tps110"),
        site=SITE,
        key="p-1",
        name="P 1",
        since=SINCE,
        ids={"dev_eui": written},
    ).sensor
    assert sensor.topic == f"application/+/device/{EUI.lower()}/event/+"


def test_a_number_of_one_device_is_filled_in() -> None:
    use = apply(
        find("decentlab-mbx"),
        site=SITE,
        key="pegel",
        name="Pegel",
        since=SINCE,
        ids={"dev_eui": EUI, "height_cm": "412.5"},
    )
    (installation,) = use.sensor.installations
    assert installation.mapping is not None
    assert installation.mapping.offset == 412.5
    assert use.sensor.profile.status is not None
    assert isinstance(use.sensor.profile.status.battery_pct, Source)


def test_chosen_outputs_feed_the_channels_that_are_there() -> None:
    there = Channel(key="rein", name="Rein", quantity="pedestrian", direction="rein")
    site = Site(key="platz", name="Platz", channels=(there,))
    use = apply(
        find("parametric-pcr2"),
        site=site,
        key="zaehler",
        name="Zähler",
        since=SINCE,
        ids={"dev_eui": EUI},
        outputs={"ltr": "rein", "rtl": "raus"},
        language="en",
    )
    (new,) = use.channels
    assert (new.key, new.name, new.direction) == ("raus", "From right to left", "out")
    town = device_profiles.sample(find("parametric-pcr2"), "ttn-v3")
    town = use._replace(site="site").put(town)
    assert [one.key for one in town.sites[0].channels] == ["in", "out", "raus"]
    assert [one.key for one in town.sensors] == ["sensor", "zaehler"]


def test_a_key_that_is_taken_for_something_else_is_not_suggested() -> None:
    motor = Channel(key="in", name="Ein", quantity="motor")
    persons = Channel(key="out", name="Aus", quantity="pedestrian")
    site = Site(key="platz", name="Platz", channels=(motor, persons))
    assert device_profiles.suggested(find("parametric-pcr2"), site) == {
        "ltr": "in-pedestrian",
        "rtl": "out",
    }


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"ids": {}}, "the id dev_eui is missing"),
        ({"ids": {"dev_eui": "12"}}, "16 digits"),
        ({"payload_format": "senml"}, "there are chirpstack-v4, ttn-v3"),
        ({"outputs": {"ltt": "in"}}, "did you mean ltr?"),
        ({"outputs": {"ltr": "no2"}}, "measures no2_ugm3"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, object], told: str) -> None:
    no2 = Channel(key="no2", name="NO₂", quantity="no2_ugm3")
    asked: dict[str, Any] = {
        "site": Site(key="platz", name="Platz", channels=(no2,)),
        "key": "zaehler",
        "name": "Zähler",
        "since": SINCE,
        "ids": {"dev_eui": EUI},
    }
    with pytest.raises(NotApplicable, match=re.escape(told)):
        apply(find("parametric-pcr2"), **asked | change)


@pytest.mark.parametrize("bad", ["a/b", "a b", "+", "#", "x" * 65, "a\0b", "{x}"])
def test_an_id_cannot_change_the_topic(bad: str) -> None:
    with pytest.raises(NotApplicable, match="device_id"):
        apply(
            find("air-fiware"),
            site=SITE,
            key="luft",
            name="Luft",
            since=SINCE,
            ids={"device_id": bad},
        )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('kind = "people"', 'kind = "peoples"', "line 3, kind: .*did you mean people"),
        ("interval_s = 600", "", "interval_s is missing"),
        ("interval_s = 600", "interval_s = 0", "line 8, interval_s: .*below 1"),
        ('channel = "out"', 'canal = "out"', r"outputs\[1\]: .*canal"),
        (
            'output = "rtl"\nc',
            'output = "ltr"\nc',
            r"line 26, outputs\[1\].output: 'ltr",
        ),
        ('"{fields}.RTL"', "7", r"line 3\d, outputs\[1\].mapping: classes"),
        ('"{fields}.RTL"', '"{what}.RTL"', "nothing says what {what} is"),
        (
            'quantity = "pedestrian"',
            'quantity = "people"',
            "line 17, outputs: .*people",
        ),
        ('"lorawan"', '"json"\ntopic = "a/#/b"', "topic a/#/b: no topic"),
        ("time_is = ", "time_ist = ", "line 12, profile: .*time_ist"),
        ('scheme = "pedestrian"', 'scheme = "bicycle"', "pedestrian"),
        ("f_port = 14\nreadings", 'payload = "x"\nreadings', r"examples\[0\]"),
        ('{ output = "ltr", time', '{ output = "lrt", time', r"no output 'lrt'"),
        ("[[outputs]]", "[[outputs", "at line 17, column 10"),
    ],
)
def test_a_fault_is_told_with_its_line_and_field(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    assert old in PCR2
    file = tmp_path / "own.toml"
    file.write_text(PCR2.replace(old, new, 1), "utf-8")
    with pytest.raises(BadFile, match=told):
        device_profiles.load(file)


def test_an_own_file_is_as_good_as_ours(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(PCR2, "utf-8")
    assert device_profiles.load(file) == find("parametric-pcr2")


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(UsageError):
        parse("a = " + "[" * 10_000)


def test_a_profile_that_is_not_there_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownKey, match="did you mean telraam"):
        find("telram")


def test_line_of_what_is_not_there_is_that_of_what_contains_it() -> None:
    text = 'a = 1\n[[b]]\nc = 2\n[[b]]\nc = 3\n[b.d]\n"e" = 4\n'
    assert [line_of(text, field) for field in ("a", "b", "b[1]", "b[1].c")] == [
        1,
        2,
        4,
        5,
    ]
    assert [line_of(text, field) for field in ("b[1].x", "b[1].d.e", "x")] == [4, 7, 0]
