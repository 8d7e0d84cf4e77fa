"""Mark days for judging channel health, read their evidence, and write verdicts.

Days are marked when their hours are computed, and repeatedly while they run. `judge`
takes a week of marks in one transaction, which keeps them if the worker dies.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

import polars as pl

from analytics import frames
from analytics.frames import check
from analytics.health import evidence
from analytics.health.evidence import LOOK_BACK, TOTALS_LOOK_BACK, Evidence
from analytics.health.verdicts import METHOD, faults
from analytics.health.verdicts import judge as judge_evidence
from analytics.jobs.store import Store
from analytics.quality.gaps import Tolerance
from analytics.quality.validity import DEFAULT
from analytics.volumes.volume import volume_of_reading
from verkehrspuls.settings import Health

#: Reads a named query's rows, as `Store.read` does.
Read = Callable[..., pl.DataFrame]


def mark(store: Store, days: pl.DataFrame) -> None:
    """Mark SITE_DAYS whose figures changed, in the running transaction."""
    store.execute(
        "mark_days", sites=days["site_id"].to_list(), days=days["day"].to_list()
    )


def mark_running(store: Store, *, now: datetime) -> None:
    """Mark the running day of each site, and days that ended since the last verdict."""
    with store.connection.transaction():
        sites = [row["site_id"] for row in store.execute("lock_sites")]
        store.execute("mark_running_days", sites=sites, now=now)


def judge(store: Store, limits: Health, *, now: datetime) -> bool:
    """Judge the oldest week of marked days; return whether there are more."""
    with store.connection.transaction():
        sites = [row["site_id"] for row in store.execute("lock_sites")]
        claimed = store.execute("claim_days", sites=sites).fetchall()
        if not claimed:
            return False
        wanted = pl.DataFrame(claimed, schema=dict(frames.SITE_DAYS))
        found = verdicts(store.read, wanted, limits, now=now)
        store.execute(
            "put_health",
            channels=found["channel_id"].to_list(),
            days=found["day"].to_list(),
            verdicts=found["verdict"].to_list(),
            values=found["value"].to_list(),
            thresholds=found["threshold"].to_list(),
            levels=found["level"].to_list(),
            complete=found["complete"].to_list(),
            is_fault=found["verdict"].is_in(faults()).to_list(),
            method=METHOD,
            now=now,
        )
        return bool(store.one("days_left", sites=sites)["left"])


def verdicts(
    read: Read,
    wanted: pl.DataFrame,
    limits: Health,
    *,
    now: datetime,
    by: Literal["day", "hour"] = "day",
    gaps: Tolerance = DEFAULT.gaps,
) -> pl.DataFrame:
    """Read the evidence of SITE_DAYS, and return their VERDICTS.

    The evidence are hourly figures of all channels over the days and six days before
    them, and readings of the wanted days only. `gaps` are the acceptable gaps of hours.
    """
    channels = check(read("health_channels"), frames.HEALTH_CHANNELS)
    days = wanted["day"].unique().to_list()
    spans = evidence.spans_of_days(channels, days)
    back = spans.with_columns(pl.col("since") - LOOK_BACK)
    hours = check(
        read("stored_volumes", intervals=[3600] * back.height, **_spans(back)),
        frames.STORED_VOLUMES,
    )
    columns = ("channel_id", "time", "observed_s")
    values = read("stored_environment_hours", **_spans(spans))
    totals = _totals(read, spans, channels)
    siblings = evidence.periods(
        channels,
        days,
        pl.concat(
            [
                hours.select(columns),
                values.select(columns),
                totals.select("channel_id", "time", observed_s="interval_s"),
            ]
        ),
        now=now,
        by=by,
    )
    periods = siblings.join(wanted, on=["site_id", "day"], how="semi")
    readings = _readings(read, periods, channels, totals)
    return judge_evidence(
        Evidence(periods, siblings, readings, hours, totals, gaps), limits
    )


def _totals(read: Read, spans: pl.DataFrame, channels: pl.DataFrame) -> pl.DataFrame:
    """Read HEALTH_TOTALS of sensors that report less than hourly, from weeks before."""
    long = channels.filter(pl.col("interval_s") > 3600)
    before = spans.join(long, on="channel_id", how="semi").with_columns(
        pl.col("since") - TOTALS_LOOK_BACK
    )
    if before.is_empty():
        return frames.empty(frames.HEALTH_TOTALS)
    return evidence.totals(read("long_intervals", **_spans(before)), long)


def _readings(
    read: Read, periods: pl.DataFrame, channels: pl.DataFrame, totals: pl.DataFrame
) -> pl.DataFrame:
    """Read HEALTH_READINGS of the periods."""
    spans = periods.group_by("channel_id").agg(
        pl.col("quantity").first(),
        pl.col("began").min().alias("since"),
        pl.col("ended").max().alias("until"),
    )
    counting = spans.filter(evidence.counted())
    others = spans.filter(~evidence.counted())
    counts = (
        read("health_counts", **_spans(counting))
        .join(counting.select("channel_id", "quantity"), on="channel_id")
        .with_columns(volume=volume_of_reading())
        .select(
            *("channel_id", "time", "interval_s", "volume", "occupancy"),
            *("speed_kmh", "time_origin"),
        )
    )
    values = read("environment_readings", **_spans(others))
    both = pl.concat([counts, values], how="diagonal")
    if totals.height:
        has_totals = pl.col("channel_id").is_in(totals["channel_id"].unique().to_list())
        shorter = both.filter(~has_totals | (pl.col("interval_s") <= 3600))
        both = pl.concat([shorter, totals.drop("quantity", "usual")], how="diagonal")
    return evidence.readings(periods, both, channels)


def _spans(spans: pl.DataFrame) -> dict[str, list[Any]]:
    """Return the parameters of a query that takes spans of channels."""
    return {
        "channels": spans["channel_id"].to_list(),
        "since": spans["since"].to_list(),
        "until": spans["until"].to_list(),
    }
