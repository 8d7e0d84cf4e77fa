"""Figures in the database: what is read to compute them, and what is replaced."""

import logging
from datetime import timedelta
from typing import Any, Final

import polars as pl

from analytics import (
    case_days,
    case_hours,
    case_store,
    frames,
    health_store,
    judging,
    refresh,
)
from analytics.frames import check
from analytics.store import Store
from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage import calendar

log = logging.getLogger(__name__)

_HOUR: Final = timedelta(hours=1)


def read(
    store: Store,
    stale: pl.DataFrame,
    *,
    channels: pl.DataFrame,
    wanted: refresh.Plan,
    weeks: int,
) -> tuple[refresh.Given, judging.Windows]:
    """Read what the plan wants; returns it with the widened windows of judgement."""
    sites = channels["site_id"].unique().to_list()
    stored_cases = case_store.stored(
        store,
        pl.concat([wanted.readings, wanted.windows.hours, wanted.windows.values])
        .group_by("channel_id")
        .agg(pl.col("since").min(), pl.col("until").max()),
    )
    # whole local days around what is stale
    since, until = stale.select(
        since=pl.col("hour").min() - pl.duration(days=2),
        until=pl.col("hour").max() + pl.duration(days=2),
    ).row(0)
    windows = wanted.windows.widened(stored_cases)
    counts, histograms = _count_readings(store, wanted, channels)
    spans = refresh.stored_spans(wanted, channels, windows, weeks=weeks)
    return (
        refresh.Given(
            stale=stale,
            channels=channels,
            installed=store.frame(
                "installations_of_sites", frames.INSTALLATIONS, sites=sites
            ),
            counts=check(counts, frames.COUNT_READINGS),
            histograms=histograms,
            environment=_environment_readings(store, wanted, channels),
            neighbours=store.frame(
                "neighbour_readings", frames.INTERVALS, **_spans(wanted.readings)
            ),
            stored=_stored_volumes(store, spans),
            hours=_stored_hours(store, windows.values),
            # of samples of the baseline as well
            excluded=store.frame(
                "excluded_spans",
                frames.SPANS,
                sites=sites,
                since=min([since, *spans["since"]]),
                until=max([until, *spans["until"]]),
            ),
            imputed=store.frame(
                "imputed_of_sites",
                frames.IMPUTED,
                sites=sites,
                since=since,
                until=until,
            ),
            school_holidays=_school_holidays(store),
            cases=stored_cases,
        ),
        windows,
    )


def _count_readings(
    store: Store, wanted: refresh.Plan, channels: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """COUNT_READINGS, and their HISTOGRAM_READINGS."""
    chosen = channels.filter(pl.col("quantity").is_in(list(COUNTED)))
    spans = wanted.readings.join(chosen, on="channel_id", how="semi")
    histograms = frames.empty(frames.HISTOGRAM_READINGS)
    if spans.is_empty():
        return frames.empty(frames.COUNT_READINGS), histograms
    found = store.read_columns("count_readings", **_spans(spans))
    having = found.filter(pl.col("histograms") > 0)
    spans = spans.join(having, on="channel_id", how="semi")
    if not spans.is_empty():
        read = store.read("histogram_readings", **_spans(spans))
        histograms = check(read, frames.HISTOGRAM_READINGS)
    return check(_with_quantity(found, chosen), frames.COUNT_READINGS), histograms


def _environment_readings(
    store: Store, wanted: refresh.Plan, channels: pl.DataFrame
) -> pl.DataFrame:
    """ENVIRONMENT_READINGS."""
    chosen = channels.filter(~pl.col("quantity").is_in(list(COUNTED)))
    spans = wanted.readings.join(chosen, on="channel_id", how="semi")
    if spans.is_empty():
        return frames.empty(frames.ENVIRONMENT_READINGS)
    found = store.read("environment_readings", **_spans(spans))
    return check(_with_quantity(found, chosen), frames.ENVIRONMENT_READINGS)


def _with_quantity(readings: pl.DataFrame, channels: pl.DataFrame) -> pl.DataFrame:
    return readings.join(channels.select("channel_id", "quantity"), on="channel_id")


def _school_holidays(store: Store) -> pl.DataFrame:
    return pl.DataFrame(
        calendar.school_holidays(store.connection),
        schema=dict(frames.SCHOOL_HOLIDAYS),
    )


def _stored_hours(store: Store, windows: pl.DataFrame) -> pl.DataFrame:
    """Hours of environment figures that are stored, with what comes before."""
    if windows.is_empty():
        return frames.empty(frames.ENVIRONMENT_HOURS)
    found = store.read("stored_environment_hours", **_spans(judging.lead(windows)))
    return check(found, frames.ENVIRONMENT_HOURS)


def _stored_volumes(store: Store, spans: pl.DataFrame) -> pl.DataFrame:
    if spans.is_empty():
        return frames.empty(frames.VALID_VOLUMES)
    found = store.read_columns(
        "volume_columns", intervals=spans["interval_s"].to_list(), **_spans(spans)
    )
    return check(
        found.with_columns(pl.col("valid").cast(pl.Boolean)), frames.VALID_VOLUMES
    )


def write(
    store: Store,
    given: refresh.Given,
    wanted: refresh.Plan,
    figures: refresh.Figures,
) -> None:
    """Replace the figures of the stale hours and days, and judge their cases."""
    stale, days = given.stale, wanted.days
    store.execute(
        "ensure_figures",
        earliest=stale["hour"].min(),
        latest=stale["hour"].max(),
    )
    _drop_hours(store, "drop_volumes", _hours_in(given.stored, stale))
    _drop_hours(
        store,
        "drop_speed_histograms",
        # an hour may have histograms, and no volume
        pl.concat(
            [
                _hours_in(given.stored, stale),
                _hours_in(figures.histograms, stale),
            ]
        ).unique(),
    )
    _drop_hours(store, "drop_environment_hours", _hours_in(given.hours, stale))
    store.execute(
        "drop_days",
        sites=days["site_id"].to_list(),
        days=days["day"].to_list(),
    )
    store.copy_columns("copy_volumes", figures.volumes)
    store.copy("copy_environment_hours", figures.environment)
    store.copy("copy_speed_histograms", _with_arrays(figures.histograms))
    store.copy("copy_days", figures.days)
    health_store.mark(store, days)
    _put_usual(store, figures.usual)
    _mark_doubted(store, figures.doubted)
    case_store.write(store, figures.judgements)
    case_hours.mark(store, _site_hours(given.channels, stale, figures.usual))
    case_days.mark(store, days)
    log.debug(
        "refreshed",
        extra={
            "hours": stale.height,
            "readings": given.counts.height + given.environment.height,
            "volumes": figures.volumes.height,
            "days": figures.days.height,
            "usual": figures.usual.height,
        },
    )


def _site_hours(
    channels: pl.DataFrame, stale: pl.DataFrame, usual: pl.DataFrame
) -> pl.DataFrame:
    """Hours of counting sites that were computed, or for which something else is usual.

    Gives `site_id` and `hour`.
    """
    changed = pl.concat([stale, usual.select("channel_id", hour="time")])
    counting = channels.filter(pl.col("quantity").is_in(list(COUNTED)))
    return changed.join(counting, on="channel_id").select("site_id", "hour")


def _hours_in(stored: pl.DataFrame, stale: pl.DataFrame) -> pl.DataFrame:
    """The stale hours that have figures."""
    hours = stored.select("channel_id", hour=pl.col("time").dt.truncate("1h"))
    return stale.join(hours, on=["channel_id", "hour"], how="semi")


def _drop_hours(store: Store, query: str, hours: pl.DataFrame) -> None:
    """Drop the figures of CHANNEL_HOURS, those in a row at once."""
    if not hours.is_empty():
        store.execute(query, **_spans(_in_a_row(hours)))


def _in_a_row(hours: pl.DataFrame) -> pl.DataFrame:
    """Give the SPANS that CHANNEL_HOURS cover."""
    after = pl.col("hour").diff().over("channel_id") != _HOUR
    return (
        hours.sort("channel_id", "hour")
        .group_by("channel_id", after.fill_null(value=True).cum_sum().alias("row"))
        .agg(since=pl.col("hour").min(), until=pl.col("hour").max() + _HOUR)
        .select(list(frames.SPANS))
    )


def _put_usual(store: Store, usual: pl.DataFrame) -> None:
    if not usual.is_empty():
        store.execute(
            "put_usual",
            channels=usual["channel_id"].to_list(),
            hours=usual["time"].to_list(),
            usual=usual["usual"].to_list(),
            spreads=usual["usual_spread"].to_list(),
        )


def _mark_doubted(store: Store, hours: pl.DataFrame) -> None:
    if not hours.is_empty():
        store.execute(
            "mark_hours",
            channels=hours["channel_id"].to_list(),
            hours=hours["hour"].to_list(),
        )


def _with_arrays(frame: pl.DataFrame) -> pl.DataFrame:
    """Write the lists of `counts` as PostgreSQL reads arrays; CSV has none."""
    listed = pl.col("counts").cast(pl.List(pl.String)).list.join(",")
    return frame.with_columns(counts=pl.lit("{") + listed + pl.lit("}"))


def _spans(spans: pl.DataFrame) -> dict[str, list[Any]]:
    """The parameters of a query that takes spans of channels."""
    return {
        "channels": spans["channel_id"].to_list(),
        "since": spans["since"].to_list(),
        "until": spans["until"].to_list(),
    }
