"""The payload formats that a sensor can be registered with."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final, Protocol

#: The package that decodes messages. It is loaded by name and only when a town is
#: checked, as commands are: the registry knows nothing of it but the names of formats.
DECODERS: Final = "ingest.formats"


def payload_formats() -> list[str]:
    """List what a sensor's `payload_format` can be."""
    return list(import_module(DECODERS).names())


class Network(Protocol):
    """How a network server of LoRaWAN devices publishes their uplinks."""

    @property
    def topic(self) -> str:
        """Topic filter of a device, with places for its ids."""

    @property
    def uplink_topic(self) -> str:
        """Topic of one uplink, with places for the device's ids."""

    @property
    def fields(self) -> str:
        """Path of what the codec of the device returns."""

    @property
    def payload(self) -> Callable[..., bytes]:
        """Make the payload of an uplink."""

    @property
    def opened(self) -> Callable[[bytes], tuple[Mapping[str, Any], int]]:
        """Return what the codec returned in an uplink's payload, and the port."""


def networks() -> dict[str, Network]:
    """Return the network servers by the names of their formats."""
    return dict(import_module(DECODERS).networks())
