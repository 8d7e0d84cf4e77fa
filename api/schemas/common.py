"""What answers of several resources begin with."""

from pydantic import BaseModel, Field


class Simulated(BaseModel):
    """Whose data it is: that of a town that measures, or of one that is made up."""

    simulated: bool = Field(
        description="the data comes from simulated sensors, nothing of it was measured"
    )


class SiteOfSeries(Simulated):
    """Whose figures they are."""

    municipality: str
    key: str
    name: str
    time_zone: str
    licence: str
