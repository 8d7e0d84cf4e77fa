"""Imputed hours and forecasts, as pages and API read them.

Times are aware UTC and periods half-open `[start, end)`.
"""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from verkehrspuls.storage.database import Connection, Row, execute, read_frame
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


def list_forecast_errors(
    connection: Connection,
    *,
    site_id: int,
    quantity: str,
    direction: str = "all",
    visible: Sequence[str] = PUBLIC,
) -> list[Row]:
    """Tell what the forecasts of the last weeks missed by, for each kept lead."""
    return execute(
        connection,
        "read_forecast_errors",
        site_id=site_id,
        quantity=quantity,
        direction=direction,
        visible=list(visible),
    ).fetchall()
