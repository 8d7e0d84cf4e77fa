"""Speed histograms."""

from typing import Unpack

import polars as pl

from verkehrspuls.storage.asked import Trusted
from verkehrspuls.storage.database import FrameSource, read_frame


def read_speed_histograms(
    source: FrameSource, *, direction: str, **asked: Unpack[Trusted]
) -> pl.DataFrame:
    """Read the merged speed histograms of hours, per channel.

    Direction `all` is all of them. Only hours with histograms have a row; of one that
    a person excluded, `excluded_s` is all that is known.
    """
    return read_frame(
        source,
        "read_speed_histograms",
        **{"trusted": False, "direction": direction, **asked},
    )
