"""What was counted by direction, and its share."""

from typing import Final

import polars as pl

from analytics.frames import Schema, check

DIRECTIONS: Final[Schema] = {
    "direction": pl.String(),
    "volume": pl.Int64(),
    "share": pl.Float64(),
}


def by_direction(volumes: pl.DataFrame) -> pl.DataFrame:
    """Sum volumes of each direction, without `all`; with its share of their sum."""
    total = pl.col("volume").sum()
    return check(
        volumes.lazy()
        .filter(pl.col("direction") != "all")
        .group_by("direction")
        .agg(pl.col("volume").sum().cast(pl.Int64))
        .with_columns(share=pl.when(total > 0).then(pl.col("volume") / total))
        .sort("direction")
        .collect(),
        DIRECTIONS,
    )
