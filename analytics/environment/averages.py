"""Averages of air quality with their legal definitions.

Their day is the calendar day in Central European Time without summer time, as in the
reports to the Commission. What is observed too little has no average; missing hours
are never filled.

Source: 39. BImSchV § 1 no. 13; Directive 2008/50/EC, annexes VII and XI: three quarters
of an hour, of eight hours, of the 24 running means of a day, and of a day's hours.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from analytics.frames import ENVIRONMENT_HOURS, LONG_VALUES, TIME, Schema, check

#: Central European Time, all year round
CLOCK: Final = timedelta(hours=1)
#: share of the parts that an average needs
CAPTURE: Final = 0.75
#: share of a year's hours that its mean needs (39. BImSchV, Anlage 1: 90 %)
YEAR_CAPTURE: Final = 0.9

#: Means over the eight hours that end at `ended`.
RUNNING_MEANS: Final[Schema] = {
    "channel_id": pl.Int32(),
    "ended": TIME,
    "mean": pl.Float64(),
    "parts": pl.Int32(),
}
#: Means of days; `parts` is how many hours, or running means, are behind it.
DAY_MEANS: Final[Schema] = {
    "channel_id": pl.Int32(),
    "day": pl.Date(),
    "mean": pl.Float64(),
    "parts": pl.Int32(),
}
YEAR_MEANS: Final[Schema] = {
    "channel_id": pl.Int32(),
    "year": pl.Int32(),
    "mean": pl.Float64(),
    "capture": pl.Float64(),
    "valid": pl.Boolean(),
}

_HOUR_S: Final = 3600
_HOUR: Final = pl.duration(hours=1)


def valid_hours(hours: pl.DataFrame) -> pl.DataFrame:
    """Give the ENVIRONMENT_HOURS observed to three quarters or more."""
    enough = pl.col("observed_s") >= CAPTURE * _HOUR_S
    return check(hours, ENVIRONMENT_HOURS).filter(enough)


def running_means(hours: pl.DataFrame, *, length: int = 8) -> pl.DataFrame:
    """Average over `length` hours, anew each hour (RUNNING_MEANS).

    Arithmetic mean of the valid hours, where three quarters of them are there; up to
    the last valid hour of a channel.
    """
    found = valid_hours(hours).sort("channel_id", "time")
    grid = found.group_by("channel_id", maintain_order=True).agg(
        pl.datetime_range(pl.col("time").min(), pl.col("time").max(), "1h").alias(
            "time"
        )
    )
    means = (
        grid.explode("time", empty_as_null=False)
        .join(found, on=["channel_id", "time"], how="left")
        .rolling("time", period=f"{length}h", closed="right", group_by="channel_id")
        .agg(
            pl.col("mean").mean(), pl.col("mean").count().cast(pl.Int32).alias("parts")
        )
        .filter(pl.col("parts") >= CAPTURE * length)
    )
    return check(means.with_columns(ended=pl.col("time") + _HOUR), RUNNING_MEANS)


def daily_max_8h(hours: pl.DataFrame) -> pl.DataFrame:
    """Find the greatest eight-hour mean of each day (DAY_MEANS).

    A running mean belongs to the day in which it ends: the first of a day is that from
    17 to 1 o'clock, the last that from 16 to 24. A day needs 18 of the 24.
    """
    means = running_means(hours).with_columns(time=pl.col("ended") - _HOUR)
    return _of_days(means, pl.col("mean").max())


def day_means(hours: pl.DataFrame, long: pl.DataFrame | None = None) -> pl.DataFrame:
    """Average the valid hours of each day (DAY_MEANS); a day needs 18 of the 24.

    Of other days it is what `long` (LONG_VALUES) tells over 18 hours or more, such as a
    station's daily mean; it belongs to the day of its middle.
    """
    of_hours = _of_days(valid_hours(hours), pl.col("mean").mean())
    if long is None or long.is_empty():
        return of_hours
    middle = pl.col("time") + pl.duration(seconds="interval_s") / 2 + CLOCK
    of_long = (
        check(long, LONG_VALUES)
        .filter(pl.col("interval_s") >= CAPTURE * 24 * _HOUR_S)
        .group_by("channel_id", middle.dt.date().alias("day"))
        .agg(
            pl.col("value").mean().alias("mean"),
            (pl.col("interval_s").max() // _HOUR_S).clip(0, 24).alias("parts"),
        )
        .join(of_hours, on=["channel_id", "day"], how="anti")
    )
    both = pl.concat([of_hours, check(of_long, DAY_MEANS)])
    return both.sort("channel_id", "day")


def year_means(
    hours: pl.DataFrame,
    long: pl.DataFrame | None = None,
    *,
    capture: float = YEAR_CAPTURE,
) -> pl.DataFrame:
    """Average the valid hours of each calendar year (YEAR_MEANS).

    Where days are told by `long` (see `day_means`), each weighs as many hours as it
    has. `capture` is the share of the year's hours that are valid; below that the mean
    is given, but not valid.
    """
    parts = valid_hours(hours).select(
        "channel_id", "mean", day=(pl.col("time") + CLOCK).dt.date(), parts=1
    )
    if long is not None and not long.is_empty():
        by_long = day_means(hours.clear(), long).join(
            day_means(hours), on=["channel_id", "day"], how="anti"
        )
        days = by_long.select("channel_id", "mean", "day", "parts")
        parts = pl.concat(
            [parts.join(days, on=["channel_id", "day"], how="anti"), days]
        )
    year, weight = pl.col("day").dt.year(), pl.col("parts")
    length = pl.when(pl.date(pl.col("year"), 1, 1).dt.is_leap_year()).then(366)
    return check(
        parts.group_by("channel_id", year.alias("year"))
        .agg((pl.col("mean") * weight).sum() / weight.sum(), weight.sum())
        .with_columns(capture=pl.col("parts") / (24 * length.otherwise(365)))
        .with_columns(valid=pl.col("capture") >= capture)
        .sort("channel_id", "year"),
        YEAR_MEANS,
    )


def _of_days(means: pl.DataFrame, mean: pl.Expr) -> pl.DataFrame:
    day = (pl.col("time") + CLOCK).dt.date()
    return check(
        means.group_by("channel_id", day.alias("day"))
        .agg(mean, pl.len().cast(pl.Int32).alias("parts"))
        .filter(pl.col("parts") >= CAPTURE * 24)
        .sort("channel_id", "day"),
        DAY_MEANS,
    )
