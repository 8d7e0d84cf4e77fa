"""Records of the registry: sites, channels, sensors and their installations.

A `Town` is the content of a registration file (TOML) and is registered as a whole. Keys
match `[a-z0-9-]{1,64}` and are unique within the municipality.
"""

from collections.abc import Mapping as Map
from datetime import datetime
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from verkehrspuls.wire import MAX_LEVELS, REFUSED

Key = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,64}\Z")]
#: Characters that break a line, a table or a terminal: control characters, line
#: separators, and changes of text direction.
CONTROLS: Final = "\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
#: Characters that are invisible.
_INVISIBLE: Final = (
    "\xad\u115f\u1160\u200b-\u200f\u2060-\u2064\u2800\u3164\ufe00-\ufe0f\ufeff"
    "\U000e0000-\U000e007f"
)
#: Text to display; not empty.
Name = Annotated[
    str,
    Meta(
        pattern=rf"^[^{CONTROLS}]*[^\s{CONTROLS}{_INVISIBLE}][^{CONTROLS}]*\Z",
        max_length=200,
    ),
]
#: Text to display; may be empty.
Words = Annotated[str, Meta(pattern=rf"^[^{CONTROLS}]*\Z", max_length=1000)]
#: Target of a link: a page, a mail address, or empty. The pattern is valid in Python
#: and Rust.
LINK: Final = (
    r"(https?://[^\s/?#@:\"<>\\]+(:[0-9]{1,5})?([/?#][^\s\"<>\\]*)?"
    r"|mailto:[^\s@\"<>\\?]+@[^\s@\"<>\\?]+(\?[^\s\"<>\\]*)?)?"
)
Link = Annotated[str, Meta(pattern=rf"^{LINK}\Z", max_length=500)]
Latitude = Annotated[float, Meta(ge=-90, le=90)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]
_LEVEL = rf"([^+#/{REFUSED}]+|\+)"
#: MQTT topic filter: `+` matches one level; `#` at the end matches the rest
TopicFilter = Annotated[
    str,
    Meta(
        pattern=rf"^{_LEVEL}(/{_LEVEL}){{0,{MAX_LEVELS - 1}}}(/#)?\Z",
        max_length=1024,
    ),
]
#: one of `verkehrspuls.registry.formats`
PayloadFormat = Annotated[str, Meta(pattern=r"^[a-z0-9-]+\Z", max_length=64)]
#: path of a field in a decoded payload, e.g. `object.people_in`
Field = Annotated[str, Meta(min_length=1, max_length=256)]
#: Default time zone of a town.
DEFAULT_TIME_ZONE: Final = "Europe/Berlin"
#: With an offset; in a registration file without one, on the town's clock.
Since = Annotated[datetime, Meta(tz=True)]
#: of a site or sensor, from its plan to its end
Status = Literal["planned", "active", "out-of-service", "dismantled"]
Scalar = bool | int | float | str


class Channel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One stream measured at a site: a lane in a direction, or one quantity."""

    key: Key
    name: Name
    #: a key of `quantities.QUANTITIES`
    quantity: str
    #: key of the direction, e.g. `in`; empty if there is none
    direction: Annotated[str, Meta(pattern=r"^(?!all\Z)[a-z0-9-]{0,64}\Z")] = ""
    #: the direction's name for display, e.g. "Richtung Innenstadt"
    direction_name: Words = ""
    #: direction of travel, clockwise from north
    bearing_deg: Annotated[int, Meta(ge=0, le=359)] | None = None
    lane: Annotated[int, Meta(ge=-99, le=99)] | None = None
    #: significant values by their name for display: stages of a gauge
    thresholds: Annotated[Map[Name, float], Meta(max_length=20)] = {}


class Site(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place where something is measured; coordinates (WGS 84) if known."""

    key: Key
    name: Name
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    road: Words = ""
    place: Words = ""
    speed_limit_kmh: Annotated[int, Meta(ge=5, le=200)] | None = None
    #: of the road, in both directions
    lanes: Annotated[int, Meta(ge=1, le=20)] | None = None
    visibility: Literal["public", "cluster", "private"] = "public"
    status: Status = "active"
    channels: tuple[Channel, ...] = ()


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A field with its unit and conversions of its value."""

    field: Annotated[Field, Meta(description="path of the field")]
    unit: Annotated[
        str | None,
        Meta(
            description="unit of its value, unless the payload says one; if neither "
            "does, the unit of the quantity"
        ),
    ] = None
    factor: Annotated[float, Meta(description="the converted value times this")] = 1.0
    offset: Annotated[float, Meta(description="and then plus this")] = 0.0


class Mapping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Maps fields of a foreign payload to counts, or to one value."""

    classes: Annotated[
        Map[str, Field | Source],
        Meta(description="counts: vehicle class = field, or a source as below"),
    ] = {}
    speed_kmh: Annotated[
        Field | Source | None, Meta(description="counts: mean speed")
    ] = None
    occupancy: Annotated[
        Field | Source | None, Meta(description="counts: share of time, 0 to 1")
    ] = None
    round: Annotated[
        bool, Meta(description="counts that come as fractions are rounded")
    ] = False
    field: Annotated[Field | None, Meta(description="a value: path of the field")] = (
        None
    )
    unit: Annotated[str | None, Meta(description="a value: as in a source")] = None
    factor: Annotated[float, Meta(description="a value: as in a source")] = 1.0
    offset: Annotated[float, Meta(description="a value: as in a source")] = 0.0
    words: Annotated[
        Map[str, float],
        Meta(
            description="a value: words of the device that are numbers, such as "
            "`{ occupied = 100, free = 0 }`; also `true` and `false`"
        ),
    ] = {}
    plausible: Annotated[
        tuple[float, float] | None,
        Meta(
            description="least and greatest value that the device can measure, in the "
            "unit of the quantity, or of counts: of each class; what lies outside is "
            "rejected"
        ),
    ] = None


class TimeField(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A field that contains the device's time."""

    field: Annotated[Field, Meta(description="path of the field")]
    unit: Annotated[
        Literal["iso", "s", "ms", "us", "ns"],
        Meta(description="ISO 8601, or since 1970 in this unit; never guessed"),
    ] = "iso"
    zone: Annotated[
        str | None,
        Meta(
            description="time zone of a stamp without offset; the hour that an autumn "
            "night has twice is its second pass for what came within that; what came "
            "later is taken for the first, and noted as ambiguous"
        ),
    ] = None


class StatusFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields in which a device says how it is, whatever it measures."""

    battery_pct: Annotated[
        Field | Source | None,
        Meta(
            description="what is left of the battery, in %; of a voltage, `factor` and "
            "`offset` make it, and what comes out below 0 or above 100 is that"
        ),
    ] = None
    signal_dbm: Annotated[
        Field | Source | None,
        Meta(description="received signal strength in dBm, such as `rssi`"),
    ] = None
    temperature_c: Annotated[
        Field | Source | None,
        Meta(description="of the device itself, not of the air; in °C, or with a unit"),
    ] = None
    firmware: Annotated[
        Field | None, Meta(description="version of its program, as text")
    ] = None


class Profile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Facts about a sensor's payloads that they do not contain."""

    times: Annotated[
        tuple[TimeField, ...],
        Meta(
            description="the first of these fields that is there is the time; it goes "
            "before the time that the format finds"
        ),
    ] = ()
    receipt_time: Annotated[
        bool, Meta(description="the time of receipt may stand in where there is none")
    ] = False
    time_is: Annotated[
        Literal["start", "end"],
        Meta(
            description="whether the time is the start or the end of the sensor's "
            "interval, where the payload does not contain the interval"
        ),
    ] = "start"
    observed: Annotated[
        Field | Source | None,
        Meta(
            description="how much of its interval the device observed: its unit is "
            "`s`, `%`, or `1` (where none is named) for a share of 0 to 1; what cannot "
            "be is taken as unknown"
        ),
    ] = None
    sentinels: Annotated[
        Map[str, tuple[float, ...]],
        Meta(description='values that mean "no value", by field; `*` for all'),
    ] = {}
    only: Annotated[
        Map[Field, Scalar],
        Meta(
            description="only payloads with these values in these fields are read; "
            "so several sensors can share a topic"
        ),
    ] = {}
    text_numbers: Annotated[
        bool, Meta(description="text that is a number is taken as one")
    ] = False
    status: Annotated[
        StatusFields | None,
        Meta(description="fields in which the device says how it is"),
    ] = None


class Calibration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What counts are multiplied with from a time on; raw readings stay as they are."""

    since: Since
    factor: Annotated[float, Meta(ge=0.2, le=5)]
    #: half the width of the interval that contains it with 95 %
    uncertainty: Annotated[float, Meta(ge=0, le=5)] | None = None
    #: how it was found, such as a manual count
    source: Words = ""


class Installation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sensor's output attached to a channel for the period `[since, until)`."""

    site: Key
    channel: Key
    #: the output's name in the sensor's payloads
    output: Annotated[str, Meta(pattern=rf"^[^{CONTROLS}]{{1,64}}\Z")]
    since: Since
    until: Since | None = None
    #: for a foreign format; a native payload names outputs and classes itself
    mapping: Mapping | None = None
    #: of a counting sensor; each is valid until the next one begins
    calibrations: Annotated[tuple[Calibration, ...], Meta(max_length=50)] = ()


class Sensor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device, its payload format and the classes that it distinguishes."""

    key: Key
    name: Name
    model: Words = ""
    #: who owns it, where that is not the municipality
    owner: Words = ""
    #: serial number, or DevEUI
    serial: Words = ""
    firmware: Words = ""
    power: Literal["", "mains", "battery", "solar"] = ""
    status: Status = "active"
    payload_format: PayloadFormat = "native"
    #: its topic, if the format is foreign
    topic: TopicFilter | None = None
    profile: Profile = Profile()
    interval_s: Annotated[int, Meta(ge=1, le=86_400)]
    #: a key of `classes.SCHEMES`; None for an environment sensor
    class_scheme: str | None = None
    installations: tuple[Installation, ...] = ()


class Station(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A direction of a site, at its position on a corridor."""

    site: Key
    direction: str
    #: from the start of the corridor; rises in the direction of travel
    chainage_m: float


class Corridor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One direction of travel along a road; the way back is another corridor."""

    key: Key
    name: Name
    #: in the order of travel
    stations: Annotated[tuple[Station, ...], Meta(min_length=2)]


class Arm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A direction of a site that leads into or out of a junction."""

    site: Key
    direction: str
    leads: Literal["in", "out"]


class Junction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A junction at which all ways in and out are counted."""

    key: Key
    name: Name
    arms: Annotated[tuple[Arm, ...], Meta(min_length=2)]


class Town(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A municipality with its sites and sensors."""

    key: Key
    name: Name
    #: ISO 3166-2 code of the state without the country, e.g. RP
    state: str
    time_zone: str = DEFAULT_TIME_ZONE
    licence: Words = ""
    #: its sensors are simulated: every page, export and response states it
    simulated: bool = False
    #: addresses of imprint, privacy notice and contact, for its pages
    imprint: Link = ""
    privacy: Link = ""
    contact: Link = ""
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    sites: tuple[Site, ...]
    sensors: tuple[Sensor, ...]
    corridors: tuple[Corridor, ...] = ()
    junctions: tuple[Junction, ...] = ()
