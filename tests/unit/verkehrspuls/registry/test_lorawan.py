"""The QR code on a LoRaWAN device."""

import pytest

from verkehrspuls.errors import BadParameter
from verkehrspuls.registry.lorawan import checksum, fields, read

#: the example of TR005
CODE = "LW:D0:1122334455667788:AABBCCDDEEFF0011:AABB1122:OAABBCCDDEEFF:SYYWWNNNNNN"
WHOLE = f"{CODE}:PFOOBAR:CAF2C"


def test_the_code_of_a_device_is_read() -> None:
    found = read(f" {WHOLE.lower()}\n".replace(":caf2c", ""))
    assert found.dev_eui == "AABBCCDDEEFF0011"
    assert found == read(CODE.lower())._replace(serial=found.serial)
    assert read(WHOLE) == (
        *("1122334455667788", "AABBCCDDEEFF0011", "AABB1122", "YYWWNNNNNN"),
    )
    assert read("LW:D0:1122334455667788:AABBCCDDEEFF0011:AABB1122").serial == ""


def test_the_checksum_is_compared() -> None:
    assert checksum(f"{CODE}:PFOOBAR") == "AF2C"
    with pytest.raises(BadParameter, match="checksum"):
        read(WHOLE.replace("AABBCCDDEEFF0011", "AABBCCDDEEFF0012"))


@pytest.mark.parametrize(
    "text",
    [
        *("", "https://example.org", "LW:D0:11:22:33", f"LW:D1{WHOLE[5:]}"),
        *(f"{CODE}:XMORE", f"{CODE}:P<b>\0 x", f"{CODE}:P{'x' * 600}"),
    ],
)
def test_anything_else_is_no_code(text: str) -> None:
    with pytest.raises(BadParameter, match="no code"):
        read(text)


@pytest.mark.parametrize(
    ("network", "topic"),
    [
        ("chirpstack-v4", "application/+/device/aabbccddeeff0011/event/+"),
        ("ttn-v3", "v3/+/devices/eui-aabbccddeeff0011/+"),
    ],
)
def test_the_form_is_filled_in_for_a_network_server(network: str, topic: str) -> None:
    assert fields(read(WHOLE), network) == {
        "key": "eui-aabbccddeeff0011",
        "serial": "AABBCCDDEEFF0011",
        "power": "battery",
        "payload_format": network,
        "topic": topic,
    }
