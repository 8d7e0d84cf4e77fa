"""Evidence: what the tests of health are given, cut into periods of channels."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

import polars as pl

from analytics import frames
from analytics.frames import check
from analytics.local_time import day_bounds, with_local
from analytics.quality.gaps import Tolerance
from verkehrspuls.quantities import COUNTED

#: Hours are judged when they have ended for so long: readings come a little late.
PATIENCE: Final = timedelta(minutes=15)
#: Days of hourly volumes before a period that the tests look back on.
LOOK_BACK: Final = timedelta(days=6)
#: Daytime of PeMS, local hours.
DAYTIME: Final = (5, 22)

_KEY: Final = ("channel_id", "began")
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a test may look at."""

    #: PERIODS to judge
    periods: pl.DataFrame
    #: PERIODS of all channels, those of `periods` too, to tell how far silence reaches
    siblings: pl.DataFrame
    #: HEALTH_READINGS of `periods`
    readings: pl.DataFrame
    #: hourly STORED_VOLUMES of `siblings`, and of the days before them
    hours: pl.DataFrame
    #: what an hour bears
    gaps: Tolerance = field(default_factory=Tolerance)


def periods(
    channels: pl.DataFrame,
    days: Collection[object],
    observed: pl.DataFrame,
    *,
    now: datetime,
    by: Literal["day", "hour"] = "day",
) -> pl.DataFrame:
    """Cut local days of HEALTH_CHANNELS into PERIODS.

    A period reaches to the last whole hour that ended 15 minutes before `now`. Expected
    are the seconds in which a sensor was installed, from the first hour ever heard of
    the channel; a period without any is left out, and so are sensors that report less
    than hourly, for which there are no hours. `observed` (channel_id, time, observed_s)
    is what hours of figures cover.
    """
    known = check(channels, frames.HEALTH_CHANNELS).filter(pl.col("interval_s") <= 3600)
    wanted = known.join(_days(days), how="cross")
    last = pl.lit(now - PATIENCE, frames.TIME).dt.truncate("1h")
    spans = wanted.join(day_bounds(wanted), on=["time_zone", "day"]).with_columns(
        began="day_began", ended=pl.min_horizontal("day_ended", last)
    )
    spans = spans.with_columns(complete=pl.col("ended") == pl.col("day_ended"))
    if by == "hour":
        spans = (
            spans.filter(pl.col("began") < pl.col("ended"))
            .with_columns(
                pl.datetime_ranges("began", "ended", "1h", closed="left").alias("began")
            )
            .explode("began")
            .with_columns(ended=pl.col("began") + _HOUR, complete=pl.lit(value=True))
        )
    served = spans.with_columns(
        since=pl.max_horizontal("began", "since", "heard"),
        until=pl.min_horizontal("ended", "until"),
    )
    served_s = (pl.col("until") - pl.col("since")).dt.total_seconds()
    installed = (
        served.with_columns(expected_s=served_s)
        .filter(pl.col("expected_s") > 0)
        .sort("since")
        .group_by(_KEY)
        .agg(
            # of a day on which sensors were swapped, the one that stayed
            pl.col(
                *("ended", "day", "municipality_id", "site_id", "sensor_id"),
                *("road", "latitude", "longitude", "quantity", "direction"),
                "complete",
            ).last(),
            pl.col("since").min(),
            pl.col("until").max(),
            pl.col("expected_s").sum().cast(pl.Int32),
        )
    )
    heard = within(installed, observed).group_by(_KEY).agg(pl.col("observed_s").sum())
    return check(
        installed.join(heard, on=_KEY, how="left").with_columns(
            pl.col("observed_s").fill_null(0).cast(pl.Int32)
        ),
        frames.PERIODS,
    ).sort(_KEY)


def spans_of_days(channels: pl.DataFrame, days: Collection[object]) -> pl.DataFrame:
    """SPANS of HEALTH_CHANNELS from the first to the last of some local days."""
    places = channels.select("channel_id", "time_zone").unique()
    each = places.join(_days(days), how="cross")
    return (
        each.join(day_bounds(each), on=["time_zone", "day"])
        .group_by("channel_id")
        .agg(pl.col("day_began").min(), pl.col("day_ended").max())
        .rename({"day_began": "since", "day_ended": "until"})
        .pipe(check, frames.SPANS)
    )


def within(spans: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows whose `time` lies in a period of their channel, with its `began`."""
    return (
        rows.sort("time")
        .join_asof(
            spans.select(*_KEY, "ended").sort("began"),
            left_on="time",
            right_on="began",
            by="channel_id",
            coalesce=False,
            check_sortedness=False,
        )
        .filter(pl.col("time") < pl.col("ended"))
        .drop("ended")
    )


def readings(
    spans: pl.DataFrame, found: pl.DataFrame, channels: pl.DataFrame
) -> pl.DataFrame:
    """Make HEALTH_READINGS of what was read, which lacks `began`, zone and clock."""
    zones = channels.select("channel_id", "time_zone", "quantity").unique("channel_id")
    first, last = DAYTIME
    return check(
        with_local(within(spans, found).join(zones, on="channel_id")).with_columns(
            daytime=pl.col("local_hour").is_between(first, last, closed="left")
        ),
        frames.HEALTH_READINGS,
    )


def _days(days: Collection[object]) -> pl.DataFrame:
    return pl.DataFrame({"day": list(days)}, schema={"day": pl.Date})


def counted() -> pl.Expr:
    """Whether the row's quantity is counted."""
    return pl.col("quantity").is_in(list(COUNTED))


def hours_of(evidence: Evidence) -> pl.DataFrame:
    """The hourly volumes of the periods to judge, with `began` of their period."""
    return within(evidence.periods, evidence.hours)


def usual_of(evidence: Evidence) -> pl.DataFrame:
    """What is usual over each period: `usual`; null where it is unknown."""
    usual = pl.col("usual")
    return (
        hours_of(evidence)
        .group_by(_KEY)
        .agg(pl.when(usual.count() > 0).then(usual.sum()).cast(pl.Float64))
    )


def failures(
    found: pl.DataFrame, *, value: pl.Expr, threshold: pl.Expr | float
) -> pl.DataFrame:
    """Make FAILURES of rows that have `channel_id` and `began`."""
    bound = threshold if isinstance(threshold, pl.Expr) else pl.lit(threshold)
    return check(
        found.with_columns(
            value=value.cast(pl.Float64), threshold=bound.cast(pl.Float64)
        ),
        frames.FAILURES,
    )
