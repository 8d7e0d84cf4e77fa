"""Common parts of responses."""

from typing import Annotated, TypeVar

import polars as pl
from pydantic import BaseModel, BeforeValidator, Field

Row = TypeVar("Row")

#: rows of an answer; a route gives the frame
Rows = Annotated[list[Row], BeforeValidator(pl.DataFrame.to_dicts)]


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
