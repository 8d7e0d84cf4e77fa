"""Common beginnings of responses."""

from pydantic import BaseModel, Field


class Simulated(BaseModel):
    """Whether the data is of a real or a simulated town."""

    simulated: bool = Field(
        description="the data comes from simulated sensors, nothing of it was measured"
    )


class SiteOfSeries(Simulated):
    """The site of the figures."""

    municipality: str
    key: str
    name: str
    time_zone: str
    licence: str
