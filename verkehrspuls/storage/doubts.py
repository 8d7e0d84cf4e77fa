"""Which values are excluded, suspected of a fault, or of a time nobody knows.

Times are aware UTC and periods half-open `[start, end)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from verkehrspuls.storage.by_place import Place, read_by_site
from verkehrspuls.storage.database import (
    Connection,
    FrameSource,
    read_frame,
    read_records,
)


def read_excluded(
    source: FrameSource,
    *,
    site_ids: Sequence[int],
    quantity: str,
    start: datetime,
    end: datetime,
    direction: str,
) -> pl.DataFrame:
    """Read when a person excluded channels of sites, in spans that touch the period.

    Direction `all` is all of them.
    """
    return read_frame(
        source,
        "read_excluded",
        site_ids=list(site_ids),
        quantity=quantity,
        start=start,
        end=end,
        direction=direction,
    )


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A span in which a channel is suspected of a fault."""

    site_id: int
    channel_id: int
    channel: str
    quantity: str
    direction: str
    since: datetime
    until: datetime
    fault: str


def list_suspected(
    connection: Connection,
    *,
    site_ids: Sequence[int],
    quantity: str | None,
    start: datetime,
    end: datetime,
    direction: str,
) -> list[Suspicion]:
    """List when channels of sites are suspected of a fault that nobody has decided on.

    Return spans (`since`, `until`) that touch the period and have begun, with their
    `fault`: the reason of a case, or the verdict of health on a whole day whose hours
    are in no case. Direction `all` matches every direction, quantity None every one.
    """
    return read_records(
        connection,
        Suspicion,
        "read_suspected",
        site_ids=list(site_ids),
        quantity=quantity,
        start=start,
        end=end,
        direction=direction,
    )


def list_ambiguous_hours(
    connection: Connection,
    places: Sequence[Place],
    *,
    start: datetime,
    end: datetime,
) -> tuple[datetime, ...]:
    """Find the hours (UTC) of a period in which nobody knows the times of readings.

    The wall clock showed them twice, and it is unknown which of the two is meant.
    """
    found = list_ambiguous_hours_of_sites(connection, places, start=start, end=end)
    return tuple(sorted({hour for hours in found.values() for hour in hours}))


def list_ambiguous_hours_of_sites(
    connection: Connection,
    places: Sequence[Place],
    *,
    start: datetime,
    end: datetime,
) -> dict[int, list[datetime]]:
    """Find the same by `site_id`; sites without such an hour are absent."""
    return read_by_site(
        connection, "list_ambiguous_hours", lambda hour: hour, places, start, end
    )
