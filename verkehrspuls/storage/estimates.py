"""Imputed hours and forecasts, as pages and API read them.

Times are aware UTC and periods half-open `[start, end)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from verkehrspuls.storage.database import Connection, read_frame, read_records
from verkehrspuls.storage.visibility import PUBLIC


def read_imputed(
    url: str,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
    direction: str | None = None,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read imputed hours per direction, summed over lanes; see `read_volumes`.

    `imputed` is their share of the hour, over all lanes, `volume_imputed` what is
    estimated for that share, with bounds; `imputed_by` names the methods.
    """
    return read_frame(
        url,
        "read_imputed",
        site_id=site_id,
        quantity=quantity,
        start=start,
        end=end,
        direction=direction,
        visible=list(visible),
    )


def read_forecast(
    url: str,
    *,
    site_id: int,
    quantity: str,
    direction: str = "all",
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read the newest forecasts: the next hour by quarters, the next day by hours.

    Volumes per interval with the bounds between which nine of ten lie.
    """
    return read_frame(
        url,
        "read_forecast",
        site_id=site_id,
        quantity=quantity,
        direction=direction,
        visible=list(visible),
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
    visible: Sequence[str] = PUBLIC,
) -> list[ForecastError]:
    """Return what the forecasts of the last weeks missed by, for each kept lead."""
    return read_records(
        connection,
        ForecastError,
        "read_forecast_errors",
        site_id=site_id,
        quantity=quantity,
        direction=direction,
        visible=list(visible),
    )
