"""Summaries of a site's frames for charts: pure, frames in, frames out.

Frames are those of `verkehrspuls.storage`. A shown value is scaled to the whole
interval; it is null if less than `MIN_OBSERVED` of the interval was observed, or a lane
to less than half: the others do not replace it.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Final

import polars as pl

from analytics.flow.inputs import MIN_WHOLE
from analytics.quality.passport import SHARES
from analytics.quantiles import lower, upper
from dashboards.period import Period
from dashboards.wall_clock import add_wall_clock, every
from verkehrspuls.classes import CLASSES

#: minimum observed share of an hour (DOMAIN: hour valid from 75 % on)
MIN_OBSERVED: Final = 0.75
#: known days of seven required for their mean
MIN_SMOOTHED_DAYS: Final = 4
#: minimum share of a day, observed or estimated, for its estimate
MIN_WITH_ESTIMATES: Final = 0.99


def fill_gaps(frame: pl.DataFrame, period: Period, now: datetime) -> pl.DataFrame:
    """Give each direction a row per interval up to `now`, null without data.

    Adds `value` and the wall-clock columns.
    """
    directions = frame.select("direction").unique(maintain_order=True)
    grid = every(period.start, period.end, period.interval)
    grid = grid.with_columns(pl.col("time").cast(frame.schema["time"]))
    filled = (
        grid.filter(pl.col("time") < now)
        .join(directions, how="cross")
        .join(frame, on=["time", "direction"], how="left")
        .with_columns(
            pl.col("observed").fill_null(0.0),
            value=whole_value(),
        )
        .sort("direction", "time")
    )
    return add_wall_clock(filled, period.zone)


def fill_days(days: pl.DataFrame, period: Period, today: date) -> pl.DataFrame:
    """Give each direction a row for every local day; invalid days have no value."""
    directed = days.filter(pl.col("direction") != "all")
    if directed.is_empty():
        directed = days
    grid = pl.DataFrame(
        {"day": pl.date_range(period.first, min(period.last, today), eager=True)}
    )
    return (
        grid.join(directed.select("direction").unique(), how="cross")
        .join(directed, on=["day", "direction"], how="left")
        .with_columns(
            pl.col("observed").fill_null(0.0),
            pl.col("valid").fill_null(False),
            value=pl.when(pl.col("valid")).then(pl.col("volume_normalised")),
            estimate=pl.when(
                ~pl.col("valid").fill_null(value=False)
                & (pl.sum_horizontal(SHARES) >= MIN_WITH_ESTIMATES)
            ).then(pl.col("volume_estimated")),
            local=pl.col("day").cast(pl.Datetime("us")),
            x=pl.col("day").cast(pl.Datetime("us")),
            fold=pl.lit(""),
        )
        .sort("direction", "day")
    )


def with_estimates(filled: pl.DataFrame, estimates: pl.DataFrame) -> pl.DataFrame:
    """Add `estimate` with bounds to hours of `fill_gaps` that were not counted.

    `estimates`: from `read_imputed`. What was counted of the hour is part of them.
    """
    known = pl.col("value").is_not_null() | pl.col("volume_imputed").is_null()
    return (
        filled.join(
            estimates.select(
                pl.col("time").cast(filled.schema["time"]),
                *("direction", "volume_imputed", "imputed_low", "imputed_high"),
            ),
            on=["time", "direction"],
            how="left",
            maintain_order="left",
        )
        .with_columns(
            pl.when(~known)
            .then(pl.sum_horizontal("volume_normalised", part))
            .alias(name)
            for part, name in (
                ("volume_imputed", "estimate"),
                ("imputed_low", "estimate_low"),
                ("imputed_high", "estimate_high"),
            )
        )
        .drop("volume_imputed", "imputed_low", "imputed_high")
    )


def fill_hours(frame: pl.DataFrame, period: Period, now: datetime) -> pl.DataFrame:
    """Return an environment series a row for every hour up to `now`."""
    grid = every(period.start, period.end, timedelta(hours=1))
    filled = (
        grid.with_columns(pl.col("time").cast(frame.schema["time"]))
        .filter(pl.col("time") < now)
        .join(frame, on="time", how="left")
        .with_columns(pl.col("observed").fill_null(0.0))
        .sort("time")
    )
    return add_wall_clock(filled, period.zone)


def fill_environment_days(
    days: pl.DataFrame, period: Period, today: date
) -> pl.DataFrame:
    """Return an environment series a row for every local day up to today."""
    grid = pl.DataFrame(
        {"day": pl.date_range(period.first, min(period.last, today), eager=True)}
    )
    return grid.join(days, on="day", how="left").with_columns(
        pl.col("observed").fill_null(0.0),
        local=pl.col("day").cast(pl.Datetime("us")),
        x=pl.col("day").cast(pl.Datetime("us")),
        fold=pl.lit(""),
    )


def smoothed(values: pl.Series) -> pl.Series:
    """Mean of the seven days around each, where most of them are known."""
    return values.rolling_mean(7, min_samples=MIN_SMOOTHED_DAYS, center=True)


def cross_section(hours: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Sum the directions of whole hours; an hour that lacks one has no row."""
    directions = hours["direction"].n_unique()
    summed = (
        hours.with_columns(value=whole_value())
        .group_by("time")
        .agg(
            pl.col("value").sum(),
            pl.col("value").count().alias("known"),
            pl.col("usual").sum(),
            pl.col("usual").count().alias("compared"),
        )
        .filter(pl.col("known") == directions)
        .with_columns(
            usual=pl.when(pl.col("compared") == directions).then(pl.col("usual"))
        )
        .sort("time")
    )
    return add_wall_clock(summed, zone)


def with_day_type(frame: pl.DataFrame, holidays: Collection[date]) -> pl.DataFrame:
    """Add `day_type` for a column `local`; public holidays count as Sundays."""
    day = pl.col("local").dt.date()
    return frame.with_columns(
        day_type=pl.when((day.dt.weekday() == 7) | day.is_in(list(holidays)))
        .then(pl.lit("sunday_or_holiday"))
        .when(day.dt.weekday() == 6)
        .then(pl.lit("saturday"))
        .otherwise(pl.lit("workday"))
    )


def day_profile(hours: pl.DataFrame, holidays: Collection[date]) -> pl.DataFrame:
    """Mean, 15 % and 85 % quantile by day type and local hour of a cross-section."""
    return (
        with_day_type(hours, holidays)
        .group_by("day_type", pl.col("local").dt.hour().alias("hour"))
        .agg(
            pl.col("value").mean().alias("mean"),
            lower(pl.col("value"), 15).alias("low"),
            upper(pl.col("value"), 85).alias("high"),
            pl.len().alias("days"),
        )
        .sort("day_type", "hour")
    )


def week(hours: pl.DataFrame, holidays: Collection[date]) -> pl.DataFrame:
    """Mean by weekday (0 is Monday) and local hour of a cross-section.

    Public holidays are left out, because they are no usual weekday.
    """
    return (
        hours.filter(~pl.col("local").dt.date().is_in(list(holidays)))
        .group_by(
            (pl.col("local").dt.weekday() - 1).alias("weekday"),
            pl.col("local").dt.hour().alias("hour"),
        )
        .agg(pl.col("value").mean().alias("mean"), pl.len().alias("hours"))
        .sort("weekday", "hour")
    )


def by_direction(
    hours: pl.DataFrame, zone: str, holidays: Collection[date]
) -> pl.DataFrame:
    """Mean by direction and local hour, workdays only."""
    scaled = hours.with_columns(value=whole_value()).drop_nulls("value")
    return (
        with_day_type(add_wall_clock(scaled, zone), holidays)
        .filter(pl.col("day_type") == "workday")
        .group_by("direction", pl.col("local").dt.hour().alias("hour"))
        .agg(pl.col("value").mean().alias("mean"), pl.len().alias("days"))
        .sort("direction", "hour")
    )


def classes(hours: pl.DataFrame) -> pl.DataFrame:
    """Return the count of each known class, with its share of their sum."""
    known = [name for name in CLASSES if hours[name].null_count() < hours.height]
    counted = pl.DataFrame(
        {
            "class": known,
            "volume": [int(hours[name].sum()) for name in known],
        },
        schema={"class": pl.String, "volume": pl.Int64},
    )
    total = pl.col("volume").sum()
    return counted.with_columns(share=pl.when(total > 0).then(pl.col("volume") / total))


def order(directions: Sequence[str], channels: Sequence[dict[str, str]]) -> list[str]:
    """Sort directions as the registry names them."""
    known = list(dict.fromkeys(channel["direction"] for channel in channels))
    return sorted(
        directions, key=lambda d: known.index(d) if d in known else len(known)
    )


def whole_value() -> pl.Expr:
    """Volume of the whole interval; null where too little of it was observed."""
    every_lane = pl.col("observed") + pl.col("normalised") >= MIN_WHOLE
    enough = (pl.col("observed") >= MIN_OBSERVED) & every_lane
    return pl.when(enough).then(pl.col("volume") / pl.col("observed"))
