"""Topics and payloads of the native format, version 1.

    vp/v1/{municipality}/{sensor}/{kind}      kind: counts, environment, status

Payloads are UTF-8 JSON: one object or an array of them (back-fill). Unknown fields are
tolerated, because firmware grows. `time` names the start of the interval.
"""

import re
from datetime import datetime
from typing import Annotated, Final, Literal, NamedTuple

from msgspec import Meta, Struct

PREFIX: Final = "vp/v1"
KINDS: Final = ("counts", "environment", "status")
KEY_PATTERN: Final = re.compile(r"[a-z0-9-]{1,64}")

#: Characters, for a set of a regular expression, that make brokers hang up:
#: control characters, and those that no text has. NATS takes no blanks either.
REFUSED: Final = "\0-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef" + "".join(
    chr(plane + last)
    for plane in range(0, 0x110000, 0x10000)
    for last in (0xFFFE, 0xFFFF)
)
#: Mosquitto takes no more levels of a topic.
LEVELS: Final = 200
_LONGEST: Final = 65_535
_TOPIC: Final = re.compile(f"[^+#{REFUSED}]+")

#: No mean speed is higher; 254 and 255 are what devices send where they have none.
FASTEST_KMH: Final = 250
#: A count fits the database's 4-byte integer with room for sums.
Count = Annotated[int, Meta(ge=0, le=1_000_000)]
#: Up to the local day of 25 hours: what is longer cannot be told by days.
Seconds = Annotated[int, Meta(ge=1, le=90_000)]
#: Of an interval, where the sensor did not look all the time.
Observed = Annotated[float, Meta(ge=0, le=90_000)]
Moment = Annotated[datetime, Meta(tz=True)]
#: Why nobody knows which pass of the hour that a wall clock shows twice a time is of:
#: it is there once; both are there, in no order; what was recorded ends or begins in
#: that hour; it came too late for its receipt to tell.
Ambiguous = Literal["once", "unordered", "ends", "begins", "late"]


class SpeedHistogram(Struct, frozen=True, kw_only=True, gc=False):
    """Counts of vehicles by speed, in bins of equal width from `from_kmh` up."""

    width_kmh: Annotated[float, Meta(ge=0.1, le=100)]
    from_kmh: Annotated[float, Meta(ge=0, le=300)] = 0.0
    counts: Annotated[list[Count], Meta(min_length=1, max_length=100)]


class ChannelCounts(Struct, frozen=True, kw_only=True, gc=False):
    """What one output of a sensor counted in an interval."""

    channel: Annotated[str, Meta(min_length=1, max_length=64)]
    classes: dict[str, Count | None]
    speed_kmh: Annotated[float, Meta(ge=0, le=FASTEST_KMH)] | None = None
    speed_histogram: SpeedHistogram | None = None
    occupancy: Annotated[float, Meta(ge=0, le=1)] | None = None


class CountMessage(Struct, frozen=True, kw_only=True, gc=False):
    """Counts of all outputs of a sensor in the interval `[time, time + interval_s)`."""

    time: Moment
    interval_s: Seconds
    seq: Annotated[int, Meta(ge=0)] | None = None
    observed_s: Observed | None = None
    #: of the time
    ambiguous: Ambiguous | None = None
    counts: Annotated[list[ChannelCounts], Meta(min_length=1, max_length=256)]


class EnvironmentMessage(Struct, frozen=True, kw_only=True, gc=False):
    """Environment values over the interval `[time, time + interval_s)`."""

    time: Moment
    interval_s: Seconds
    seq: Annotated[int, Meta(ge=0)] | None = None
    observed_s: Observed | None = None
    ambiguous: Ambiguous | None = None
    values: dict[str, float | None]


class StatusMessage(Struct, frozen=True, kw_only=True, gc=False):
    """Whether a sensor is connected; retained, and its last will says offline."""

    state: Literal["online", "offline"]
    time: Moment | None = None
    battery_pct: Annotated[float, Meta(ge=0, le=100)] | None = None
    firmware: Annotated[str, Meta(max_length=64, pattern=r"^[^\x00]*$")] | None = None


class Topic(NamedTuple):
    """The parts of a native topic."""

    municipality: str
    sensor: str
    kind: str


def is_topic(text: str) -> bool:
    """Tell whether brokers take a message under a topic."""
    return (
        _TOPIC.fullmatch(text) is not None
        and len(text.encode()) <= _LONGEST
        and text.count("/") < LEVELS
    )


def topic(municipality: str, sensor: str, kind: str) -> str:
    """Build the topic a sensor publishes under."""
    return f"{PREFIX}/{municipality}/{sensor}/{kind}"


def parse_topic(text: str) -> Topic | None:
    """Take a native topic apart; None where it is not one."""
    parts = text.split("/")
    if len(parts) != 5 or f"{parts[0]}/{parts[1]}" != PREFIX or parts[4] not in KINDS:
        return None
    if not (KEY_PATTERN.fullmatch(parts[2]) and KEY_PATTERN.fullmatch(parts[3])):
        return None
    return Topic(parts[2], parts[3], parts[4])
