"""Response of `/municipalities`."""

from pydantic import BaseModel, Field

from api.schemas.common import Simulated


class Municipality(Simulated):
    """A municipality with sites visible to you."""

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
