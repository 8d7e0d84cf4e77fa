"""Figures of local days."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from verkehrspuls.storage.database import Connection, execute, read_frame
from verkehrspuls.storage.visibility import PUBLIC


def read_daily_figures(
    url: str,
    *,
    site_id: int,
    quantity: str,
    first: date,
    last: date,
    direction: str | None = None,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read local days from `first` to `last`, both included.

    Direction `all` is the cross-section; None gives it and each direction.
    """
    return read_daily_figures_of_sites(
        url,
        site_ids=[site_id],
        quantity=quantity,
        first=first,
        last=last,
        direction=direction,
        visible=visible,
    ).drop("site_id")


def read_daily_figures_of_sites(
    url: str,
    *,
    site_ids: Sequence[int],
    quantity: str,
    first: date,
    last: date,
    direction: str | None = None,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read local days of several sites, with their `site_id`."""
    return read_frame(
        url,
        "read_days",
        site_ids=list(site_ids),
        quantity=quantity,
        first=first,
        last=last,
        direction=direction,
        visible=list(visible),
    )


def count_valid_days(
    connection: Connection,
    *,
    site_ids: Sequence[int],
    quantity: str,
    first: date,
    last: date,
    visible: Sequence[str] = PUBLIC,
) -> dict[int, int]:
    """Count the valid local days of sites, both ends included; absent where none."""
    rows = execute(
        connection,
        "count_valid_days",
        site_ids=list(site_ids),
        quantity=quantity,
        first=first,
        last=last,
        visible=list(visible),
    )
    return {row["site_id"]: row["days"] for row in rows}
