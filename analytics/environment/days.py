"""Environment: hours and longer intervals to local days.

Of a day of a channel either the hours are taken or the intervals above an hour, such as
a station's daily mean: the hours where they are observed to three quarters of the day,
or to no smaller part. An interval above an hour belongs to the day of its middle.
"""

from typing import Final

import polars as pl

from analytics.environment.hours import mean_of
from analytics.frames import (
    CHANNELS,
    ENVIRONMENT_DAYS,
    ENVIRONMENT_HOURS,
    LONG_VALUES,
    check,
)
from analytics.local_time import day_bounds, with_local
from analytics.volumes.long_intervals import with_day
from verkehrspuls.quantities import ENVIRONMENT

METHOD: Final = "environment-days-1"
#: minimum observed share of a day for a value
MIN_CAPTURE: Final = 0.75

_DAY: Final = ("channel_id", "day")


def days(
    hours: pl.DataFrame, long: pl.DataFrame, channels: pl.DataFrame, *, quantity: str
) -> pl.DataFrame:
    """Condense ENVIRONMENT_HOURS and LONG_VALUES of a quantity to ENVIRONMENT_DAYS.

    mean: by the quantity's kind, as of an hour, weighted by how long each part lasted;
        of precipitation the sum. Null below three quarters of the day.
    minimum, maximum: least and greatest value of the hours' readings; null where longer
        intervals make up the day, because they are unknown within these.
    observed: share of the local day.
    """
    zones = check(channels, CHANNELS).select("channel_id", "time_zone")
    by_hour = with_local(
        check(hours, ENVIRONMENT_HOURS).join(zones, on="channel_id")
    ).rename({"mean": "value", "observed_s": "lasting_s"})
    by_long = with_day(check(long, LONG_VALUES), channels).rename(
        {"interval_s": "lasting_s"}
    )
    lengths = pl.concat(
        [part.select("time_zone", "day") for part in (by_hour, by_long)]
    )
    bounds = day_bounds(lengths).select(
        "time_zone",
        "day",
        day_s=(pl.col("day_ended") - pl.col("day_began")).dt.total_seconds(),
    )
    seconds = pl.col("lasting_s").sum()
    seen_long = by_long.group_by(*_DAY, "time_zone").agg(long_s=seconds)
    seen = (
        by_hour.group_by(*_DAY, "time_zone")
        .agg(hours_s=seconds)
        .join(seen_long, on=[*_DAY, "time_zone"], how="full", coalesce=True)
        .join(bounds, on=["time_zone", "day"])
        .with_columns(
            pl.col("hours_s").fill_null(0),
            pl.min_horizontal(pl.col("long_s").fill_null(0), "day_s"),
        )
    )
    finer = (pl.col("hours_s") >= MIN_CAPTURE * pl.col("day_s")) | (
        pl.col("hours_s") >= pl.col("long_s")
    )
    columns = (*_DAY, "value", "lasting_s", "minimum", "maximum")
    unknown = pl.lit(None, pl.Float64)
    parts = pl.concat(
        [
            by_hour.join(seen.filter(finer), on=_DAY, how="semi").select(columns),
            by_long.join(seen.filter(~finer), on=_DAY, how="semi")
            .with_columns(minimum=unknown, maximum=unknown)
            .select(columns),
        ]
    )
    kind = ENVIRONMENT[quantity].mean
    mean = mean_of(kind, pl.col("value"), pl.col("lasting_s"))
    observed = pl.max_horizontal("hours_s", "long_s")
    found = (
        parts.group_by(_DAY)
        .agg(mean.alias("mean"), pl.col("minimum").min(), pl.col("maximum").max())
        .join(
            seen.with_columns(
                observed=pl.when(finer).then("hours_s").otherwise(observed)
                / pl.col("day_s")
            ),
            on=_DAY,
        )
        .with_columns(
            pl.col("observed").clip(0, 1),
            pl.when(pl.col("observed") >= MIN_CAPTURE).then("mean").alias("mean"),
        )
        .sort("day", "channel_id")
    )
    return check(found, ENVIRONMENT_DAYS)
