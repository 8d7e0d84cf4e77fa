"""The report of a forecast: coming volumes of a site, and errors of earlier ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from analytics.reports.extracts import ALL, check_direction, quantity_of
from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage.estimates import (
    ForecastError,
    list_forecast_errors,
    read_forecast,
)
from verkehrspuls.storage.reader import Reader
from verkehrspuls.storage.sites import Site, read_site


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The newest forecast of a site, quantity and direction, and earlier errors."""

    site: Site
    quantity: str
    direction: str
    #: see `estimates.read_forecast`
    intervals: pl.DataFrame
    errors: Sequence[ForecastError]


def report_forecast(
    reader: Reader,
    municipality: str,
    site: str,
    *,
    quantity: str | None,
    direction: str = ALL,
) -> Report:
    """Read the newest forecast; the default is the site's first counted quantity."""
    with reader.connection() as connection:
        found = read_site(connection, municipality, site)
        counted = quantity_of(found, asked=quantity, among=COUNTED)
        check_direction(found, counted, direction)
        chosen: dict[str, Any] = {
            "site_id": found.site_id,
            "quantity": counted,
            "direction": direction,
        }
        errors = list_forecast_errors(connection, **chosen)
    with reader.frames() as source:
        intervals = read_forecast(source, **chosen)
    return Report(
        site=found,
        quantity=counted,
        direction=direction,
        intervals=intervals,
        errors=errors,
    )
