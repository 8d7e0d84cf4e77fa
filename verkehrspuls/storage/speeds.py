"""Speed histograms."""

from datetime import datetime

import polars as pl

from verkehrspuls.storage.database import FrameSource, read_frame


def read_speed_histograms(
    source: FrameSource,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
    direction: str,
    trusted: bool = False,
) -> pl.DataFrame:
    """Read the merged speed histograms of hours, per channel.

    Direction `all` is all of them. Only hours with histograms have a row; of one that
    a person excluded, `excluded_s` is all that is known.
    """
    return read_frame(
        source,
        "read_speed_histograms",
        site_id=site_id,
        quantity=quantity,
        start=start,
        end=end,
        direction=direction,
        trusted=trusted,
    )
