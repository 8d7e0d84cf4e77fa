"""Volumes: what was counted, per interval.

Times are aware UTC and periods half-open `[start, end)`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import polars as pl

from verkehrspuls.storage.database import FrameSource, read_frame


def read_volumes(
    source: FrameSource,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
    interval_s: Literal[900, 3600],
    direction: str | None = None,
    together: bool = False,
    trusted: bool = False,
) -> pl.DataFrame:
    """Read volumes per interval and direction, summed over lanes.

    Only intervals with data have a row. `observed` is the share of the interval, over
    all lanes; `volume` is what was counted, not scaled up. `direction`: one key, `all`
    for the cross-section, None for each direction, with `together` the cross-section
    (direction `all`) beside them. `trusted` leaves out what is suspected to be of a
    sensor's fault (`suspected`), as if a person had excluded it.
    """
    return read_frame(
        source,
        "read_volumes",
        site_id=site_id,
        quantity=quantity,
        start=start,
        end=end,
        interval_s=interval_s,
        direction=direction,
        together=together,
        trusted=trusted,
    )


def read_flows(
    source: FrameSource,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
    interval_s: Literal[900, 3600],
    direction: str | None = None,
    together: bool = False,
    usual: bool = False,
    trusted: bool = False,
) -> pl.DataFrame:
    """Read the same as `read_volumes`, without classes and speeds.

    What is usual is null unless it is asked for.
    """
    found = read_frame(
        source,
        "read_flows",
        site_id=site_id,
        quantity=quantity,
        start=start,
        end=end,
        interval_s=interval_s,
        direction=direction,
        together=together,
        usual=usual,
        trusted=trusted,
    )
    return found.sort("time", "direction")


def read_class_sums(
    source: FrameSource,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
    trusted: bool = False,
) -> pl.DataFrame:
    """Sum hours of the cross-section by class: a row for those that know the same."""
    return read_frame(
        source,
        "read_class_sums",
        site_id=site_id,
        quantity=quantity,
        start=start,
        end=end,
        interval_s=3600,
        direction="all",
        together=False,
        trusted=trusted,
    )


def read_volumes_of_sites(
    source: FrameSource,
    *,
    site_ids: Sequence[int],
    start: datetime,
    end: datetime,
    interval_s: Literal[900, 3600],
    trusted: bool = False,
) -> pl.DataFrame:
    """Read volumes of motor vehicles of several sites, like `read_volumes` of one."""
    return read_frame(
        source,
        "read_volumes_of_sites",
        site_ids=list(site_ids),
        start=start,
        end=end,
        interval_s=interval_s,
        trusted=trusted,
    )


def read_channel_volumes(
    source: FrameSource,
    *,
    site_id: int,
    quantity: str,
    spans: Sequence[tuple[datetime, datetime]],
) -> pl.DataFrame:
    """Read quarter-hours and hours of the channels of a site in spans, as computed."""
    return read_frame(
        source,
        "read_channel_volumes",
        site_id=site_id,
        quantity=quantity,
        since=[since for since, _ in spans],
        until=[until for _, until in spans],
    )


def read_long_volumes(
    source: FrameSource,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
) -> pl.DataFrame:
    """Read counts of a site's channels over intervals above an hour, by their start."""
    return read_frame(
        source,
        "read_long_volumes",
        site_id=site_id,
        quantity=quantity,
        start=start,
        end=end,
    )


def read_counts_known_at(
    source: FrameSource,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
    known_at: datetime,
) -> pl.DataFrame:
    """Read count readings in the versions that were known at an earlier time."""
    return read_frame(
        source,
        "read_counts_known_at",
        site_id=site_id,
        quantity=quantity,
        start=start,
        end=end,
        known_at=known_at,
    )


def read_latest(source: FrameSource, *, now: datetime | None = None) -> pl.DataFrame:
    """Read the newest whole hour of each site and counted quantity.

    `now` is the database's clock where it is None.
    """
    return read_frame(source, "read_latest", now=now)
