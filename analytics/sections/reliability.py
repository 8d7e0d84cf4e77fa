"""How reliable a travel time is: the same time of day over many days."""

from typing import Final

import polars as pl

from analytics.frames import TIME, Schema, check

#: Travel times of one section or corridor.
TRAVEL_TIMES: Final[Schema] = {
    "time": TIME,
    "travel_s": pl.Float64(),
    "free_s": pl.Float64(),
}
#: By local time of day, in minutes after midnight. With too few days only `days` is
#: known, all else is null.
RELIABILITY: Final[Schema] = {
    "minute": pl.Int32(),
    "days": pl.Int32(),
    "mean_s": pl.Float64(),
    "p95_s": pl.Float64(),
    "travel_time_index": pl.Float64(),
    "buffer_index": pl.Float64(),
    "planning_time_index": pl.Float64(),
    "misery_index": pl.Float64(),
}
FEWEST_DAYS: Final = 10


def reliability(
    times: pl.DataFrame, *, time_zone: str, fewest_days: int = FEWEST_DAYS
) -> pl.DataFrame:
    """Compare days at the same local time (RELIABILITY). Choose days of one type.

    - travel_time_index: mean / free
    - buffer_index: (95th percentile - mean) / mean
    - planning_time_index: 95th percentile / free
    - misery_index: mean of the worst fifth / free

    Percentiles are interpolated linearly between days. Source: FHWA, Travel Time
    Reliability: Making It There On Time, All The Time. Days without a travel time at
    that time are left out and lower `days`.
    """
    local = pl.col("time").dt.convert_time_zone(time_zone)
    minute = (local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute()).alias("minute")
    travel, free = pl.col("travel_s"), pl.col("free_s").mean()
    mean, p95 = travel.mean(), travel.quantile(0.95, interpolation="linear")
    worst = travel.top_k((travel.len() / 5).ceil().cast(pl.UInt32)).mean()
    figures = {
        "mean_s": mean,
        "p95_s": p95,
        "travel_time_index": mean / free,
        "buffer_index": (p95 - mean) / mean,
        "planning_time_index": p95 / free,
        "misery_index": worst / free,
    }
    return check(
        check(times, TRAVEL_TIMES)
        .drop_nulls()
        .group_by(minute)
        .agg(
            local.dt.date().n_unique().cast(pl.Int32).alias("days"),
            **figures,
        )
        .with_columns(
            pl.when(pl.col("days") >= fewest_days).then(pl.col(name)).alias(name)
            for name in figures
        )
        .sort("minute"),
        RELIABILITY,
    )
