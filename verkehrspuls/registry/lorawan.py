"""The QR code on a LoRaWAN device (TR005 of the LoRa Alliance), and what it tells.

`LW:D0:<JoinEUI>:<DevEUI>:<profile>` in hexadecimal, and what may follow: `O` an owner
token, `S` the serial number, `P` what the maker likes, `C` a checksum. The owner token
lets somebody claim the device, so it is not kept.
"""

import re
from typing import Final, NamedTuple

from verkehrspuls.errors import BadParameter
from verkehrspuls.model import Town
from verkehrspuls.registry.formats import networks
from verkehrspuls.text import mark

_CODE: Final = re.compile(
    r"LW:D0:([0-9A-F]{16}):([0-9A-F]{16}):([0-9A-F]{8})((?::[OSPC][^:\s]*)*)",
    re.IGNORECASE,
)
_MAX_CHARS: Final = 500
_NO_CODE: Final = mark(
    "This is no code of a LoRaWAN device: it begins with LW:D0: and three numbers."
)
_WRONG: Final = mark(
    "The code was not read as a whole, or typed wrongly: its checksum differs."
)


class Code(NamedTuple):
    """What the code on a device tells."""

    join_eui: str
    dev_eui: str
    #: of the maker, who has the first half
    profile: str
    serial: str


def read(text: str) -> Code:
    """Read the code of a device; raise `BadParameter`."""
    text = text.strip()
    found = _CODE.fullmatch(text) if len(text) <= _MAX_CHARS else None
    if found is None:
        raise BadParameter(parameter="code", detail=_NO_CODE)
    join_eui, dev_eui, profile, rest = found.groups()
    more = {part[0].upper(): part[1:] for part in rest.split(":")[1:]}
    if "C" in more and more["C"].upper() != checksum(text[: text.rindex(":")]):
        raise BadParameter(parameter="code", detail=_WRONG)
    serial = more.get("S", "")
    return Code(join_eui.upper(), dev_eui.upper(), profile.upper(), serial)


def find(town: Town, code: Code) -> str | None:
    """Return the key of the sensor that a code is of; None: none is registered."""
    dev_eui = code.dev_eui.casefold()
    for sensor in town.sensors:
        written = re.sub(r"[\s:.-]", "", sensor.serial).casefold()
        if written == dev_eui or dev_eui in (sensor.topic or "").casefold():
            return sensor.key
    return None


def fields(code: Code, network: str) -> dict[str, str]:
    """Return the fields of a new sensor, of a network server's format."""
    dev_eui = code.dev_eui.lower()
    found = {"key": f"eui-{dev_eui}", "serial": code.dev_eui, "power": "battery"}
    server = networks().get(network)
    if server is None:
        return found
    ids = {"dev_eui": dev_eui, "device_id": f"eui-{dev_eui}"}
    topic = server.topic.format_map(ids)
    return found | {"payload_format": network, "topic": topic}


def checksum(text: str) -> str:
    """Return the CRC-16 (polynomial 8005, reflected, begins with FFFF) of a text."""
    value = 0xFFFF
    for byte in text.encode():
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return f"{value:04X}"
