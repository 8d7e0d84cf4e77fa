"""Evidence: the inputs of the health tests, cut into periods of channels."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal

import polars as pl

from analytics import audiences, frames
from analytics.frames import HEALTH_TOTALS, check
from analytics.local_time import day_bounds, with_local
from analytics.quality.gaps import Tolerance
from analytics.volumes.long_intervals import MIN_WHOLE_DAY_S, with_day
from verkehrspuls.quantities import COUNTED

#: Delay after which an ended hour is judged: readings arrive a little late.
JUDGING_DELAY: Final = timedelta(minutes=15)
#: Days of hourly volumes before a period used by the tests.
LOOK_BACK: Final = timedelta(days=6)
#: Days of intervals above an hour before a period, with one that reaches into them.
TOTALS_LOOK_BACK: Final = timedelta(days=30)
#: Daytime of PeMS, local hours.
DAYTIME: Final = (5, 22)

_KEY: Final = ("channel_id", "began")
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The inputs of a test."""

    #: PERIODS to judge
    periods: pl.DataFrame
    #: PERIODS of all channels, including `periods`, to find how far silence reaches
    siblings: pl.DataFrame
    #: HEALTH_READINGS of `periods`
    readings: pl.DataFrame
    #: hourly STORED_VOLUMES of `siblings`, and of the days before them
    hours: pl.DataFrame
    #: HEALTH_TOTALS of `periods`, and of the days before them
    totals: pl.DataFrame = field(default_factory=lambda: frames.empty(HEALTH_TOTALS))
    #: the acceptable gaps within an hour
    gaps: Tolerance = field(default_factory=Tolerance)

    def apart(self) -> Iterator["Evidence"]:
        """Yield the evidence of each audience, with siblings that all of it see."""
        for rank in audiences.ranks(self.periods):
            yield replace(
                self,
                periods=self.periods.filter(audiences.rank() == rank),
                siblings=self.siblings.filter(audiences.rank() <= rank),
            )


def periods(
    channels: pl.DataFrame,
    days: Collection[object],
    observed: pl.DataFrame,
    *,
    now: datetime,
    by: Literal["day", "hour"] = "day",
) -> pl.DataFrame:
    """Cut local days of HEALTH_CHANNELS into PERIODS.

    A period reaches to the last whole hour that ended 15 minutes before `now`. The
    expected seconds are those with an installed sensor, from the channel's first hour
    with a figure; periods without any are left out. Sensors that report less than
    hourly have only days, once these ended; without readings, an interval later.
    `observed` (channel_id, time, observed_s) is the time covered by hours of figures,
    and by longer intervals at their middle.
    """
    long = pl.col("interval_s") > 3600
    known = check(channels, frames.HEALTH_CHANNELS)
    if by == "hour":
        known = known.filter(~long)
    wanted = known.join(_days(days), how="cross")
    last = pl.lit(now - JUDGING_DELAY, frames.TIME).dt.truncate("1h")
    spans = wanted.join(day_bounds(wanted), on=["time_zone", "day"]).with_columns(
        began="day_began", ended=pl.min_horizontal("day_ended", last)
    )
    waited = pl.col("day_ended") + pl.duration(seconds="interval_s") <= now
    spans = spans.with_columns(
        complete=pl.col("ended") == pl.col("day_ended"), due=~long | waited
    ).filter(~long | pl.col("complete"))
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
            # on a day on which sensors were swapped: the one that stayed
            pl.col(
                *("ended", "day", "municipality_id", "audience"),
                *("site_id", "sensor_id"),
                *("road", "latitude", "longitude", "quantity", "direction"),
                *("complete", "due"),
            ).last(),
            pl.col("since").min(),
            pl.col("until").max(),
            pl.col("expected_s").sum().cast(pl.Int32),
        )
    )
    heard = within(installed, observed).group_by(_KEY).agg(pl.col("observed_s").sum())
    return check(
        installed.join(heard, on=_KEY, how="left")
        .with_columns(pl.col("observed_s").fill_null(0).cast(pl.Int32))
        .filter((pl.col("observed_s") > 0) | pl.col("due")),
        frames.PERIODS,
    ).sort(_KEY)


def spans_of_days(channels: pl.DataFrame, days: Collection[object]) -> pl.DataFrame:
    """Return SPANS of HEALTH_CHANNELS from the first to the last of some local days."""
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
    """Return rows whose `time` is in a period of their channel, with its `began`."""
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


def totals(long: pl.DataFrame, channels: pl.DataFrame) -> pl.DataFrame:
    """Assign intervals above an hour to their local days (HEALTH_TOTALS).

    An interval of a whole day covers all of it, wherever it starts. usual: median of
    the whole days of the four weeks before, two at least.
    """
    whole = pl.col("interval_s") >= MIN_WHOLE_DAY_S
    began = pl.when(whole).then("day_began")
    ends = pl.col("time") + pl.duration(seconds="interval_s")
    days = with_day(long, channels)
    days = (
        days.join(day_bounds(days), on=["time_zone", "day"])
        .join(channels.select("channel_id", "quantity").unique(), on="channel_id")
        .with_columns(
            whole=whole,
            time=began.otherwise(pl.max_horizontal("time", "day_began")),
            ended=pl.min_horizontal(ends, "day_ended"),
        )
        .with_columns(
            interval_s=pl.when("whole")
            .then(pl.col("day_ended") - pl.col("day_began"))
            .otherwise(pl.col("ended") - pl.col("time"))
            .dt.total_seconds()
            .cast(pl.Int32)
        )
        .sort("channel_id", "day")
    )
    usual = (
        days.filter("whole")
        .rolling("day", period="28d", closed="left", group_by="channel_id")
        .agg(usual=pl.when(pl.col("volume").count() > 1).then(pl.median("volume")))
        .unique(["channel_id", "day"])
    )
    return check(
        days.join(usual, on=["channel_id", "day"], how="left"), HEALTH_TOTALS
    ).sort("channel_id", "time")


def readings(
    spans: pl.DataFrame, found: pl.DataFrame, channels: pl.DataFrame
) -> pl.DataFrame:
    """Make HEALTH_READINGS of stored readings, which lack `began`, zone and clock."""
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
    """Return whether the row's quantity is counted."""
    return pl.col("quantity").is_in(list(COUNTED))


def hours_of(evidence: Evidence) -> pl.DataFrame:
    """Return the hourly volumes of the periods to judge, with their `began`."""
    return within(evidence.periods, evidence.hours)


def usual_of(evidence: Evidence) -> pl.DataFrame:
    """Return the usual volume of each period: `usual`; null if unknown."""
    usual = pl.col("usual")
    columns = (*_KEY, "usual")
    return (
        pl.concat(
            [
                hours_of(evidence).select(columns),
                within(evidence.periods, evidence.totals).select(columns).unique(_KEY),
            ],
            how="vertical_relaxed",
        )
        .group_by(_KEY)
        .agg(pl.when(usual.count() > 0).then(usual.sum()).cast(pl.Float64))
    )


def failures(
    found: pl.DataFrame, *, value: pl.Expr, threshold: pl.Expr | float
) -> pl.DataFrame:
    """Make FAILURES of rows with `channel_id` and `began`."""
    bound = threshold if isinstance(threshold, pl.Expr) else pl.lit(threshold)
    return check(
        found.with_columns(
            value=value.cast(pl.Float64), threshold=bound.cast(pl.Float64)
        ),
        frames.FAILURES,
    )
