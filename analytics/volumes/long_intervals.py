"""Intervals above an hour: daily totals of counters, daily means of stations.

They yield only days, no hours. An interval belongs to the local day of its middle,
whether it starts at local midnight, at midnight in UTC, or is the half-day before noon.
"""

from typing import Final

import polars as pl

from analytics.calendar import with_calendar
from analytics.frames import (
    CHANNEL_DAYS,
    COUNT_READINGS,
    ENVIRONMENT_READINGS,
    IMPUTED,
    LONG_VALUES,
    LONG_VOLUMES,
    VALID_VOLUMES,
    check,
    empty,
)
from analytics.local_time import day_bounds, with_local
from analytics.quality import completeness, validity
from analytics.volumes.volume import volume_of_reading

HOUR_S: Final = 3600
#: Maximum length of an interval: a local day of 25 hours.
MAX_INTERVAL_S: Final = 25 * HOUR_S
#: Minimum length of an interval that represents its whole day.
MIN_WHOLE_DAY_S: Final = 23 * HOUR_S
#: Minimum covered share of a covered hour.
MIN_COVERED: Final = 0.75
#: Weeks before a day used for its usual total, and the totals required.
USUAL_WEEKS: Final = 8
MIN_DAYS: Final = 2

_CHANNEL: Final = ("channel_id", "day")


def volumes(readings: pl.DataFrame) -> pl.DataFrame:
    """Select count readings over an hour with a known volume (LONG_VOLUMES).

    A speed of zero or below means unknown.
    """
    long = readings.select(*COUNT_READINGS).filter(pl.col("interval_s") > HOUR_S)
    if long.is_empty():
        return empty(LONG_VOLUMES)
    return check(
        long.with_columns(
            volume=volume_of_reading().cast(pl.Int32),
            speed_kmh=pl.when(pl.col("speed_kmh") > 0).then("speed_kmh"),
        ).drop_nulls("volume"),
        LONG_VOLUMES,
    )


def values(readings: pl.DataFrame) -> pl.DataFrame:
    """Select the environment readings of more than an hour (LONG_VALUES)."""
    long = readings.select(*ENVIRONMENT_READINGS).filter(pl.col("interval_s") > HOUR_S)
    return check(long, LONG_VALUES)


def with_day(long: pl.DataFrame, channels: pl.DataFrame) -> pl.DataFrame:
    """Add `site_id`, `time_zone` and the local `day` to rows of long intervals."""
    known = channels.select("channel_id", "site_id", "time_zone").unique("channel_id")
    began = pl.col("time").alias("began")
    return (
        with_local(
            long.join(known, on="channel_id").with_columns(
                began, time=pl.col("time") + pl.duration(seconds="interval_s") / 2
            )
        )
        .with_columns(time="began")
        .drop("began", "local_hour")
    )


def totals(
    long: pl.DataFrame, channels: pl.DataFrame, excluded: pl.DataFrame
) -> pl.DataFrame:
    """Convert LONG_VOLUMES to rows for the sums of days.

    They are bins as returned by `quality.completeness.of_bins`, with their local `day`.
    No second counts twice: an interval of which more than half is covered by earlier
    ones is left out. A whole-day interval is observed for at most the length of the
    day.
    """
    ends = pl.col("time") + pl.duration(seconds="interval_s")
    reached = ends.cum_max().shift(1).over("channel_id")
    half = pl.duration(seconds="interval_s") / 2
    once = (
        check(long, LONG_VOLUMES)
        .sort("channel_id", "time")
        .filter((reached - pl.col("time") <= half).fill_null(value=True))
    )
    days = with_day(once, channels)
    lasting = day_bounds(days).select(
        "time_zone",
        "day",
        day_s=(pl.col("day_ended") - pl.col("day_began"))
        .dt.total_seconds()
        .cast(pl.Int32),
    )
    known = days.join(lasting, on=["time_zone", "day"]).with_columns(
        pl.lit(None, VALID_VOLUMES[name]).alias(name)
        for name in ("gap_s", "usual", "usual_spread")
    )
    bins = completeness.of_bins(
        check(
            known.with_columns(observed_s="interval_s", valid=pl.lit(value=True)),
            VALID_VOLUMES,
        ),
        excluded=excluded,
        imputed=empty(IMPUTED),
    )
    of_day = known.select("channel_id", "time", "time_zone", "day", "day_s")
    return bins.join(of_day, on=["channel_id", "time"]).with_columns(
        pl.min_horizontal(name, "day_s").alias(name)
        for name in ("observed_s", "excluded_s")
    )


def chosen_over_hours(
    totals: pl.DataFrame, hours: pl.DataFrame, rules: validity.Rules
) -> pl.DataFrame:
    """Return the totals of channels and days that cover more than their hours.

    Hours sufficient for a valid day are finer, and always preferred.
    """
    seen = pl.sum_horizontal("observed_s", "excluded_s").sum()
    of_hours = hours.group_by(_CHANNEL).agg(seen.alias("hours_s"))
    of_totals = totals.group_by(_CHANNEL).agg(seen.alias("totals_s"), day_s=_day_s())
    hours_s = pl.col("hours_s").fill_null(0)
    chosen = of_totals.join(of_hours, on=_CHANNEL, how="left").filter(
        hours_s < rules.day * pl.col("day_s"),
        hours_s < pl.min_horizontal("totals_s", "day_s"),
    )
    return totals.join(chosen, on=_CHANNEL, how="semi")


def channel_days(
    long: pl.DataFrame, channels: pl.DataFrame, school_holidays: pl.DataFrame
) -> pl.DataFrame:
    """Compare daily totals (LONG_VOLUMES) with their usual values (CHANNEL_DAYS).

    `channels` are CHANNELS with their `audience`.

    usual = median of the totals of the same weekday over the USUAL_WEEKS before, two at
    least; those of workdays are in school holidays if and only if the day is, and a
    public holiday counts as a Sunday. Each represents 24 hours.
    """
    known = channels.select("channel_id", "quantity", "state", "audience")
    whole = check(long, LONG_VOLUMES).filter(pl.col("interval_s") >= MIN_WHOLE_DAY_S)
    days = with_calendar(
        with_day(whole, channels).join(known, on="channel_id"),
        school_holidays=school_holidays,
    )
    rests = pl.col("holiday") | (pl.col("weekday") > 5)
    alike = {
        "alike": pl.when("holiday").then(7).otherwise("weekday"),
        "off": pl.col("school_holiday").fill_null(value=False) & ~rests,
    }
    days = (
        days.sort("channel_id", "time")
        .unique(_CHANNEL, keep="last", maintain_order=True)
        .with_columns(**alike, observed=pl.col("volume").cast(pl.Float64))
        .sort("channel_id", *alike, "day")
    )
    usual = days.rolling(
        "day",
        period=f"{USUAL_WEEKS * 7}d",
        closed="left",
        group_by=["channel_id", *alike],
    ).agg(
        usual=pl.when(pl.len() >= MIN_DAYS).then(pl.col("observed").median()),
    )
    return check(
        days.join(usual, on=["channel_id", *alike, "day"])
        .drop_nulls("usual")
        .with_columns(hours=pl.lit(24, pl.Int32)),
        CHANNEL_DAYS,
    )


def _day_s() -> pl.Expr:
    return pl.col("day_s").first()


def covered(totals: pl.DataFrame) -> pl.DataFrame:
    """Return the hours of their days that totals cover to at least three quarters.

    One row per channel, `time` and `local_hour`; `valid` unless one of the totals is
    excluded. An interval of a whole day covers all of it, wherever it starts.
    """
    bounds = day_bounds(totals)
    whole = pl.col("interval_s") >= MIN_WHOLE_DAY_S
    ends = pl.col("time") + pl.duration(seconds="interval_s")
    rows = (
        totals.join(bounds, on=["time_zone", "day"])
        .with_columns(
            since=pl.when(whole).then("day_began").otherwise("time"),
            until=pl.when(whole).then("day_ended").otherwise(ends),
        )
        .with_columns(
            time=pl.datetime_ranges(
                "day_began", pl.col("day_ended"), "1h", closed="left"
            )
        )
        .explode("time")
    )
    hour = pl.duration(seconds=HOUR_S)
    seconds = (
        pl.min_horizontal("until", pl.col("time") + hour)
        - pl.max_horizontal("since", "time")
    ).dt.total_seconds()
    found = (
        rows.with_columns(seconds=seconds)
        .filter(pl.col("seconds") > 0)
        .group_by("channel_id", "time", "time_zone", "day", "group", "whole")
        .agg(pl.col("seconds").sum(), pl.col("valid").all())
        .filter(pl.col("seconds") >= MIN_COVERED * HOUR_S)
    )
    return with_local(found).with_columns(
        interval_s=pl.lit(HOUR_S, pl.Int32),
        observed_s=pl.lit(HOUR_S, pl.Int32),
        volume=pl.lit(None, pl.Int32),
    )
