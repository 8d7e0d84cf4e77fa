"""The registry's records: who measures what, where, with which sensor.

A `Town` is what a registration file (TOML) holds and what is registered as a whole.
Keys match `[a-z0-9-]{1,64}` and are unique within the municipality.
"""

from datetime import datetime
from typing import Annotated, NewType

from msgspec import Meta, Struct

MunicipalityId = NewType("MunicipalityId", int)
SiteId = NewType("SiteId", int)
ChannelId = NewType("ChannelId", int)
SensorId = NewType("SensorId", int)

Key = Annotated[str, Meta(pattern="^[a-z0-9-]{1,64}$")]
Latitude = Annotated[float, Meta(ge=-90, le=90)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]


class Channel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One stream measured at a site: a lane in a direction, or one quantity."""

    key: Key
    name: str
    #: a key of `quantities.QUANTITIES`
    quantity: str
    #: key of the direction, e.g. `in`; empty where there is none
    direction: str = ""
    #: the direction's name to show, e.g. "Richtung Innenstadt"
    direction_name: str = ""
    lane: int | None = None


class Site(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place where something is measured; coordinates (WGS 84) where known."""

    key: Key
    name: str
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    road: str = ""
    place: str = ""
    speed_limit_kmh: int | None = None
    visibility: str = "public"
    channels: tuple[Channel, ...]


class Installation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sensor's output attached to a channel for the period `[since, until)`."""

    site: Key
    channel: Key
    #: the output's name in the sensor's payloads
    output: str
    since: datetime
    until: datetime | None = None


class Sensor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device, the payload format it speaks and what it can tell apart."""

    key: Key
    name: str
    model: str = ""
    payload_format: str = "native"
    interval_s: int
    #: a key of `classes.SCHEMES`; None for an environment sensor
    class_scheme: str | None = None
    installations: tuple[Installation, ...]


class Town(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A municipality with its sites and sensors."""

    key: Key
    name: str
    #: ISO 3166-2 code of the state without the country, e.g. RP
    state: str
    time_zone: str = "Europe/Berlin"
    licence: str = ""
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    sites: tuple[Site, ...]
    sensors: tuple[Sensor, ...]
