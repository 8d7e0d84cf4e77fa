"""What the API answers with, as OpenAPI describes it."""

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from api.schemas.passports import Basis, Simulated


class Municipality(Simulated):
    """A municipality with sites that you may see."""

    key: str
    name: str
    state: str = Field(description="Bundesland, ISO 3166-2 without the country")
    time_zone: str
    licence: str = Field(description="of its data; empty where none is stated")
    latitude: float | None
    longitude: float | None
    imprint: str = Field(description="address; empty where none is registered")
    privacy: str = Field(description="address of its privacy notice, or empty")
    contact: str = Field(description="address of whom to ask, or empty")
    sites: int = Field(description="how many")


class Municipalities(BaseModel):
    """All municipalities."""

    municipalities: list[Municipality]


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
    status: Literal["planned", "active", "retired"]
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
    """All sites, or those of a municipality."""

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


class Case(Simulated):
    """Something unusual or broken."""

    anomaly_case_id: int
    municipality: str
    site: str
    site_name: str
    channel: str
    channel_name: str
    quantity: str
    direction: str
    direction_name: str
    detector: str
    began: datetime = Field(description="of all that was found together")
    ended: datetime
    found_began: datetime = Field(description="of the finding that names the case")
    found_ended: datetime
    observed: float | None = Field(description="by the finding that names the case")
    usual: float | None
    score: float = Field(description="how unlikely; greater is more unlikely")
    reason: str = Field(description="code of the reason, e.g. `above-usual`")
    severity: Literal["low", "medium", "high"]
    detectors: list[str] = Field(description="that found something of it")
    channels: int = Field(description="how many channels show it; `channel` leads")
    sites: int
    state: Literal["suspected", "confirmed", "explained", "rejected"]
    effect: Literal["exclude", "caveat", "keep"]
    open: bool
    current: bool = Field(description="open, and ended no more than a week ago")
    standing: Literal["current", "older", "history", "closed"] = Field(
        description="`history` is open, but had ended for more than a week when it was "
        "found: nobody has to look at it now"
    )
    opened_at: datetime
    updated_at: datetime
    withdrawn_at: datetime | None


class ColumnOfSeries(BaseModel):
    """What a column holds."""

    name: str
    unit: str | None = Field(description="`1` for a share")
    description: str


class PassportOfSeries(Basis):
    """Where the figures come from: shares of the period up to now."""

    observed: float | None = Field(ge=0, le=1)
    normalised: float | None = Field(ge=0, le=1)
    imputed: float | None = Field(ge=0, le=1)
    excluded: float | None = Field(ge=0, le=1)
    intervals_expected: int
    intervals_present: int
    open_cases: list[Case] = Field(description="those that touch the period")


class SiteOfSeries(Simulated):
    """Whose figures they are."""

    municipality: str
    key: str
    name: str
    time_zone: str
    licence: str


class Series(BaseModel):
    """Figures of a site, with their passport."""

    site: SiteOfSeries
    quantity: str
    direction: str | None
    from_: datetime = Field(serialization_alias="from")
    to: datetime
    bin: Literal["PT15M", "PT1H", "P1D"]
    columns: list[ColumnOfSeries]
    passport: PassportOfSeries
    rows: list[dict[str, Any]] = Field(description="null is unknown, never zero")


class ItemOutcome(BaseModel):
    """What became of one message of a request."""

    index: int = Field(description="its place in the request, from 0")
    status: Literal["accepted", "partly-accepted", "rejected"] = Field(
        description="accepted is published; of what is partly accepted some readings "
        "cannot be used; rejected is not published"
    )
    reason: str | None = Field(None, description="code of the reason")
    detail: dict[str, str] | None = Field(None, description="by language: de, en")


class Intake(BaseModel):
    """What became of the messages of a request."""

    accepted: int = Field(description="messages published, wholly or partly usable")
    rejected: int
    items: list[ItemOutcome]


class LedgerSums(BaseModel):
    """Messages and readings by what became of them."""

    messages_received: int
    messages_accepted: int
    messages_partly_accepted: int
    messages_rejected: int
    messages_unknown_sensor: int
    readings_received: int
    readings_stored: int
    readings_duplicate: int
    readings_corrected: int
    readings_rejected: int
    readings_expected: int = Field(
        description="of all outputs while they were installed, up to now"
    )
    readings_late: int = Field(
        description="of those stored, duplicate or corrected: older than a day when "
        "they came, or what the operator sets"
    )
    readings_overlapping: int = Field(
        description="of those stored, duplicate or corrected: shared more than 5 % of "
        "their time with others of their channel when they came; no second counts twice"
    )
    sequence_lost: int = Field(
        description="messages that sequence numbers say were sent and did not come; "
        "negative where more came late than were missed"
    )


class LedgerRow(LedgerSums):
    """What a sensor's messages of an hour became."""

    municipality: str | None = Field(description="null for no known sensor")
    sensor: str | None
    hour: datetime = Field(description="of reception, UTC")
    last_received_at: datetime | None = Field(description="null where nothing came")
    rejects: dict[str, int] = Field(
        description="messages rejected, partly accepted or of nobody known, by reason"
    )
    fields_dropped: dict[str, int] = Field(
        description="fields left out of readings that are stored without them, such as "
        "a speed of -1, by name and what was wrong: below, above or wrong"
    )


class Balance(BaseModel):
    """Received minus what became of it: zero where nothing was lost."""

    messages: int
    readings: int


class Ledger(BaseModel):
    """The ledger of a period."""

    from_: datetime = Field(serialization_alias="from")
    to: datetime
    sums: LedgerSums
    balance: Balance
    rows: list[LedgerRow]


class RejectsOfReason(BaseModel):
    """Messages rejected for one reason."""

    reason: str
    meaning: dict[str, str] = Field(description="by language: de, en")
    messages: int
    kept: int = Field(description="the others are only counted: there was no room")
    readings: int = Field(description="in them that could not be used")


class Rejects(BaseModel):
    """Rejected messages of a period."""

    from_: datetime = Field(serialization_alias="from")
    to: datetime
    reasons: list[RejectsOfReason]


class Check(BaseModel):
    """The state of one part."""

    status: Literal["pass", "warn", "fail"]
    output: str | None = None
    observed_value: float | None = Field(None, serialization_alias="observedValue")
    observed_unit: str | None = Field(None, serialization_alias="observedUnit")


class Health(BaseModel):
    """Health of the service (draft-inadarei-api-health-check)."""

    status: Literal["pass", "warn", "fail"]
    checks: dict[str, list[Check]] | None = None


#: Models of answers that routes write themselves; OpenAPI refers to them by name.
WRITTEN_BY_HAND: Final = (SiteFeatures, Series, Health)
