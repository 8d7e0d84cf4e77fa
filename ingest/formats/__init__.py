"""One file per payload format: bytes in, readings out.

The native format is a function `decode(kind, payload) -> Decoded`. A foreign format is
a function `decode(topic, payload, received_at) -> list[Record]` that knows nothing of
channels: `ingest.mapping` turns its records into readings, as the registry specifies.
Both raise `Unusable` if no part of the payload can be used. The constant `FORMATS` of a
file lists the foreign formats that it implements.
"""

import pkgutil
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from importlib import import_module
from itertools import repeat
from types import ModuleType
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from ingest.reasons import Dropped, Unusable
from ingest.sequence import Numbered
from verkehrspuls.wire import Ambiguous, StatusMessage

if TYPE_CHECKING:
    from ingest.formats.record import DecodeForeign, Format, Memory, Network
    from ingest.formats.record import Stateful as How

#: Name of our own format.
NATIVE: Final = "native"

#: The clock that a reading's time comes from: the device's, that of a gateway or
#: network server, or ours on receipt.
DEVICE: Final = 0
NETWORK: Final = 1
RECEIPT: Final = 2

#: The values of counts in which nothing is known.
ONLY_NULL: Final = frozenset({None})


class CountReading(Struct, gc=False):
    """Counts of one output in one interval; classes that are absent are unknown."""

    output: str
    time: datetime
    interval_s: int
    classes: dict[str, int | None]
    speed_kmh: float | None = None
    occupancy: float | None = None
    histogram_from_kmh: float | None = None
    histogram_width_kmh: float | None = None
    histogram: list[int] | None = None
    time_origin: int = DEVICE
    #: seconds of the interval that the device observed, if it reports them
    observed_s: int | None = None
    #: why the pass of a repeated hour is unknown; None: it is known
    ambiguous: Ambiguous | None = None


class EnvironmentReading(Struct, gc=False):
    """One value of one output over one interval."""

    output: str
    time: datetime
    interval_s: int
    value: float
    time_origin: int = DEVICE
    observed_s: int | None = None
    ambiguous: Ambiguous | None = None


Reading = CountReading | EnvironmentReading


class CountSeries(Struct, gc=False):
    """Counts of one output at evenly spaced times, all with the same classes."""

    output: str
    #: at least two
    times: list[datetime]
    interval_s: int
    classes: list[dict[str, int | None]]
    #: None: no reading has a speed
    speeds: list[float | None] | None

    def readings(self) -> list[Reading]:
        """Return the readings one by one, without those in which nothing is known."""
        return [
            CountReading(self.output, time, self.interval_s, classes, speed)
            for time, classes, speed in zip(
                self.times, self.classes, self.speeds or repeat(None), strict=False
            )
            if not ONLY_NULL.issuperset(classes.values())
        ]


class Frame(Struct, frozen=True, gc=False):
    """Identity of a frame of a radio network, by which its repetitions are found."""

    #: the device and its session
    session: str
    counter: int


class Decoded(Struct, gc=False):
    """Content of a payload: readings, a status, and the parts that are unusable."""

    readings: list[Reading]
    status: StatusMessage | None = None
    unusable: tuple[Unusable, ...] = ()
    numbered: Sequence[Numbered] = ()
    #: set instead of `readings`
    series: CountSeries | None = None
    #: None if the time is the device's own: a repetition then has the same time
    frame: Frame | None = None
    #: fields that were left out of readings
    dropped: Sequence[Dropped] = ()
    #: implausible times that another time of the payload replaces: the field, its
    #: value, and the field that was used instead
    passed_over: Sequence[tuple[str, str, str]] = ()


Decode = Callable[[str, bytes], Decoded]


@cache
def modules() -> list[ModuleType]:
    """Import the modules of foreign formats: those of this package with `FORMATS`."""
    found = (
        import_module(f"{__name__}.{entry.name}")
        for entry in pkgutil.iter_modules(__path__)
    )
    return [module for module in found if hasattr(module, "FORMATS")]


def foreign_formats() -> dict[str, "Format"]:
    """Return all foreign payload formats by the name that the registry uses."""
    found = (one for module in modules() for one in module.FORMATS)
    return {one.name: one for one in sorted(found, key=lambda one: str(one.name))}


def names() -> list[str]:
    """List the possible values of a sensor's `payload_format`."""
    return [NATIVE, *foreign_formats()]


def networks() -> dict[str, "Network"]:
    """Return the network servers of LoRaWAN devices by the names of their formats."""
    found = foreign_formats().items()
    return {name: one.network for name, one in found if one.network is not None}


class Formats:
    """Decoders of all formats, with the memories of the stateful ones.

    Each worker has its own, and so has any other collector of messages.
    """

    def __init__(self) -> None:
        """Load all formats, with empty memories."""
        from ingest.formats.native import decode
        from ingest.formats.record import Stateful

        #: decoder of the native format
        self.native: Decode = decode
        #: decoders of the foreign formats, by name
        self.foreign: dict[str, DecodeForeign] = {}
        #: memories of the stateful formats, with how they are stored, by name
        self.memories: dict[str, tuple[How, Memory]] = {}
        for name, one in foreign_formats().items():
            if isinstance(one.decode, Stateful):
                memory = one.decode.memory()
                self.memories[name] = one.decode, memory
                self.foreign[name] = memory.decode
            else:
                self.foreign[name] = one.decode


def formats() -> Formats:
    """Return all payload formats, with empty memories."""
    return Formats()


__all__: Final = [
    "DEVICE",
    "NATIVE",
    "NETWORK",
    "RECEIPT",
    "CountReading",
    "CountSeries",
    "Decode",
    "Decoded",
    "EnvironmentReading",
    "Formats",
    "Frame",
    "Reading",
    "foreign_formats",
    "formats",
    "modules",
    "names",
    "networks",
]
