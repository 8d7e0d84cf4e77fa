"""Figures of local days."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from verkehrspuls.storage.database import Connection, FrameSource, execute, read_frame


def read_daily_figures(
    source: FrameSource,
    *,
    site_id: int,
    quantity: str,
    first: date,
    last: date,
    direction: str | None = None,
) -> pl.DataFrame:
    """Read local days from `first` to `last`, both included.

    Direction `all` is the cross-section; None gives it and each direction.
    """
    return read_daily_figures_of_sites(
        source,
        site_ids=[site_id],
        quantity=quantity,
        first=first,
        last=last,
        direction=direction,
    ).drop("site_id")


def read_daily_figures_of_sites(
    source: FrameSource,
    *,
    site_ids: Sequence[int],
    quantity: str,
    first: date,
    last: date,
    direction: str | None = None,
) -> pl.DataFrame:
    """Read local days of several sites, with their `site_id`."""
    return read_frame(
        source,
        "read_days",
        site_ids=list(site_ids),
        quantity=quantity,
        first=first,
        last=last,
        direction=direction,
    )


def count_valid_days(
    connection: Connection,
    *,
    site_ids: Sequence[int],
    quantity: str,
    first: date,
    last: date,
) -> dict[int, int]:
    """Count the valid local days of sites, both ends included; absent where none."""
    rows = execute(
        connection,
        "count_valid_days",
        site_ids=list(site_ids),
        quantity=quantity,
        first=first,
        last=last,
    )
    return {row["site_id"]: row["days"] for row in rows}
