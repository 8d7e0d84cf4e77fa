"""Read what figures are computed from, and replace the figures in the database."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import polars as pl

from analytics import frames
from analytics.cases import judging
from analytics.frames import check
from analytics.jobs import case_days, case_hours, case_store, health_store, refresh
from analytics.jobs.store import Store, school_holidays
from analytics.volumes import overlaps
from analytics.volumes.calibration import calibrated
from verkehrspuls.quantities import COUNTED

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
    """Read the data of a plan; return them with the widened windows to judge."""
    sites = channels["site_id"].unique().to_list()
    stored_cases = case_store.stored(
        store,
        pl.concat([wanted.readings, wanted.windows.hours, wanted.windows.values])
        .group_by("channel_id")
        .agg(pl.col("since").min(), pl.col("until").max()),
    )
    # whole local days around the stale hours
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
            counts=counts,
            histograms=histograms,
            environment=_environment_readings(store, wanted, channels),
            neighbours=store.frame(
                "neighbour_readings", frames.INTERVALS, **_spans(wanted.readings)
            ),
            stored=_stored_volumes(store, spans),
            hours=_stored_hours(store, windows.values),
            long=_stored_long(store, refresh.long_spans(wanted, channels)),
            # also for the samples of the baseline
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
            school_holidays=school_holidays(store),
            events=store.frame("events_of_sites", frames.EVENTS, sites=sites),
            cases=stored_cases,
        ),
        windows,
    )


def _count_readings(
    store: Store, wanted: refresh.Plan, channels: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read COUNT_READINGS and their HISTOGRAM_READINGS."""
    chosen = channels.filter(pl.col("quantity").is_in(list(COUNTED)))
    spans = wanted.readings.join(chosen, on="channel_id", how="semi")
    histograms = frames.empty(frames.HISTOGRAM_READINGS)
    if spans.is_empty():
        return frames.empty(frames.COUNT_READINGS), histograms
    found, details = _with_others(
        store,
        spans,
        "count_readings",
        store.read_columns,
    )
    having = found.filter(pl.col("histograms") > 0)
    spans = spans.join(having, on="channel_id", how="semi")
    if not spans.is_empty():
        read = store.read("histogram_readings", **_spans(_widened(spans, details)))
        histograms = frames.with_details(
            _detailed(read, details), frames.HISTOGRAM_READINGS
        )
    found = _with_quantity(_detailed(found, details), chosen)
    sites = chosen["site_id"].unique().to_list()
    factors = store.frame("calibrations", frames.CALIBRATIONS, sites=sites)
    counts = frames.with_details(found, frames.COUNT_READINGS)
    return calibrated(counts, factors), histograms


def _environment_readings(
    store: Store, wanted: refresh.Plan, channels: pl.DataFrame
) -> pl.DataFrame:
    """Read ENVIRONMENT_READINGS."""
    chosen = channels.filter(~pl.col("quantity").is_in(list(COUNTED)))
    spans = wanted.readings.join(chosen, on="channel_id", how="semi")
    if spans.is_empty():
        return frames.empty(frames.ENVIRONMENT_READINGS)
    found, details = _with_others(store, spans, "environment_readings", store.read)
    found = _with_quantity(_detailed(found, details), chosen)
    return frames.with_details(found, frames.ENVIRONMENT_READINGS)


def _with_others(
    store: Store, spans: pl.DataFrame, query: str, read: Callable[..., pl.DataFrame]
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Read the readings of spans, and those that overlap them.

    Also return their READING_DETAILS, or None if no readings overlap and no sensor
    reports observed seconds, which is nearly always so.
    """
    found = read(query, **_spans(spans))
    if beyond := _beyond(found, spans):
        more = read(query, **_spans(beyond[0]))
        found = pl.concat(each for each in (found, more) if each.height).unique(
            ["channel_id", "time"]
        )
    found = overlaps.in_order(found)
    among = overlaps.overlapping(found)
    has_observed = (
        found["observed"] > 0
        if "observed" in found.columns
        else found["observed_s"].is_not_null()
    )
    if among is None and not has_observed.any():
        return found.drop("observed_s", strict=False), None
    # the details of a channel are read for the whole span of these readings
    detailed = has_observed if among is None else among | has_observed
    overlapping = (
        found.filter(detailed)
        .group_by("channel_id")
        .agg(
            since=pl.col("time").min(),
            until=pl.col("time").max() + timedelta(microseconds=1),
        )
    )
    details = store.read("reading_details", **_spans(overlapping))
    return found.drop("observed_s", strict=False), details


def _beyond(found: pl.DataFrame, spans: pl.DataFrame) -> tuple[pl.DataFrame, ...]:
    """Return spans after those read into which readings extend: a frame, or nothing."""
    if found.is_empty():
        return ()
    # the last reading of a span may overlap those after it
    ends = (
        found.filter(pl.col("interval_s") <= overlaps.MAX_INTERVAL_S)
        .group_by("channel_id")
        .agg(
            end=(pl.col("time") + pl.duration(seconds="interval_s")).max(),
        )
    )
    beyond = spans.join(ends, on="channel_id").filter(pl.col("end") > pl.col("until"))
    if beyond.is_empty():
        return ()
    return (beyond.select("channel_id", since="until", until="end"),)


def _detailed(readings: pl.DataFrame, details: pl.DataFrame | None) -> pl.DataFrame:
    if details is None:
        return readings
    return readings.join(
        details, on=["channel_id", "time"], how="left", maintain_order="left"
    )


def _widened(spans: pl.DataFrame, details: pl.DataFrame | None) -> pl.DataFrame:
    """Widen spans by an hour, the reach of a reading, if any overlap."""
    if details is None:
        return spans
    return spans.with_columns(pl.col("since") - _HOUR, pl.col("until") + _HOUR)


def _with_quantity(readings: pl.DataFrame, channels: pl.DataFrame) -> pl.DataFrame:
    return readings.join(channels.select("channel_id", "quantity"), on="channel_id")


def _stored_hours(store: Store, windows: pl.DataFrame) -> pl.DataFrame:
    """Read stored ENVIRONMENT_HOURS of the windows, with the time before them."""
    if windows.is_empty():
        return frames.empty(frames.ENVIRONMENT_HOURS)
    found = store.read("stored_environment_hours", **_spans(judging.lead(windows)))
    return check(found, frames.ENVIRONMENT_HOURS)


def _stored_long(store: Store, spans: pl.DataFrame) -> pl.DataFrame:
    if spans.is_empty():
        return frames.empty(frames.LONG_VOLUMES)
    return store.frame("stored_long_volumes", frames.LONG_VOLUMES, **_spans(spans))


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
        # an hour may have histograms without a volume
        pl.concat(
            [
                _hours_in(given.stored, stale),
                _hours_in(figures.histograms, stale),
            ]
        ).unique(),
    )
    _drop_hours(store, "drop_environment_hours", _hours_in(given.hours, stale))
    _drop_hours(store, "drop_long_volumes", _hours_in(given.long, stale))
    _drop_hours(store, "drop_long_environment", _not_counting(given.channels, stale))
    store.execute(
        "drop_days",
        sites=days["site_id"].to_list(),
        days=days["day"].to_list(),
    )
    store.copy_columns("copy_volumes", figures.volumes)
    store.copy("copy_environment_hours", figures.environment)
    store.put("put_long_volumes", figures.long)
    store.put("put_long_environment", figures.long_values)
    store.copy("copy_speed_histograms", _with_arrays(figures.histograms))
    store.put("put_days", figures.days)
    store.execute(
        "put_newest_readings",
        channels=figures.newest["channel_id"].to_list(),
        times=figures.newest["time"].to_list(),
    )
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
    """Return `site_id` and `hour` of counting sites whose figures changed.

    These are the stale hours, and those with a changed usual volume.
    """
    changed = pl.concat([stale, usual.select("channel_id", hour="time")])
    counting = channels.filter(pl.col("quantity").is_in(list(COUNTED)))
    return changed.join(counting, on="channel_id").select("site_id", "hour")


def _not_counting(channels: pl.DataFrame, stale: pl.DataFrame) -> pl.DataFrame:
    """Return the stale hours of channels that do not count."""
    others = channels.filter(~pl.col("quantity").is_in(list(COUNTED)))
    return stale.join(others, on="channel_id", how="semi")


def _hours_in(stored: pl.DataFrame, stale: pl.DataFrame) -> pl.DataFrame:
    """Return the stale hours that have figures."""
    hours = stored.select("channel_id", hour=pl.col("time").dt.truncate("1h"))
    return stale.join(hours, on=["channel_id", "hour"], how="semi")


def _drop_hours(store: Store, query: str, hours: pl.DataFrame) -> None:
    """Drop the figures of CHANNEL_HOURS; consecutive hours at once."""
    if not hours.is_empty():
        store.execute(query, **_spans(_merged(hours)))


def _merged(hours: pl.DataFrame) -> pl.DataFrame:
    """Merge consecutive CHANNEL_HOURS into SPANS."""
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


def beside(given: refresh.Given) -> pl.DataFrame:
    """Return the CHANNEL_HOURS next to the stale ones that change with them."""
    return pl.concat(
        [
            overlaps.beside(readings, given.stale)
            for readings in (given.counts, given.environment)
        ]
    )


def _mark_doubted(store: Store, hours: pl.DataFrame) -> None:
    if not hours.is_empty():
        store.execute(
            "mark_hours",
            channels=hours["channel_id"].to_list(),
            hours=hours["hour"].to_list(),
        )


def _with_arrays(frame: pl.DataFrame) -> pl.DataFrame:
    """Convert the lists in `counts` to PostgreSQL's text form of arrays, for CSV."""
    listed = pl.col("counts").cast(pl.List(pl.String)).list.join(",")
    return frame.with_columns(counts=pl.lit("{") + listed + pl.lit("}"))


def _spans(spans: pl.DataFrame) -> dict[str, list[Any]]:
    """Return the parameters of a query that takes spans of channels."""
    return {
        "channels": spans["channel_id"].to_list(),
        "since": spans["since"].to_list(),
        "until": spans["until"].to_list(),
    }
