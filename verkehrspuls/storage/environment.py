"""Values of environment quantities.

Times are aware UTC and periods half-open `[start, end)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Unpack

import polars as pl

from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage.asked import Trusted
from verkehrspuls.storage.database import (
    Connection,
    FrameSource,
    read_frame,
    read_records,
)


def read_environment(source: FrameSource, **asked: Unpack[Trusted]) -> pl.DataFrame:
    """Read hourly means of an environment quantity, with their extremes."""
    return read_frame(source, "read_environment", **{"trusted": False, **asked})


def read_long_environment(
    source: FrameSource, **asked: Unpack[Trusted]
) -> pl.DataFrame:
    """Read values of an environment quantity over intervals above an hour.

    Those that began in the period and that no person excluded.
    """
    return read_frame(source, "read_long_environment", **{"trusted": False, **asked})


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
    )


def read_latest_air(
    source: FrameSource,
    quantities: Sequence[str],
    *,
    now: datetime | None = None,
) -> pl.DataFrame:
    """Read the newest hour of each station in which some of the quantities are known.

    Sites that also count are not among them. `now` as in `read_latest`.
    """
    return read_frame(
        source,
        "read_latest_air",
        quantities=list(quantities),
        now=now,
        counted=list(COUNTED),
    )
