"""The local clock and calendar of channels, as columns."""

from datetime import date, datetime

import polars as pl

from analytics.frames import TIME
from verkehrspuls import calendar


def with_local(frame: pl.DataFrame) -> pl.DataFrame:
    """Add `day` and `local_hour` of `time` in the row's `time_zone`."""
    day, hour = pl.lit(None, pl.Date), pl.lit(None, pl.Int8)
    for zone in frame["time_zone"].unique():
        local = pl.col("time").dt.convert_time_zone(zone)
        here = pl.col("time_zone") == zone
        day = pl.when(here).then(local.dt.date()).otherwise(day)
        hour = pl.when(here).then(local.dt.hour()).otherwise(hour)
    return frame.with_columns(day=day, local_hour=hour)


def day_bounds(days: pl.DataFrame) -> pl.DataFrame:
    """Return `day_began`, `day_ended` (UTC) for each `day` in a `time_zone`."""
    found: list[tuple[str, date, datetime, datetime]] = [
        (zone, day, calendar.day_start(day, zone), calendar.day_end(day, zone))
        for zone, day in days.select("time_zone", "day").unique().iter_rows()
    ]
    return pl.DataFrame(
        found,
        schema={
            "time_zone": pl.String,
            "day": pl.Date,
            "day_began": TIME,
            "day_ended": TIME,
        },
        orient="row",
    )
