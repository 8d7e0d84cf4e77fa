"""Volumes: what was counted, per interval.

Times are aware UTC and periods half-open `[start, end)`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, Unpack

import polars as pl

from verkehrspuls.calibrations import Calibrated
from verkehrspuls.storage.asked import Binned, OfSite, Trusted
from verkehrspuls.storage.by_place import Place, read_by_site
from verkehrspuls.storage.database import Connection, FrameSource, read_frame

#: what is not asked for
_PLAIN: Final = {"direction": None, "together": False, "trusted": False}


def read_volumes(source: FrameSource, **asked: Unpack[Binned]) -> pl.DataFrame:
    """Read volumes per interval and direction, summed over lanes.

    Only intervals with data have a row. `observed` is the share of the interval, over
    all lanes; `volume` is what was counted, not scaled up.
    """
    return read_frame(source, "read_volumes", **{**_PLAIN, **asked})


def read_flows(
    source: FrameSource, *, usual: bool = False, **asked: Unpack[Binned]
) -> pl.DataFrame:
    """Read the same as `read_volumes`, without classes and speeds.

    What is usual is null unless it is asked for.
    """
    found = read_frame(source, "read_flows", usual=usual, **{**_PLAIN, **asked})
    return found.sort("time", "direction")


def read_class_sums(source: FrameSource, **asked: Unpack[Trusted]) -> pl.DataFrame:
    """Sum hours of the cross-section by class: a row for those that know the same."""
    of_all = {"interval_s": 3600, "direction": "all"}
    return read_frame(source, "read_class_sums", **{**_PLAIN, **of_all, **asked})


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


def read_long_volumes(source: FrameSource, **asked: Unpack[OfSite]) -> pl.DataFrame:
    """Read counts of a site's channels over intervals above an hour, by their start."""
    return read_frame(source, "read_long_volumes", **asked)


def read_counts_known_at(
    source: FrameSource, *, known_at: datetime, **asked: Unpack[OfSite]
) -> pl.DataFrame:
    """Read count readings in the versions that were known at an earlier time."""
    return read_frame(source, "read_counts_known_at", known_at=known_at, **asked)


def read_calibrations(source: FrameSource, *, sites: Sequence[int]) -> pl.DataFrame:
    """Read when which factor of the counts of sites holds."""
    return read_frame(source, "calibrations", sites=list(sites))


def list_calibrations(
    connection: Connection,
    places: Sequence[Place],
    *,
    start: datetime,
    end: datetime,
) -> tuple[Calibrated, ...]:
    """List what counts of places were multiplied with in a period."""
    found = list_calibrations_of_sites(connection, places, start=start, end=end)
    return tuple(one for calibrations in found.values() for one in calibrations)


def list_calibrations_of_sites(
    connection: Connection,
    places: Sequence[Place],
    *,
    start: datetime,
    end: datetime,
) -> dict[int, list[Calibrated]]:
    """Find the same by `site_id`; sites without calibration are absent."""
    return read_by_site(connection, "list_calibrations", Calibrated, places, start, end)


def read_latest(source: FrameSource, *, now: datetime | None = None) -> pl.DataFrame:
    """Read the newest whole hour of each site and counted quantity.

    `now` is the database's clock where it is None.
    """
    return read_frame(source, "read_latest", now=now)
