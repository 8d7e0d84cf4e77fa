"""From stale hours to everything that changes with them: frames in, frames out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from analytics import baseline, cases, daily, frames
from analytics.anomalies import silence, stuck, unusual_volume
from analytics.environment.hours import hours as environment_hours
from analytics.frames import check
from analytics.local_time import day_bounds, with_local
from analytics.volumes import volumes
from verkehrspuls.quantities import COUNTED

#: Judged again before a stale hour: the beginning of what the hour may belong to, and
#: hours that were still running when they were last computed.
LOOK_BACK: Final = timedelta(hours=24)

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
    #: SPANS of hours of counting channels to judge again
    windows: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Given:
    """What was read. `stale` are the CHANNEL_HOURS to recompute."""

    stale: pl.DataFrame
    channels: pl.DataFrame
    installed: pl.DataFrame
    counts: pl.DataFrame
    environment: pl.DataFrame
    neighbours: pl.DataFrame
    #: STORED_VOLUMES and ENVIRONMENT_HOURS as they were last computed
    stored: pl.DataFrame
    hours: pl.DataFrame
    excluded: pl.DataFrame
    cases: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Figures:
    """What to write: it replaces all figures of the stale hours and days."""

    #: STORED_VOLUMES of the stale hours
    volumes: pl.DataFrame
    #: USUAL that changed, of hours that are not stale
    usual: pl.DataFrame
    environment: pl.DataFrame
    days: pl.DataFrame
    judgements: tuple[cases.Judgement, ...]


def plan(stale: pl.DataFrame, channels: pl.DataFrame, *, weeks: int) -> Plan:
    """Tell what has to be read: what a stale hour changes is usual for weeks after."""
    stale = check(stale, frames.CHANNEL_HOURS)
    days = with_local(
        stale.join(channels, on="channel_id").rename({"hour": "time"})
    ).select("site_id", "day")
    readings = stale.group_by("channel_id").agg(
        since=pl.col("hour").min(), until=pl.col("hour").max() + _HOUR
    )
    windows = readings.join(
        channels.filter(_counts()), on="channel_id", how="semi"
    ).with_columns(
        pl.col("since") - LOOK_BACK, pl.col("until") + timedelta(weeks=weeks, days=1)
    )
    return Plan(
        days.unique(),
        check(readings, frames.SPANS),
        check(windows, frames.SPANS),
    )


def stored_spans(
    wanted: Plan, channels: pl.DataFrame, windows: pl.DataFrame, *, weeks: int
) -> pl.DataFrame:
    """Spans of stored volumes to read, by channel and length (`interval_s`).

    All counting channels of the sites over the days; hours also over `windows` and the
    weeks before them.
    """
    days = wanted.days.join(channels.filter(_counts()), on="site_id")
    days = days.join(day_bounds(days), on=["time_zone", "day"]).select(
        "channel_id", since="day_began", until="day_ended"
    )
    before = timedelta(weeks=weeks, days=2)
    hours = pl.concat([days, windows.with_columns(pl.col("since") - before)])
    return (
        pl.concat(
            [
                hours.with_columns(interval_s=pl.lit(_HOUR_S, pl.Int32)),
                days.with_columns(interval_s=pl.lit(900, pl.Int32)),
            ]
        )
        .group_by("channel_id", "interval_s")
        .agg(pl.col("since").min(), pl.col("until").max())
    )


def refresh(
    wanted: Plan, windows: pl.DataFrame, given: Given, *, weeks: int, now: datetime
) -> Figures:
    """Compute what the stale hours change."""
    fresh = volumes(_of_stale(given.counts, given.stale))
    hour = pl.col("time").dt.truncate("1h")
    kept = check(given.stored, frames.STORED_VOLUMES).join(
        given.stale,
        left_on=["channel_id", hour],
        right_on=["channel_id", "hour"],
        how="anti",
    )
    current = pl.concat([fresh, check(kept, frames.VOLUMES)])
    judged = _within(current.filter(pl.col("interval_s") == _HOUR_S), windows)
    usual = baseline.usual(current, judged, channels=given.channels, weeks=weeks)
    return Figures(
        volumes=_with_usual(fresh, usual),
        usual=_changed(usual, judged, kept),
        environment=environment_hours(_of_stale(given.environment, given.stale)),
        days=daily.days(
            current,
            wanted.days,
            channels=given.channels,
            installed=given.installed,
            excluded=given.excluded,
        ),
        judgements=(
            *_judge_volumes(
                _with_usual(judged, usual).filter(pl.col("time") + _HOUR <= now),
                windows,
                given,
            ),
            _judge_silence(wanted, given),
        ),
    )


def _judge_volumes(
    hours: pl.DataFrame, windows: pl.DataFrame, given: Given
) -> tuple[cases.Judgement, ...]:
    """Judge hours; what a stuck detector explains is not called unusual, too."""
    stuck_hits = stuck.detect(hours)
    unusual = cases.without(unusual_volume.detect(hours), stuck_hits)
    return tuple(
        cases.judge(hits, name, stored=given.cases, windows=windows)
        for name, hits in ((stuck.NAME, stuck_hits), (unusual_volume.NAME, unusual))
    )


def _judge_silence(wanted: Plan, given: Given) -> cases.Judgement:
    """Judge the gaps from the reading before the stale hours to the one after them."""
    known = list(frames.INTERVALS)
    intervals = pl.concat(
        [
            given.counts.select(known),
            given.environment.select(known),
            given.neighbours.select(known),
        ]
    )
    first = pl.col("time").min()
    windows = intervals.group_by("channel_id").agg(
        since=first, until=pl.col("time").max()
    )
    hits = silence.gaps(intervals, given.installed)
    judged = windows.join(wanted.readings, on="channel_id", how="semi")
    return cases.judge(hits, silence.NAME, stored=given.cases, windows=judged)


def _counts() -> pl.Expr:
    return pl.col("quantity").is_in(list(COUNTED))


def _of_stale(readings: pl.DataFrame, stale: pl.DataFrame) -> pl.DataFrame:
    return readings.join(
        stale,
        left_on=["channel_id", pl.col("time").dt.truncate("1h")],
        right_on=["channel_id", "hour"],
        how="semi",
    )


def _within(rows: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """Rows whose time lies in the span of their channel."""
    inside = (pl.col("time") >= pl.col("since")) & (pl.col("time") < pl.col("until"))
    return rows.join(spans, on="channel_id").filter(inside).drop("since", "until")


def _with_usual(rows: pl.DataFrame, usual: pl.DataFrame) -> pl.DataFrame:
    """Add what is usual, to hours only."""
    of_hour = usual.with_columns(interval_s=pl.lit(_HOUR_S, pl.Int32))
    return check(rows.join(of_hour, on=_KEY, how="left"), frames.STORED_VOLUMES)


def _changed(
    usual: pl.DataFrame, judged: pl.DataFrame, kept: pl.DataFrame
) -> pl.DataFrame:
    """What is usual now, of kept hours for which something else is stored."""
    columns = ("usual", "usual_spread")
    before = kept.select(
        *_KEY, *(pl.col(name).alias(f"{name}_was") for name in columns)
    )
    differs = pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(f"{name}_was")) for name in columns
    )
    return check(
        _with_usual(judged, usual).join(before, on=_KEY).filter(differs), frames.USUAL
    )
