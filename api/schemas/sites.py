"""Responses of `/sites`."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from api.schemas.common import Simulated
from verkehrspuls.model import Status


class Channel(BaseModel):
    """One stream measured at a site."""

    key: str
    name: str
    quantity: str
    direction: str = Field(description="empty where there is none")
    direction_name: str
    lane: int | None
    thresholds: dict[str, float] = Field(
        description="values that matter, by name: stages of a gauge"
    )


class Site(Simulated):
    """A place where something is measured."""

    key: str
    name: str
    municipality: str
    municipality_name: str
    road: str
    place: str
    latitude: float | None
    longitude: float | None
    speed_limit_kmh: int | None
    status: Status
    state: str
    time_zone: str
    licence: str
    channels: list[Channel]
    last_received_at: datetime | None = Field(
        description="when the newest message of any of its sensors came"
    )
    newest_reading_at: datetime | None = Field(
        description="when its newest reading was measured, whenever it came"
    )


class Sites(BaseModel):
    """All sites, or those of a municipality, or a part of them."""

    total: int = Field(description="how many there are, beside `limit` and `skip`")
    sites: list[Site]


class Installation(BaseModel):
    """A sensor's output attached to a channel of the site for a period."""

    key: str = Field(description="of the sensor")
    name: str
    model: str
    interval_s: int
    class_scheme: str | None = Field(description="which classes it tells apart")
    state: Literal["online", "offline", "unknown"]
    output: str
    channel: str
    since: datetime | None
    until: datetime | None = Field(description="null while it lasts")
    last_received_at: datetime | None = Field(
        description="when the newest message came"
    )
    newest_reading_at: datetime | None = Field(
        description="when the newest reading was measured"
    )


class SiteDetail(Site):
    """A site with its sensors."""

    sensors: list[Installation]


class Point(BaseModel):
    """Longitude and latitude, WGS 84."""

    type: Literal["Point"]
    coordinates: tuple[float, float]


class SiteFeature(BaseModel):
    """A site on the map."""

    type: Literal["Feature"]
    id: str
    geometry: Point | None = Field(description="null where no coordinates are known")
    properties: dict[str, Any]


class SiteFeatures(BaseModel):
    """Sites as GeoJSON (RFC 7946)."""

    type: Literal["FeatureCollection"]
    features: list[SiteFeature]
