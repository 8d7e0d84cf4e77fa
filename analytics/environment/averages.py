"""Averages of air quality with their legal definitions.

Their day is the calendar day in Central European Time without summer time, as in the
reports to the Commission. Without enough observed data there is no average; missing
hours are never filled.

Source: 39. BImSchV § 1 no. 13; Directive 2008/50/EC, annexes VII and XI: three quarters
of an hour, of eight hours, of the 24 running means of a day, and of a day's hours.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from analytics.frames import ENVIRONMENT_HOURS, LONG_VALUES, TIME, Schema, check

#: Central European Time, all year round
CLOCK: Final = timedelta(hours=1)
#: minimum share of valid parts for an average
MIN_CAPTURE: Final = 0.75
#: minimum share of a year's hours for its mean (39. BImSchV, Anlage 1: 90 %)
MIN_YEAR_CAPTURE: Final = 0.9

#: Means over the eight hours that end at `ended`.
RUNNING_MEANS: Final[Schema] = {
    "channel_id": pl.Int32(),
    "ended": TIME,
    "mean": pl.Float64(),
    "parts": pl.Int32(),
}
#: Means of days; `parts` is the number of hours, or running means, in each.
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
    """Return the ENVIRONMENT_HOURS observed to three quarters or more."""
    enough = pl.col("observed_s") >= MIN_CAPTURE * _HOUR_S
    return check(hours, ENVIRONMENT_HOURS).filter(enough)


def running_means(hours: pl.DataFrame, *, length: int = 8) -> pl.DataFrame:
    """Average over `length` hours, every hour (RUNNING_MEANS).

    Arithmetic mean of the valid hours, if at least three quarters of them exist; up to
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
        .filter(pl.col("parts") >= MIN_CAPTURE * length)
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

    Other days use intervals of `long` (LONG_VALUES) of 18 hours or more, such as a
    station's daily mean, which belongs to the day of its middle.
    """
    of_hours = _of_days(valid_hours(hours), pl.col("mean").mean())
    if long is None or long.is_empty():
        return of_hours
    middle = pl.col("time") + pl.duration(seconds="interval_s") / 2 + CLOCK
    of_long = (
        check(long, LONG_VALUES)
        .filter(pl.col("interval_s") >= MIN_CAPTURE * 24 * _HOUR_S)
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
    capture: float = MIN_YEAR_CAPTURE,
) -> pl.DataFrame:
    """Average the valid hours of each calendar year (YEAR_MEANS).

    Days from `long` (see `day_means`) are weighted by their hours. `capture` is the
    share of valid hours of the year; below the minimum the mean is returned, but not
    valid.
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
        .filter(pl.col("parts") >= MIN_CAPTURE * 24)
        .sort("channel_id", "day"),
        DAY_MEANS,
    )
