"""The report of towns: how good the air of stations is now."""

from datetime import datetime
from typing import Final

import polars as pl

from analytics.environment import indices
from verkehrspuls.storage.environment import read_latest_air

#: the index that overviews show
INDEX: Final = indices.INDICES[indices.SHOWN]


def read_air_now(url: str, *, now: datetime) -> pl.DataFrame:
    """Read and judge the newest hour of each station (INDEX_SITES)."""
    return indices.index_of_sites(
        read_latest_air(url, list(INDEX.ends), now=now), INDEX
    )
