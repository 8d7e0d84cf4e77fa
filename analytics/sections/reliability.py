"""Reliability of travel times: the same time of day over many days."""

from typing import Final

import polars as pl

from analytics.frames import TIME, Schema, check
from analytics.quantiles import lower, upper

#: Travel times of one section or corridor.
TRAVEL_TIMES: Final[Schema] = {
    "time": TIME,
    "travel_s": pl.Float64(),
    "free_s": pl.Float64(),
}
#: By local time of day, in minutes after midnight. With too few days only `days` is
#: known, all else is null; `p95_s` and figures based on it need more days.
#: `outlier_day` is a day that took far longer than all others, `outlier_s` its travel
#: time.
RELIABILITY: Final[Schema] = {
    "minute": pl.Int32(),
    "days": pl.Int32(),
    "mean_s": pl.Float64(),
    "median_s": pl.Float64(),
    "lower_s": pl.Float64(),
    "upper_s": pl.Float64(),
    "p95_s": pl.Float64(),
    "travel_time_index": pl.Float64(),
    "median_index": pl.Float64(),
    "buffer_index": pl.Float64(),
    "planning_time_index": pl.Float64(),
    "misery_index": pl.Float64(),
    "outlier_s": pl.Float64(),
    "outlier_day": pl.Date(),
}
MIN_DAYS: Final = 10
#: Days required for the 95th percentile: with fewer it is the longest day.
MIN_DAYS_FOR_95: Final = 20
#: The band contains 14 of 20 days.
BAND: Final = (15, 85)
#: A day this many times as long as the median, and as the second longest day, is an
#: outlier.
OUTLIER_TO_MEDIAN: Final = 2.0
OUTLIER_TO_SECOND: Final = 1.5


def reliability(
    times: pl.DataFrame, *, time_zone: str, fewest_days: int = MIN_DAYS
) -> pl.DataFrame:
    """Compare days at the same local time (RELIABILITY). Choose days of one type.

    - travel_time_index: mean / free; median_index: median / free
    - buffer_index: (95th percentile - median) / median
    - planning_time_index: 95th percentile / free
    - misery_index: mean of the worst fifth / free
    - lower_s, upper_s: the 15th and 85th percentile

    Percentiles are the travel time of a day, see `analytics.quantiles`: of twenty days
    the 95th is the second longest. Source: FHWA, Travel Time Reliability: Making It
    There On Time, All The Time; the buffer is that of the median, because a single day
    moves the mean. Days without a travel time at that time are left out and lower
    `days`; where an hour comes twice a day has the mean of both.
    """
    local = pl.col("time").dt.convert_time_zone(time_zone)
    minute = (local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute()).alias("minute")
    travel, free = pl.col("travel_s"), pl.col("free_s").mean()
    mean, median, p95 = travel.mean(), travel.median(), upper(travel, 95)
    worst = travel.top_k((travel.len() / 5).ceil().cast(pl.UInt32)).mean()
    longest, second = travel.max(), travel.top_k(2).min()
    odd = (longest > OUTLIER_TO_MEDIAN * median) & (
        longest > OUTLIER_TO_SECOND * second
    )
    figures = {
        "mean_s": mean,
        "median_s": median,
        "lower_s": lower(travel, BAND[0]),
        "upper_s": upper(travel, BAND[1]),
        "travel_time_index": mean / free,
        "median_index": median / free,
        "misery_index": worst / free,
        "outlier_s": pl.when(odd).then(longest),
        "outlier_day": pl.when(odd).then(pl.col("day").get(travel.arg_max())),
    }
    of_95 = {
        "p95_s": p95,
        "buffer_index": (p95 - median) / median,
        "planning_time_index": p95 / free,
    }
    days = pl.col("days")
    return check(
        check(times, TRAVEL_TIMES)
        .drop_nulls()
        .group_by(minute, local.dt.date().alias("day"))
        .agg(travel.mean(), free)
        .group_by("minute")
        .agg(pl.len().cast(pl.Int32).alias("days"), **figures, **of_95)
        .with_columns(
            *(pl.when(days >= fewest_days).then(name).alias(name) for name in figures),
            *(
                pl.when(days >= max(fewest_days, MIN_DAYS_FOR_95))
                .then(name)
                .alias(name)
                for name in of_95
            ),
        )
        .select(list(RELIABILITY))
        .sort("minute"),
        RELIABILITY,
    )
