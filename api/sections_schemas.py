"""What the routes of `api.routes.sections` answer."""

from datetime import datetime

from pydantic import BaseModel, Field

from api.passports import PassportOfFigure


class Station(BaseModel):
    """A direction of a site, at its place along a corridor."""

    station: int
    site: str
    site_name: str
    direction: str
    chainage_m: float = Field(description="rises in the direction of travel")


class Corridor(BaseModel):
    """One direction of travel along a road."""

    municipality: str
    key: str
    name: str
    stations: list[Station]


class Corridors(BaseModel):
    """Corridors by municipality and key."""

    corridors: list[Corridor]


class Arm(BaseModel):
    """A way into a junction, or out of it."""

    site: str
    site_name: str
    direction: str
    leads: str


class Junction(BaseModel):
    """Where all ways in and out are counted."""

    municipality: str
    key: str
    name: str
    arms: list[Arm]


class Junctions(BaseModel):
    """Junctions by municipality and key."""

    junctions: list[Junction]


class Answer(BaseModel):
    """A period of a corridor."""

    corridor: str
    from_: datetime = Field(serialization_alias="from")
    to: datetime
    passport: PassportOfFigure = Field(
        description="observed: share of the stations' intervals with a speed"
    )


class FreeSpeed(BaseModel):
    """Speed of free traffic at a station."""

    station: int
    chainage_m: float
    free_kmh: float


class CorridorInterval(BaseModel):
    """Travel time of a whole corridor at one moment."""

    time: datetime
    length_m: float | None
    travel_s: float | None = Field(description="null where a section is not known")
    free_s: float | None
    speed_kmh: float | None
    sections_known: int
    sections: int


class SectionDelay(BaseModel):
    """What was driven, spent and lost on a section."""

    section: int
    intervals: int
    vehicle_km: float
    vehicle_h: float
    delay_h: float
    travel_time_index: float | None


class TravelTimes(Answer):
    """Travel times of a corridor, and delays of its sections."""

    free_speeds: list[FreeSpeed]
    corridor_intervals: list[CorridorInterval]
    delays: list[SectionDelay]


class ReliabilityAt(BaseModel):
    """A time of day over many days."""

    minute: int = Field(description="local, after midnight")
    days: int
    mean_s: float | None
    p95_s: float | None
    travel_time_index: float | None
    buffer_index: float | None
    planning_time_index: float | None
    misery_index: float | None


class Reliability(Answer):
    """How reliable the travel time of a corridor is on workdays."""

    days_required: int
    reliability: list[ReliabilityAt]


class Bottleneck(BaseModel):
    """Where slow traffic becomes free again."""

    station: int
    chainage_m: float
    began: datetime
    ended: datetime
    active: int
    slowest_kmh: float
    extent_m: float
    delay_h: float | None


class Bottlenecks(Answer):
    """Sustained bottlenecks of a corridor."""

    bottlenecks: list[Bottleneck]


class FieldCell(BaseModel):
    """A cell of the speed field."""

    time: datetime
    chainage_m: float
    speed_kmh: float | None


class SpeedField(Answer):
    """Speed in space and time."""

    step_m: float
    cells: list[FieldCell]


class Balance(BaseModel):
    """What entered and what left."""

    balance: str
    intervals: int
    entered: float
    left: float
    bias: float | None
    low: float | None
    high: float | None


class Residual(BaseModel):
    """What entered and did not leave within an interval."""

    balance: str
    time: datetime
    entered: float
    left: float
    residual: float
    z: float


class Balances(BaseModel):
    """Conservation of flow along a road, or at a junction."""

    from_: datetime = Field(serialization_alias="from")
    to: datetime
    balances: list[Balance]
    passport: PassportOfFigure = Field(
        description="observed: share of the hours in which all places are known"
    )
    residuals: list[Residual] = Field(description="hours with |z| above 5")
