"""Summaries of a site's frames for charts: pure, frames in, frames out.

Frames are those of `verkehrspuls.storage`. A shown value is scaled to the whole
interval; it is null if too little of the interval was observed, or less than half
of a lane: the others do not replace it.
"""

from datetime import date, datetime, timedelta

import polars as pl

from analytics.flow.series import whole_day, whole_value
from dashboards.period import Period
from dashboards.wall_clock import add_wall_clock, every


def fill_gaps(frame: pl.DataFrame, period: Period, now: datetime) -> pl.DataFrame:
    """Add a row for each direction and interval up to `now`, null without data.

    Adds `value` and the wall-clock columns.
    """
    known = frame.lazy()
    directions = known.select("direction").unique(maintain_order=True)
    filled = (
        every(period.start, period.end, period.interval)
        .lazy()
        .filter(pl.col("time") < now)
        .with_columns(pl.col("time").cast(frame.schema["time"]))
        .join(directions, how="cross")
        .join(known, on=["time", "direction"], how="left")
        .with_columns(
            pl.col("observed").fill_null(0.0),
            value=whole_value(),
        )
        .sort("direction", "time")
    )
    return add_wall_clock(filled, period.zone).collect()


def fill_days(days: pl.DataFrame, period: Period, today: date) -> pl.DataFrame:
    """Return a row for each direction and local day; invalid days have no value."""
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
            **whole_day(),
            local=pl.col("day").cast(pl.Datetime("us")),
            x=pl.col("day").cast(pl.Datetime("us")),
            fold=pl.lit(""),
        )
        .sort("direction", "day")
    )


def fill_hours(frame: pl.DataFrame, period: Period, now: datetime) -> pl.DataFrame:
    """Return an environment series with a row for each hour up to `now`."""
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
    """Return an environment series with a row for each local day up to today."""
    grid = pl.DataFrame(
        {"day": pl.date_range(period.first, min(period.last, today), eager=True)}
    )
    return grid.join(days, on="day", how="left").with_columns(
        pl.col("observed").fill_null(0.0),
        local=pl.col("day").cast(pl.Datetime("us")),
        x=pl.col("day").cast(pl.Datetime("us")),
        fold=pl.lit(""),
    )
