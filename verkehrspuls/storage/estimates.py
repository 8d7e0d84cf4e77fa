"""Imputed hours and forecasts, as pages and API read them.

Times are aware UTC and periods half-open `[start, end)`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Unpack

import polars as pl

from verkehrspuls.storage.asked import OfSite
from verkehrspuls.storage.database import (
    Connection,
    FrameSource,
    read_frame,
    read_records,
)


def read_imputed(
    source: FrameSource, *, direction: str | None = None, **asked: Unpack[OfSite]
) -> pl.DataFrame:
    """Read imputed hours per direction, summed over lanes; see `read_volumes`.

    `imputed` is their share of the hour, over all lanes, `volume_imputed` what is
    estimated for that share, with bounds; `imputed_by` names the methods.
    """
    return read_frame(source, "read_imputed", direction=direction, **asked)


def read_forecast(
    source: FrameSource,
    *,
    site_id: int,
    quantity: str,
    direction: str = "all",
) -> pl.DataFrame:
    """Read the newest forecasts: the next hour by quarters, the next day by hours.

    Volumes per interval with the bounds between which nine of ten lie.
    """
    return read_frame(
        source,
        "read_forecast",
        site_id=site_id,
        quantity=quantity,
        direction=direction,
    )


@dataclass(frozen=True, slots=True)
class ForecastError:
    """What the kept forecasts of a length and a lead missed by."""

    interval_s: int
    lead_s: int
    #: begin of the first interval
    since: datetime
    #: intervals that were compared with what came
    compared: int
    #: sum of what they missed over the sum of what came
    wape: float | None
    #: share of what came that lay within the bounds
    coverage: float


def list_forecast_errors(
    connection: Connection,
    *,
    site_id: int,
    quantity: str,
    direction: str = "all",
) -> list[ForecastError]:
    """Return what the forecasts of the last weeks missed by, for each kept lead."""
    return read_records(
        connection,
        ForecastError,
        "read_forecast_errors",
        site_id=site_id,
        quantity=quantity,
        direction=direction,
    )
