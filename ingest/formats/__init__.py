"""One file per payload format: bytes in, readings out.

A format is a function `decode(kind, payload) -> Decoded` that raises `Unusable` where
it can use nothing of the payload.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple

from ingest.reasons import Unusable
from verkehrspuls.wire import StatusMessage


class CountReading(NamedTuple):
    """Counts of one output in one interval; classes not named are unknown."""

    output: str
    time: datetime
    interval_s: int
    classes: dict[str, int | None]
    speed_kmh: float | None
    occupancy: float | None
    histogram_from_kmh: float | None
    histogram_width_kmh: float | None
    histogram: list[int] | None


class EnvironmentReading(NamedTuple):
    """One value of one output over one interval."""

    output: str
    time: datetime
    interval_s: int
    value: float


Reading = CountReading | EnvironmentReading


class Decoded(NamedTuple):
    """What a payload holds: readings, a status, and the parts that are unusable."""

    readings: list[Reading]
    status: StatusMessage | None = None
    unusable: tuple[Unusable, ...] = ()


Decode = Callable[[str, bytes], Decoded]


def formats() -> dict[str, Decode]:
    """All payload formats by the name that the registry uses."""
    from ingest.formats import native

    return {"native": native.decode}


__all__: Final = [
    "CountReading",
    "Decode",
    "Decoded",
    "EnvironmentReading",
    "Reading",
    "formats",
]
