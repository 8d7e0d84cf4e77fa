"""From stale hours to everything that changes with them: frames in, frames out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from analytics import baseline, cases, daily, frames, judging, quarter_hours
from analytics.environment.hours import hours as environment_hours
from analytics.flow import histograms
from analytics.frames import check
from analytics.local_time import day_bounds, with_local
from analytics.quality import completeness, validity
from analytics.volumes import volumes
from verkehrspuls.quantities import COUNTED

_HOUR: Final = timedelta(hours=1)
_HOUR_S: Final = 3600
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
    excluded: pl.DataFrame
    imputed: pl.DataFrame
    school_holidays: pl.DataFrame
    cases: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Figures:
    """What to write: it replaces all figures of the stale hours and days."""

    #: VALID_VOLUMES of the stale hours
    volumes: pl.DataFrame
    #: USUAL that changed, of hours that are not stale
    usual: pl.DataFrame
    #: CHANNEL_HOURS that are valid or not otherwise than stored: to be computed again
    doubted: pl.DataFrame
    environment: pl.DataFrame
    #: SPEED_HISTOGRAMS of the stale hours
    histograms: pl.DataFrame
    days: pl.DataFrame
    judgements: tuple[cases.Judgement, ...]


def plan(stale: pl.DataFrame, channels: pl.DataFrame, *, weeks: int) -> Plan:
    """Tell what has to be read: what a stale hour changes is usual for weeks after."""
    stale = check(stale, frames.CHANNEL_HOURS)
    days = with_local(
        stale.join(channels, on="channel_id").rename({"hour": "time"})
    ).select("site_id", "day")
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
    days = days.join(day_bounds(days), on=["time_zone", "day"]).select(
        "channel_id", since="day_began", until="day_ended"
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
    fresh = volumes(_of_stale(given.counts, given.stale))
    kept = _not_stale(check(given.stored, frames.VALID_VOLUMES), given.stale)
    counted = pl.concat([fresh, check(kept, frames.VOLUMES)])
    hours = _within(counted.filter(pl.col("interval_s") == _HOUR_S), windows.hours)
    quarters = _within(
        counted.filter(pl.col("interval_s") == quarter_hours.QUARTER_S),
        judging.lead(windows.quarters),
    )
    key = ("channel_id", "time")
    targets = pl.concat([hours.select(key), quarter_hours.around(quarters)]).unique()
    usual = baseline.usual(
        completeness.without_excluded(counted, given.excluded),
        targets,
        channels=given.channels,
        weeks=weeks,
        school_holidays=given.school_holidays,
    )
    judged = _with_usual(hours, usual, rules)
    current = pl.concat(
        [
            judged,
            _with_usual(fresh.join(judged, on=_KEY, how="anti"), usual, rules),
            kept.join(judged, on=_KEY, how="anti"),
        ]
    )
    fresh_hours = environment_hours(_of_stale(given.environment, given.stale))
    return Figures(
        volumes=_of_stale(current, given.stale),
        usual=_changed(judged, kept),
        doubted=_doubted(judged, kept),
        environment=fresh_hours,
        histograms=histograms.merged(_of_stale(given.histograms, given.stale)),
        days=daily.days(
            current,
            wanted.days,
            channels=given.channels,
            installed=given.installed,
            excluded=given.excluded,
            imputed=given.imputed,
            rules=rules,
        ),
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
            judging.judge_gaps(
                _intervals(given),
                wanted.readings,
                given.cases,
                installed=given.installed,
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


def _counts() -> pl.Expr:
    return pl.col("quantity").is_in(list(COUNTED))


def _of_stale(readings: pl.DataFrame, stale: pl.DataFrame) -> pl.DataFrame:
    return readings.join(
        stale,
        left_on=["channel_id", pl.col("time").dt.truncate("1h")],
        right_on=["channel_id", "hour"],
        how="semi",
    )


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


def _with_stored(judged: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    columns = ("usual", "usual_spread", "valid")
    before = kept.select(
        *_KEY, *(pl.col(name).alias(f"{name}_was") for name in columns)
    )
    return judged.join(before, on=_KEY)
