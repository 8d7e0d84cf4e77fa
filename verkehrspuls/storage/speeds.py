"""Speed histograms."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from verkehrspuls.storage.database import read_frame
from verkehrspuls.storage.visibility import PUBLIC


def read_speed_histograms(
    url: str,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
    direction: str,
    trusted: bool = False,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read the merged speed histograms of hours, per channel.

    Direction `all` is all of them. Only hours with histograms have a row; of one that
    a person excluded, `excluded_s` is all that is known.
    """
    return read_frame(
        url,
        "read_speed_histograms",
        site_id=site_id,
        quantity=quantity,
        start=start,
        end=end,
        direction=direction,
        trusted=trusted,
        visible=list(visible),
    )
