"""From stale hours to everything that changes with them: frames in, frames out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from analytics import frames
from analytics.baseline import quarter_hours
from analytics.baseline.hours import usual as usual_volumes
from analytics.cases import judging, members
from analytics.environment.hours import hours as environment_hours
from analytics.flow import histograms
from analytics.frames import check
from analytics.local_time import day_bounds, with_local
from analytics.quality import completeness, validity
from analytics.volumes import daily, long_intervals, overlaps
from analytics.volumes.volume import volumes
from verkehrspuls.quantities import COUNTED

_HOUR: Final = timedelta(hours=1)
_HOUR_S: Final = 3600
_LAST_OF_HOUR: Final = timedelta(hours=1, microseconds=-1)
_KEY: Final = ("channel_id", "interval_s", "time")


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be read to recompute stale hours."""

    #: SITE_DAYS to recompute
    days: pl.DataFrame
    #: SPANS of readings
    readings: pl.DataFrame
    windows: judging.Windows


@dataclass(frozen=True, slots=True)
class Given:
    """What was read. `stale` are the CHANNEL_HOURS to recompute."""

    stale: pl.DataFrame
    channels: pl.DataFrame
    installed: pl.DataFrame
    counts: pl.DataFrame
    #: HISTOGRAM_READINGS
    histograms: pl.DataFrame
    environment: pl.DataFrame
    neighbours: pl.DataFrame
    #: VALID_VOLUMES and ENVIRONMENT_HOURS as they were last computed
    stored: pl.DataFrame
    hours: pl.DataFrame
    #: LONG_VOLUMES as they were last computed, those that may belong to the days
    long: pl.DataFrame
    excluded: pl.DataFrame
    imputed: pl.DataFrame
    school_holidays: pl.DataFrame
    events: pl.DataFrame
    cases: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Figures:
    """What to write: it replaces all figures of the stale hours and days."""

    #: VALID_VOLUMES of the stale hours
    volumes: pl.DataFrame
    #: USUAL that changed, of hours that are not stale
    usual: pl.DataFrame
    #: CHANNEL_HOURS to be computed again: valid or not otherwise than stored, or of a
    #: day that is not computed here, to which an interval above an hour belongs
    doubted: pl.DataFrame
    environment: pl.DataFrame
    #: LONG_VOLUMES and LONG_VALUES that began in the stale hours
    long: pl.DataFrame
    long_values: pl.DataFrame
    #: SPEED_HISTOGRAMS of the stale hours
    histograms: pl.DataFrame
    days: pl.DataFrame
    #: NEWEST of the channels
    newest: pl.DataFrame
    judgements: tuple[members.Judgement, ...]


def plan(stale: pl.DataFrame, channels: pl.DataFrame, *, weeks: int) -> Plan:
    """Return what has to be read; a stale hour changes the usual of weeks after it."""
    stale = check(stale, frames.CHANNEL_HOURS)
    hours = stale.join(channels, on="channel_id").rename({"hour": "time"})
    # an hour in which a local day begins is of two
    ends = hours.with_columns(pl.col("time") + _LAST_OF_HOUR)
    days = with_local(pl.concat([hours, ends])).select("site_id", "day")
    # by channel: readings come in the order in which they are asked for
    readings = (
        stale.group_by("channel_id")
        .agg(since=pl.col("hour").min(), until=pl.col("hour").max() + _HOUR)
        .sort("channel_id")
    )
    return Plan(
        days.unique(),
        check(readings, frames.SPANS),
        judging.windows(readings, channels, weeks=weeks),
    )


def stored_spans(
    wanted: Plan, channels: pl.DataFrame, windows: judging.Windows, *, weeks: int
) -> pl.DataFrame:
    """Spans of stored volumes to read, by channel and length (`interval_s`).

    All counting channels of the sites over the days; hours also over their windows and
    the weeks before them, quarter-hours over theirs and what comes before.
    """
    days = wanted.days.join(channels.filter(_counts()), on="site_id")
    whole = {"since": pl.col("day_began"), "until": pl.col("day_ended") + _LAST_OF_HOUR}
    days = days.join(day_bounds(days), on=["time_zone", "day"]).select(
        "channel_id", **{name: time.dt.truncate("1h") for name, time in whole.items()}
    )
    before = timedelta(weeks=weeks, days=2)
    hours = windows.hours.with_columns(pl.col("since") - before)
    return (
        pl.concat(
            [
                spans.with_columns(interval_s=pl.lit(interval_s, pl.Int32))
                for interval_s, own in (
                    (_HOUR_S, hours),
                    (quarter_hours.QUARTER_S, judging.lead(windows.quarters)),
                )
                for spans in (days, own)
            ]
        )
        .group_by("channel_id", "interval_s")
        .agg(pl.col("since").min(), pl.col("until").max())
    )


def long_spans(wanted: Plan, channels: pl.DataFrame) -> pl.DataFrame:
    """SPANS in which intervals above an hour begin that may belong to the days."""
    days = wanted.days.join(channels.filter(_counts()), on="site_id")
    before = pl.duration(seconds=long_intervals.MAX_INTERVAL_S)
    return (
        days.join(day_bounds(days), on=["time_zone", "day"])
        .group_by("channel_id")
        .agg(
            since=(pl.col("day_began") - before).min(), until=pl.col("day_ended").max()
        )
        .pipe(check, frames.SPANS)
    )


def refresh(
    wanted: Plan,
    windows: judging.Windows,
    given: Given,
    *,
    weeks: int,
    rules: validity.Rules,
    now: datetime,
) -> Figures:
    """Compute what the stale hours change."""
    fresh = volumes(given.counts, of=given.stale)
    kept = _not_stale(check(given.stored, frames.VALID_VOLUMES), given.stale)
    counted = pl.concat([fresh, check(kept, frames.VOLUMES)])
    hours = _within(counted.filter(pl.col("interval_s") == _HOUR_S), windows.hours)
    quarters = _within(
        counted.filter(pl.col("interval_s") == quarter_hours.QUARTER_S),
        judging.lead(windows.quarters),
    )
    key = ("channel_id", "time")
    targets = pl.concat([hours.select(key), quarter_hours.around(quarters)]).unique()
    usual = usual_volumes(
        completeness.without_excluded(counted, given.excluded),
        targets,
        channels=given.channels,
        weeks=weeks,
        school_holidays=given.school_holidays,
        events=given.events,
    )
    judged = _with_usual(hours, usual, rules)
    current = pl.concat(
        [
            judged,
            _with_usual(fresh.join(judged, on=_KEY, how="anti"), usual, rules),
            kept.join(judged, on=_KEY, how="anti"),
        ]
    )
    fresh_long = long_intervals.volumes(overlaps.of_hours(given.counts, given.stale))
    long = pl.concat([fresh_long, _not_stale(given.long, given.stale)])
    # of what began in the stale hours: what is now, and what was
    touched = pl.concat([fresh_long, overlaps.of_hours(given.long, given.stale)])
    fresh_hours = environment_hours(given.environment, of=given.stale)
    return Figures(
        volumes=overlaps.of_hours(current, given.stale),
        usual=_changed(judged, kept),
        doubted=pl.concat(
            [
                _doubted(judged, kept),
                _elsewhere(touched, wanted.days, given.channels),
            ]
        ).unique(),
        environment=fresh_hours,
        long=fresh_long,
        long_values=long_intervals.values(
            overlaps.of_hours(given.environment, given.stale)
        ),
        histograms=histograms.merged(given.histograms, of=given.stale),
        days=daily.days(
            current,
            wanted.days,
            channels=given.channels,
            installed=given.installed,
            excluded=given.excluded,
            imputed=given.imputed,
            long=long,
            rules=rules,
        ),
        newest=_newest(_intervals(given), now),
        judgements=(
            *judging.judge_hours(judged, windows.hours, given.cases, now=now),
            *judging.judge_quarters(
                quarter_hours.with_usual(quarters, usual),
                windows.quarters,
                given.cases,
                motor=given.channels.filter(pl.col("quantity") == "motor"),
                now=now,
            ),
            *judging.judge_values(
                pl.concat([fresh_hours, _not_stale(given.hours, given.stale)]),
                windows.values,
                given.cases,
                channels=given.channels,
                now=now,
            ),
            *judging.judge_gaps(
                _intervals(given),
                wanted.readings,
                given.cases,
                installed=given.installed,
                now=now,
            ),
        ),
    )


def _intervals(given: Given) -> pl.DataFrame:
    """When readings of the stale hours, and those next to them, began and ended."""
    known = list(frames.INTERVALS)
    return pl.concat(
        [
            given.counts.select(known),
            given.environment.select(known),
            given.neighbours.select(known),
        ]
    )


def _newest(intervals: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """The newest reading of each channel; what is of the future is of a wrong clock."""
    return (
        intervals.filter(pl.col("time") < now)
        .group_by("channel_id")
        .agg(pl.col("time").max())
        .pipe(check, frames.NEWEST)
    )


def _counts() -> pl.Expr:
    return pl.col("quantity").is_in(list(COUNTED))


def _not_stale(stored: pl.DataFrame, stale: pl.DataFrame) -> pl.DataFrame:
    return stored.join(
        stale,
        left_on=["channel_id", pl.col("time").dt.truncate("1h")],
        right_on=["channel_id", "hour"],
        how="anti",
    )


def _within(rows: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """Rows whose time lies in the span of their channel."""
    inside = (pl.col("time") >= pl.col("since")) & (pl.col("time") < pl.col("until"))
    return rows.join(spans, on="channel_id").filter(inside).drop("since", "until")


def _with_usual(
    rows: pl.DataFrame, usual: pl.DataFrame, rules: validity.Rules
) -> pl.DataFrame:
    """Add what is usual, to hours only, and whether the bins are valid."""
    of_hour = usual.with_columns(interval_s=pl.lit(_HOUR_S, pl.Int32))
    return check(
        rows.join(of_hour, on=_KEY, how="left").with_columns(valid=rules.of_bin()),
        frames.VALID_VOLUMES,
    )


def _changed(judged: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """What is usual now, of kept hours for which something else is stored."""
    differs = pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(f"{name}_was"))
        for name in ("usual", "usual_spread")
    )
    return check(_with_stored(judged, kept).filter(differs), frames.USUAL)


def _doubted(judged: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """Kept hours whose gaps are acceptable now, or no longer, for what is usual."""
    differs = pl.col("valid") != pl.col("valid_was")
    return check(
        _with_stored(judged, kept).filter(differs).rename({"time": "hour"}),
        frames.CHANNEL_HOURS,
    )


def _elsewhere(
    long: pl.DataFrame, days: pl.DataFrame, channels: pl.DataFrame
) -> pl.DataFrame:
    """The hours in the middle of LONG_VOLUMES whose day is none of SITE_DAYS."""
    if long.is_empty():  # nearly always
        return frames.empty(frames.CHANNEL_HOURS)
    middle = pl.col("time") + pl.duration(seconds="interval_s") / 2
    return check(
        long_intervals.with_day(long, channels)
        .join(days, on=["site_id", "day"], how="anti")
        .with_columns(hour=middle.dt.truncate("1h")),
        frames.CHANNEL_HOURS,
    )


def _with_stored(judged: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    columns = ("usual", "usual_spread", "valid")
    before = kept.select(
        *_KEY, *(pl.col(name).alias(f"{name}_was") for name in columns)
    )
    return judged.join(before, on=_KEY)
