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

#: Characters, for a set of a regular expression, for which brokers disconnect: control
#: characters and non-characters. NATS refuses blanks as well.
REFUSED: Final = "\0-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef" + "".join(
    chr(plane + last)
    for plane in range(0, 0x110000, 0x10000)
    for last in (0xFFFE, 0xFFFF)
)
#: Maximum levels of a topic in Mosquitto.
MAX_LEVELS: Final = 200
_MAX_TOPIC_BYTES: Final = 65_535
_TOPIC: Final = re.compile(f"[^+#{REFUSED}]+")

#: Maximum mean speed; devices send 254 and 255 for "no value".
MAX_SPEED_KMH: Final = 250
#: A count fits the database's 4-byte integer with room for sums.
Count = Annotated[int, Meta(ge=0, le=1_000_000)]
#: Up to a local day of 25 hours: longer intervals cannot be assigned to days.
Seconds = Annotated[int, Meta(ge=1, le=90_000)]
#: Part of an interval, if the sensor did not observe all of it.
Observed = Annotated[float, Meta(ge=0, le=90_000)]
Moment = Annotated[datetime, Meta(tz=True)]
#: Why the pass of a repeated wall-clock hour is unknown for a time: it occurs once;
#: both passes occur, in no order; the recording ends or begins in that hour; it came
#: too late for its receipt to decide.
Ambiguous = Literal["once", "unordered", "ends", "begins", "late"]


class SpeedHistogram(Struct, frozen=True, kw_only=True, gc=False):
    """Counts of vehicles by speed, in bins of equal width from `from_kmh` up."""

    width_kmh: Annotated[float, Meta(ge=0.1, le=100)]
    from_kmh: Annotated[float, Meta(ge=0, le=300)] = 0.0
    counts: Annotated[list[Count], Meta(min_length=1, max_length=100)]


class ChannelCounts(Struct, frozen=True, kw_only=True, gc=False):
    """Counts of one output of a sensor in an interval."""

    channel: Annotated[str, Meta(min_length=1, max_length=64)]
    classes: dict[str, Count | None]
    speed_kmh: Annotated[float, Meta(ge=0, le=MAX_SPEED_KMH)] | None = None
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
    """Whether a sensor is connected; retained, and its last will is `offline`."""

    state: Literal["online", "offline"]
    time: Moment | None = None
    battery_pct: Annotated[float, Meta(ge=0, le=100)] | None = None
    #: received signal strength
    signal_dbm: Annotated[float, Meta(ge=-200, le=50)] | None = None
    #: of the device itself
    temperature_c: Annotated[float, Meta(ge=-100, le=200)] | None = None
    firmware: Annotated[str, Meta(max_length=64, pattern=r"^[^\x00]*$")] | None = None


class Topic(NamedTuple):
    """The parts of a native topic."""

    municipality: str
    sensor: str
    kind: str


def is_topic(text: str) -> bool:
    """Return whether brokers accept a topic."""
    return (
        _TOPIC.fullmatch(text) is not None
        and len(text.encode()) <= _MAX_TOPIC_BYTES
        and text.count("/") < MAX_LEVELS
    )


def topic(municipality: str, sensor: str, kind: str) -> str:
    """Build the topic a sensor publishes under."""
    return f"{PREFIX}/{municipality}/{sensor}/{kind}"


def parse_topic(text: str) -> Topic | None:
    """Parse a native topic; None if it is not one."""
    parts = text.split("/")
    if len(parts) != 5 or f"{parts[0]}/{parts[1]}" != PREFIX or parts[4] not in KINDS:
        return None
    if not (KEY_PATTERN.fullmatch(parts[2]) and KEY_PATTERN.fullmatch(parts[3])):
        return None
    return Topic(parts[2], parts[3], parts[4])
