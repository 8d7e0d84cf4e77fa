"""Responses of the routes of `api.routes.environment`."""

from datetime import date, datetime
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, Field

from api.schemas.common import Rows, Simulated
from api.schemas.passports import WITHOUT_SUSPECTED, PassportOfFigure

_INDICATIVE = (
    "values of these sensors are indicative (orientierend): a comparison says where to "
    "measure, not whether a limit is met"
)


class Figures(BaseModel):
    """Figures of a site in a period, with their basis."""

    passport: dict[str, PassportOfFigure] = Field(description="by quantity")


FiguresOf = TypeVar("FiguresOf", bound=Figures)


class Answer(Simulated, Generic[FiguresOf]):
    """A period of a site."""

    municipality: str
    site: str
    from_: datetime = Field(serialization_alias="from")
    to: datetime
    without_suspected: FiguresOf | None = Field(description=WITHOUT_SUSPECTED)


class IndexHour(BaseModel):
    """An hour of an air quality index."""

    time: datetime
    level: int = Field(description="counts the classes from 0, the best")
    decides: str = Field(description="the quantity that the level is from")
    missing: list[str] = Field(description="quantities without a value")


class AirIndex(BaseModel):
    """An air quality index with its version and its hours."""

    key: str
    name: str
    classes: list[str]
    source: str
    hours: Rows[IndexHour]


class Compared(BaseModel):
    """A calendar year of a channel compared with a value of a standard."""

    channel: str
    quantity: str
    year: int
    standard: str
    group: Literal["in-force", "coming", "recommended"] = Field(
        description="what the standard is in that year: it holds, it comes later, or "
        "it is a recommendation"
    )
    kind: Literal["limit", "target", "information", "alert", "guideline"]
    average: Literal["hour", "day", "max_8h", "year"]
    value: float = Field(description="µg/m³")
    allowed: int
    exceeded: int
    judged: int = Field(description="averages that there are")
    capture: float = Field(description="their share of all of the year")
    greatest: float | None
    met: bool | None = Field(description="null: too little was observed to tell")


class CorrectedHour(BaseModel):
    """Particulate matter with and without the effect of humidity."""

    channel: str
    quantity: str
    time: datetime
    measured: float
    corrected: float
    humidity: float
    beyond: bool = Field(description="more humid than the correction holds for")


class Corrected(BaseModel):
    """Corrected values, with the parameters of the correction."""

    method: str
    kappa: float
    density: float
    limit_pct: float
    hours: Rows[CorrectedHour]


class AirFigures(Figures):
    """Index, comparison with limits, correction for humidity."""

    index: AirIndex
    comparison: Rows[Compared]
    corrected: Corrected


class Air(Answer[AirFigures], AirFigures):
    """Air quality: index, comparison with limits, correction for humidity."""

    status: Literal["indicative"] = Field("indicative", description=_INDICATIVE)
    standards: dict[str, str] = Field(description="where each standard is written")


class NoiseDay(BaseModel):
    """Levels of the 24 hours from 6 o'clock on, in dB(A)."""

    channel: str
    day: date
    lday: float | None
    levening: float | None
    lnight: float | None
    lden: float | None


class NoiseLevels(BaseModel):
    """Levels over all days of the period, averaged by energy."""

    channel: str
    lday: float | None
    levening: float | None
    lnight: float | None
    lden: float | None
    days_lday: int
    days_levening: int
    days_lnight: int
    days_lden: int


class EmissionHour(BaseModel):
    """Emission of traffic and measured level, in dB(A)."""

    time: datetime
    emitted: float
    measured: float
    residual: float


class Emission(BaseModel):
    """Traffic's emission beside the measured level; empty without motor traffic."""

    method: str
    attenuation_db: float | None = Field(
        description="median of emitted minus measured level"
    )
    hours: Rows[EmissionHour]


class NoiseFigures(Figures):
    """Levels of days and of the period, and the part explained by traffic."""

    days: Rows[NoiseDay]
    levels: Rows[NoiseLevels]
    emission: Emission


class Noise(Answer[NoiseFigures], NoiseFigures):
    """Noise: levels of days, of the period, and the part explained by traffic."""

    status: Literal["indicative"] = Field(
        "indicative",
        description="a measured level is not the calculated one that limits are about",
    )


class WindCell(BaseModel):
    """Hours of one sector and class of speed."""

    sector: int | None = Field(description="clockwise from north; null is calm")
    speed_class: int | None
    hours: int
    share: float
    mean: float | None = Field(description="of the quantity that was asked for")


class WindFigures(Figures):
    """Hours by sector and speed."""

    rose: Rows[WindCell]


class Wind(Answer[WindFigures], WindFigures):
    """Wind rose."""

    sectors: int
    calm_ms: float
    classes_ms: list[float] = Field(description="upper ends of the classes of speed")
    quantity: str | None


class Crossing(BaseModel):
    """When a water level reached or left a threshold."""

    time: datetime
    threshold: str
    value: float
    level: float
    reached: bool


class WaterLevel(BaseModel):
    """A gauge: its level, and crossed thresholds."""

    channel: str
    thresholds: dict[str, float]
    time: datetime | None
    level: float | None = Field(description="cm")
    cm_per_h: float | None = Field(description="trend of the last three hours")
    reached: str | None = Field(description="the highest threshold that is reached")
    crossings: Rows[Crossing]


class WaterFigures(Figures):
    """Levels of gauges."""

    gauges: list[WaterLevel]


class WaterLevels(Answer[WaterFigures], WaterFigures):
    """Gauges of a site."""


class ClassMean(BaseModel):
    """Mean of the quantity in a class of a possible cause."""

    lowest: float
    greatest: float
    hours: int
    days: int
    mean: float
    low: float | None = Field(description="95 % interval, from days")
    high: float | None


class Effect(BaseModel):
    """Effect of one more unit of a term, all other terms equal."""

    term: str
    value: float
    low: float
    high: float


class DependenceFigures(Figures):
    """Dependence of a quantity on flow, speed and wind."""

    hours: int
    mean: float | None
    by: dict[str, Rows[ClassMean]] = Field(
        description="by flow (veh/h), speed (km/h), wind (m/s)"
    )
    effects: list[Effect] = Field(
        description="least squares with a constant; an association is no cause"
    )


class Dependence(Answer[DependenceFigures], DependenceFigures):
    """Dependence of a quantity, or its increment over a background, on traffic."""

    quantity: str
    background: str | None = Field(description="site whose values were subtracted")
