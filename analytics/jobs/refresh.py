"""Compute everything that changes with stale hours: frames in, frames out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

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


class Plan(NamedTuple):
    """The data to read in order to recompute stale hours."""

    #: SITE_DAYS to recompute
    days: pl.DataFrame
    #: SPANS of readings
    readings: pl.DataFrame
    windows: judging.Windows


@dataclass(frozen=True, slots=True)
class Given:
    """The data read; `stale` are the CHANNEL_HOURS to recompute."""

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
    #: LONG_VOLUMES that may belong to the days, as they were last computed
    long: pl.DataFrame
    excluded: pl.DataFrame
    imputed: pl.DataFrame
    school_holidays: pl.DataFrame
    events: pl.DataFrame
    cases: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Figures:
    """The results, which replace all figures of the stale hours and days."""

    #: VALID_VOLUMES of the stale hours
    volumes: pl.DataFrame
    #: changed USUAL of hours that are not stale
    usual: pl.DataFrame
    #: CHANNEL_HOURS to compute again: their validity differs from the stored one, or
    #: an interval above an hour belongs to their day, which is not computed here
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
    """Plan what to read; a stale hour changes the usual volumes of weeks after it."""
    stale = check(stale, frames.CHANNEL_HOURS)
    hours = stale.join(channels, on="channel_id").rename({"hour": "time"})
    # an hour in which a local day begins belongs to two days
    ends = hours.with_columns(pl.col("time") + _LAST_OF_HOUR)
    days = with_local(pl.concat([hours, ends])).select("site_id", "day")
    # sorted by channel: readings arrive in the order of the spans
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
    """Return the spans of stored volumes to read, by channel and length (`interval_s`).

    They cover the days of all counting channels of the sites; for hours also their
    windows and the weeks before, for quarter-hours their windows and the time before.
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
    """Return SPANS in which intervals above an hour of the days may begin."""
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
    """Compute all figures and cases that change with the stale hours."""
    fresh = volumes(given.counts, of=given.stale)
    kept = overlaps.of_other_hours(
        check(given.stored, frames.VALID_VOLUMES), given.stale
    )
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
    long = pl.concat([fresh_long, overlaps.of_other_hours(given.long, given.stale)])
    # new and stored intervals that began in the stale hours
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
                pl.concat(
                    [fresh_hours, overlaps.of_other_hours(given.hours, given.stale)]
                ),
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
    """Return INTERVALS of readings in the stale hours, and of those next to them."""
    known = list(frames.INTERVALS)
    return pl.concat(
        [
            given.counts.select(known),
            given.environment.select(known),
            given.neighbours.select(known),
        ]
    )


def _newest(intervals: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Return the NEWEST reading of each channel, ignoring times in the future."""
    return (
        intervals.filter(pl.col("time") < now)
        .group_by("channel_id")
        .agg(pl.col("time").max())
        .pipe(check, frames.NEWEST)
    )


def _counts() -> pl.Expr:
    return pl.col("quantity").is_in(list(COUNTED))


def _within(rows: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """Return the rows whose time lies in the span of their channel."""
    inside = (pl.col("time") >= pl.col("since")) & (pl.col("time") < pl.col("until"))
    return rows.join(spans, on="channel_id").filter(inside).drop("since", "until")


def _with_usual(
    rows: pl.DataFrame, usual: pl.DataFrame, rules: validity.Rules
) -> pl.DataFrame:
    """Add the usual volume, to hours only, and whether each bin is valid."""
    of_hour = usual.with_columns(interval_s=pl.lit(_HOUR_S, pl.Int32))
    return check(
        rows.join(of_hour, on=_KEY, how="left").with_columns(valid=rules.of_bin()),
        frames.VALID_VOLUMES,
    )


def _changed(judged: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """Return USUAL of kept hours whose stored usual volume differs."""
    differs = pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(f"{name}_was"))
        for name in ("usual", "usual_spread")
    )
    return check(_with_stored(judged, kept).filter(differs), frames.USUAL)


def _doubted(judged: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """Return kept CHANNEL_HOURS whose validity changes with their usual volume."""
    differs = pl.col("valid") != pl.col("valid_was")
    return check(
        _with_stored(judged, kept).filter(differs).rename({"time": "hour"}),
        frames.CHANNEL_HOURS,
    )


def _elsewhere(
    long: pl.DataFrame, days: pl.DataFrame, channels: pl.DataFrame
) -> pl.DataFrame:
    """Return the middle CHANNEL_HOURS of LONG_VOLUMES whose day is not in SITE_DAYS."""
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
