"""One file per payload format: bytes in, readings out.

The native format is a function `decode(kind, payload) -> Decoded`; a foreign one is a
function `decode(topic, payload, received_at) -> list[Record]` that knows nothing of
channels: `ingest.mapping` makes readings of records, as the registry says. Both raise
`Unusable` where they can use nothing of the payload.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import repeat
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from ingest.reasons import Dropped, Unusable
from ingest.sequence import Numbered
from verkehrspuls.wire import Ambiguous, StatusMessage

if TYPE_CHECKING:
    from ingest.formats.record import DecodeForeign

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
        """Give them one by one; one of which nothing is known is none."""
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


def formats() -> dict[str, Decode]:
    """All payload formats by the name that the registry uses."""
    from ingest.formats import native

    return {"native": native.decode}


def foreign_formats() -> dict[str, "DecodeForeign"]:
    """All foreign payload formats by the name that the registry uses."""
    from ingest.formats import (
        chirpstack_v4,
        scalar,
        senml,
        sensor_community,
        sensorthings,
        sparkplug_b,
        tasmota,
        telraam,
        ttn_v3,
    )

    return {
        "chirpstack-v4": chirpstack_v4.decode,
        "scalar": scalar.decode,
        "senml-cbor": senml.decode_cbor,
        "senml-json": senml.decode_json,
        "sensor-community": sensor_community.decode,
        "sensorthings": sensorthings.decode,
        "sparkplug-b": sparkplug_b.decode,
        "tasmota": tasmota.decode,
        "telraam": telraam.decode,
        "ttn-v3": ttn_v3.decode,
    }


#: The levels of a topic that name the device, where a format fixes its topics.
DEVICE_LEVELS: Final = {
    "chirpstack-v4": (3,),
    "sensorthings": (1,),
    "sparkplug-b": (3, 4),
    "tasmota": (1,),
    "ttn-v3": (3,),
}


__all__: Final = [
    "DEVICE",
    "DEVICE_LEVELS",
    "NETWORK",
    "RECEIPT",
    "CountReading",
    "CountSeries",
    "Decode",
    "Decoded",
    "EnvironmentReading",
    "Frame",
    "Reading",
    "foreign_formats",
    "formats",
]
