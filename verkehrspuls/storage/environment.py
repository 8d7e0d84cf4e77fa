"""Values of environment quantities.

Times are aware UTC and periods half-open `[start, end)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage.database import Connection, read_frame, read_records
from verkehrspuls.storage.visibility import PUBLIC


def read_environment(
    url: str,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
    trusted: bool = False,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read hourly means of an environment quantity, with their extremes."""
    return read_frame(
        url,
        "read_environment",
        site_id=site_id,
        quantity=quantity,
        start=start,
        end=end,
        trusted=trusted,
        visible=list(visible),
    )


def read_long_environment(
    url: str,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
    trusted: bool = False,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read values of an environment quantity over intervals above an hour.

    Those that began in the period and that no person excluded; `trusted` as in
    `read_volumes`.
    """
    return read_frame(
        url,
        "read_long_environment",
        site_id=site_id,
        quantity=quantity,
        start=start,
        end=end,
        trusted=trusted,
        visible=list(visible),
    )


@dataclass(frozen=True, slots=True)
class LatestValue:
    """The newest value of an environment quantity at a site."""

    site_id: int
    quantity: str
    time: datetime
    interval_s: int
    mean: float


def list_latest_values(
    connection: Connection,
    *,
    now: datetime | None = None,
    visible: Sequence[str] = PUBLIC,
) -> list[LatestValue]:
    """List the newest whole hour of each environment quantity of stations and gauges.

    Where only longer intervals come, the newest of these. Sites that also count are
    not among them. `now` as in `read_latest`.
    """
    return read_records(
        connection,
        LatestValue,
        "read_latest_values",
        now=now,
        counted=list(COUNTED),
        visible=list(visible),
    )


def read_latest_air(
    url: str,
    quantities: Sequence[str],
    *,
    now: datetime | None = None,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read the newest hour of each station in which some of the quantities are known.

    Sites that also count are not among them. `now` as in `read_latest`.
    """
    return read_frame(
        url,
        "read_latest_air",
        quantities=list(quantities),
        now=now,
        counted=list(COUNTED),
        visible=list(visible),
    )
