"""One file per payload format: bytes in, readings out.

The native format is a function `decode(kind, payload) -> Decoded`; a foreign one is a
function `decode(topic, payload, received_at) -> list[Record]` that knows nothing of
channels: `ingest.mapping` makes readings of records, as the registry says. Both raise
`Unusable` where they can use nothing of the payload. A foreign one is found by the
record (or several) in its file, `FORMATS`.
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
    from ingest.formats.record import DecodeForeign, Format, Memory
    from ingest.formats.record import Stateful as How

#: the format of our own
NATIVE: Final = "native"

#: Whose clock a reading's time is from: the device's, that of a gateway or network
#: server, or ours on receipt.
DEVICE: Final = 0
NETWORK: Final = 1
RECEIPT: Final = 2

#: What is there of a reading that is none.
NOTHING: Final = frozenset({None})


class CountReading(Struct, gc=False):
    """Counts of one output in one interval; classes not named are unknown."""

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
    #: seconds of the interval that the device says it observed
    observed_s: int | None = None
    #: why nobody knows which pass of a doubled hour the time is of
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
    """Counts of one output at times in even steps, all of the same classes."""

    output: str
    #: two at least
    times: list[datetime]
    interval_s: int
    classes: list[dict[str, int | None]]
    #: None: none has a speed
    speeds: list[float | None] | None

    def readings(self) -> list[Reading]:
        """Return them one by one; one of which nothing is known is none."""
        return [
            CountReading(self.output, time, self.interval_s, classes, speed)
            for time, classes, speed in zip(
                self.times, self.classes, self.speeds or repeat(None), strict=False
            )
            if not NOTHING.issuperset(classes.values())
        ]


class Frame(Struct, frozen=True, gc=False):
    """Which frame of a radio network a message holds, so that its repeats are known."""

    #: the device and its session
    session: str
    counter: int


class Decoded(Struct, gc=False):
    """What a payload holds: readings, a status, and the parts that are unusable."""

    readings: list[Reading]
    status: StatusMessage | None = None
    unusable: tuple[Unusable, ...] = ()
    numbered: Sequence[Numbered] = ()
    #: in place of readings
    series: CountSeries | None = None
    #: none where the device tells the time itself: then a repeat has the same
    frame: Frame | None = None
    #: fields that were left out of readings
    dropped: Sequence[Dropped] = ()
    #: Times that cannot be right, for which another one of the payload stands in: the
    #: field, what it said, and the field that was taken.
    passed_over: Sequence[tuple[str, str, str]] = ()


Decode = Callable[[str, bytes], Decoded]


@cache
def modules() -> list[ModuleType]:
    """Load the files of foreign formats: those here that have `FORMATS`."""
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
    """List what a sensor's `payload_format` can be."""
    return [NATIVE, *foreign_formats()]


class Formats:
    """How messages of all formats are decoded, and what the stateful ones remember.

    One for each worker, or whatever else collects messages.
    """

    def __init__(self) -> None:
        """Load all formats; nothing is remembered yet."""
        from ingest.formats.native import decode
        from ingest.formats.record import Stateful

        #: decodes the native format
        self.native: Decode = decode
        #: decode the foreign ones, by name
        self.foreign: dict[str, DecodeForeign] = {}
        #: the memories of stateful ones, with how they are stored, by name
        self.memories: dict[str, tuple[How, Memory]] = {}
        for name, one in foreign_formats().items():
            if isinstance(one.decode, Stateful):
                memory = one.decode.memory()
                self.memories[name] = one.decode, memory
                self.foreign[name] = memory.decode
            else:
                self.foreign[name] = one.decode


def formats() -> Formats:
    """Return all payload formats, without anything remembered."""
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
]
