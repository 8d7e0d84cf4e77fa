"""Responses of the routes of `api.routes.sections`."""

from datetime import date, datetime
from typing import Generic, TypeVar

from pydantic import BaseModel, Field

from api.schemas.common import Rows, Simulated
from api.schemas.passports import WITHOUT_SUSPECTED, PassportOfFigure


class Station(BaseModel):
    """A direction of a site, at its position on a corridor."""

    station: int
    site: str
    site_name: str
    direction: str
    chainage_m: float = Field(description="rises in the direction of travel")


class Corridor(Simulated):
    """One direction of travel along a road."""

    municipality: str
    key: str
    name: str
    stations: list[Station]


class Corridors(BaseModel):
    """Corridors by municipality and key."""

    corridors: list[Corridor]


class Arm(BaseModel):
    """A way into or out of a junction."""

    site: str
    site_name: str
    direction: str
    leads: str


class Junction(Simulated):
    """A junction at which all ways in and out are counted."""

    municipality: str
    key: str
    name: str
    arms: list[Arm]


class Junctions(BaseModel):
    """Junctions by municipality and key."""

    junctions: list[Junction]


class Figures(BaseModel):
    """Figures of a corridor in a period, with their basis."""

    passport: PassportOfFigure = Field(
        description="observed: share of the stations' intervals with a speed"
    )


FiguresOf = TypeVar("FiguresOf", bound=BaseModel)


class OfPeriod(Simulated, Generic[FiguresOf]):
    """A period of a corridor or junction."""

    from_: datetime = Field(serialization_alias="from")
    to: datetime
    without_suspected: FiguresOf | None = Field(description=WITHOUT_SUSPECTED)


class Answer(OfPeriod[FiguresOf], Generic[FiguresOf]):
    """A period of a corridor."""

    corridor: str


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
    """Distance, time and delay on a section."""

    section: int
    intervals: int
    vehicle_km: float
    vehicle_h: float
    delay_h: float
    travel_time_index: float | None


class TravelTimesFigures(Figures):
    """Travel times, and delays of sections."""

    free_speeds: Rows[FreeSpeed]
    corridor_intervals: Rows[CorridorInterval]
    delays: Rows[SectionDelay]


class TravelTimes(Answer[TravelTimesFigures], TravelTimesFigures):
    """Travel times of a corridor, and delays of its sections."""


class ReliabilityAt(BaseModel):
    """A time of day over many days."""

    minute: int = Field(description="local, after midnight")
    days: int
    mean_s: float | None
    median_s: float | None
    lower_s: float | None = Field(description="15 of 100 days are faster")
    upper_s: float | None = Field(description="85 of 100 days are as fast or faster")
    p95_s: float | None = Field(
        description="95 of 100 days are as fast or faster: the time of one of the days"
    )
    travel_time_index: float | None = Field(description="mean / free")
    median_index: float | None = Field(description="median / free")
    buffer_index: float | None = Field(
        description="(95th percentile - median) / median"
    )
    planning_time_index: float | None = Field(description="95th percentile / free")
    misery_index: float | None = Field(description="mean of the worst fifth / free")
    outlier_s: float | None = Field(
        description="of a day that took far longer than all others"
    )
    outlier_day: date | None


class ReliabilityFigures(Figures):
    """Reliability of the travel time, by time of day."""

    reliability: Rows[ReliabilityAt]


class Reliability(Answer[ReliabilityFigures], ReliabilityFigures):
    """Reliability of a corridor's travel time on workdays."""

    days_required: int
    days_required_p95: int = Field(
        description="for the 95th percentile, and what is made of it"
    )


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


class BottlenecksFigures(Figures):
    """Sustained bottlenecks."""

    bottlenecks: Rows[Bottleneck]


class Bottlenecks(Answer[BottlenecksFigures], BottlenecksFigures):
    """Sustained bottlenecks of a corridor."""


class FieldCell(BaseModel):
    """A cell of the speed field."""

    time: datetime
    chainage_m: float
    speed_kmh: float | None


class SpeedFieldFigures(Figures):
    """Cells of a speed field."""

    cells: Rows[FieldCell]


class SpeedField(Answer[SpeedFieldFigures], SpeedFieldFigures):
    """Speed in space and time."""

    step_m: float


class Balance(BaseModel):
    """Entering and leaving traffic."""

    balance: str
    intervals: int
    entered: float
    left: float
    bias: float | None
    low: float | None
    high: float | None


class Residual(BaseModel):
    """Traffic that entered and did not leave within an interval."""

    balance: str
    time: datetime
    entered: float
    left: float
    residual: float
    z: float


class BalanceFigures(BaseModel):
    """Entering and leaving traffic, and the hours with differences."""

    balances: Rows[Balance]
    passport: PassportOfFigure = Field(
        description="observed: share of the hours in which all places are known"
    )
    residuals: Rows[Residual] = Field(description="hours with |z| above 5")


class Balances(OfPeriod[BalanceFigures], BalanceFigures):
    """Conservation of flow along a road, or at a junction."""
