"""The payload formats that a sensor can be registered with."""

from importlib import import_module
from typing import Final

#: The package that decodes messages. It is loaded by name and only when a town is
#: checked, as commands are: the registry knows nothing of it but the names of formats.
DECODERS: Final = "ingest.formats"


def payload_formats() -> list[str]:
    """List what a sensor's `payload_format` can be."""
    return list(import_module(DECODERS).names())
