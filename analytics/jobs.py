"""Jobs: the only part of analytics that touches the database.

`process` does one claim in one transaction: it locks sites, takes their stale hours,
computes, replaces the figures and commits. A worker that dies leaves everything as it
was. Readings are read after the claim, by statements that see what was committed until
then: what a claimed mark stands for is visible; a mark that comes later is claimed
later.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from analytics import (
    case_days,
    case_hours,
    case_store,
    cases,
    frames,
    health_store,
    judging,
    refresh,
)
from analytics.anomalies import silence
from analytics.frames import check
from analytics.quality import validity
from analytics.store import Store
from verkehrspuls.quantities import COUNTED
from verkehrspuls.settings import Analytics
from verkehrspuls.storage import calendar

log = logging.getLogger(__name__)

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Choice:
    """Sites to recompute; None is all. Days are local, both included."""

    municipality: str | None = None
    site: str | None = None
    first: date | None = None
    last: date | None = None


class ClaimFailed(Exception):
    """What is stale of these sites could not be computed; it stays stale."""

    def __init__(self, sites: Sequence[int]) -> None:
        super().__init__(f"sites {', '.join(map(str, sites))}")
        self.sites = sites


def process(
    store: Store,
    settings: Analytics,
    *,
    now: datetime,
    avoid: Collection[int] = (),
    singly: bool = False,
) -> int:
    """Compute what is stale of some sites; returns how many marks were taken.

    Of the sites to avoid none is taken; singly, one site at a time.
    """
    hours = 1 if singly else settings.claim_hours
    _, marks = _process(
        store, settings, lambda: _lock_stale_sites(store, hours, avoid), now=now
    )
    return marks


def finish(store: Store, settings: Analytics, *, now: datetime) -> Iterator[int]:
    """Compute all that is stale of some sites; gives the marks taken by each claim.

    The sites are looked for once, because that reads the marks of all.
    """
    sites, marks = _process(
        store,
        settings,
        lambda: _lock_stale_sites(store, settings.claim_hours, ()),
        now=now,
    )
    while marks:
        yield marks
        _, marks = _process(store, settings, lambda: _lock(store, sites), now=now)


def _process(
    store: Store, settings: Analytics, lock: Callable[[], list[int]], *, now: datetime
) -> tuple[list[int], int]:
    """Do one claim at sites that `lock` locks; returns them and the marks taken."""
    with store.connection.transaction():
        sites = lock()
        if not sites:
            return sites, 0
        try:
            return sites, _claim(store, settings, sites, now=now)
        except Exception as error:
            raise ClaimFailed(sites) from error


def _claim(
    store: Store, settings: Analytics, sites: list[int], *, now: datetime
) -> int:
    """Take the marks of locked sites, and compute what they ask for."""
    claimed = store.read_columns(
        "claim_buckets",
        sites=sites,
        hours=settings.claim_hours,
        weeks=settings.baseline_weeks,
    )
    stale = _computable(check(claimed, frames.CHANNEL_HOURS), settings, now=now)
    if not stale.is_empty():
        _refresh(store, stale, settings, now=now)
    return claimed.height


def check_silence(store: Store, *, now: datetime) -> int:
    """Open and prolong the cases of channels that are silent now; returns how many."""
    with store.connection.transaction():
        sites = [row["site_id"] for row in store.execute("lock_sites")]
        last = store.execute("last_readings", sites=sites, now=now)
        installed = store.execute("installations_of_sites", sites=sites)
        hits = silence.trailing(
            _frame(last.fetchall(), frames.LAST_READINGS),
            _frame(installed.fetchall(), frames.INSTALLED),
            now=now,
        )
        spans = hits.select("channel_id", since="began", until="ended")
        judged = cases.judge(
            hits,
            silence.NAME,
            stored=case_store.stored(store, spans),
            # nothing is withdrawn here: readings that come withdraw what they end
            windows=frames.empty(frames.SPANS),
        )
        case_store.write(store, [judged])
    return judged.cases.height


def maintain(store: Store, settings: Analytics, *, now: datetime) -> bool:
    """Make partitions ahead, drop and compress the old; False where another does."""
    with store.connection.transaction():
        if not store.one("try_maintenance")["mine"]:
            return False
        store.execute("ensure_ahead", now=now)
        dropped = 0
        # readings first, as ingest does: else the two could wait for each other
        if settings.keep_raw_days is not None:
            cutoff = now - timedelta(days=settings.keep_raw_days)
            dropped += _chunks(store, "drop_raw", cutoff)
        dropped += _chunks(
            store,
            "drop_rejected",
            now - timedelta(days=settings.keep_rejected_days),
        )
        compressed = _chunks(
            store,
            "compress_old",
            now - timedelta(days=settings.compress_after_days),
        )
    log.info("maintained", extra={"dropped": dropped, "compressed": compressed})
    return True


def mark_stale(store: Store, choice: Choice) -> int:
    """Mark all hours with readings or figures as stale; returns how many."""
    with store.connection.transaction():
        cursor = store.execute(
            "mark_stale",
            municipality=choice.municipality,
            site=choice.site,
            first=choice.first,
            last=choice.last,
        )
    return cursor.rowcount


def count_stale(store: Store, choice: Choice) -> int:
    """Count the stale hours of the chosen sites."""
    with store.connection.transaction():
        row = store.one(
            "count_stale", municipality=choice.municipality, site=choice.site
        )
    return int(row["hours"])


def _chunks(store: Store, query: str, cutoff: datetime) -> int:
    return int(store.one(query, cutoff=cutoff)["chunks"])


def _lock_stale_sites(store: Store, hours: int, avoid: Collection[int]) -> list[int]:
    """Lock sites until they have so many stale hours together."""
    found: list[int] = []
    total = 0
    for row in store.execute("stale_sites").fetchall():
        if row["site_id"] in avoid:
            continue
        if _lock(store, [row["site_id"]]):
            found.append(row["site_id"])
            total += row["hours"]
        if total >= hours:
            break
    return found


def _lock(store: Store, sites: Sequence[int]) -> list[int]:
    """Lock those of the sites that no other worker has."""
    return [site for site in sites if store.execute("lock_site", site=site).fetchone()]


def _computable(
    stale: pl.DataFrame, settings: Analytics, *, now: datetime
) -> pl.DataFrame:
    """Leave out hours whose readings were dropped: their figures stay as they are."""
    stale = stale.unique()
    if settings.keep_raw_days is None:
        return stale
    cutoff = now - timedelta(days=settings.keep_raw_days)
    kept = stale.filter(pl.col("hour") >= cutoff)
    if kept.height < stale.height:
        log.warning("hours_too_old", extra={"hours": stale.height - kept.height})
    return kept


def _refresh(
    store: Store,
    stale: pl.DataFrame,
    settings: Analytics,
    *,
    now: datetime,
) -> None:
    weeks = settings.baseline_weeks
    channels = _channels(store, stale)
    wanted = refresh.plan(stale, channels, weeks=weeks)
    given, windows = _read(store, stale, channels=channels, wanted=wanted, weeks=weeks)
    figures = refresh.refresh(
        wanted,
        windows,
        given,
        weeks=weeks,
        rules=validity.Rules.of(settings),
        now=now,
    )
    _write(store, given, wanted, figures)


def _channels(store: Store, stale: pl.DataFrame) -> pl.DataFrame:
    """All channels of the sites that have stale hours."""
    rows = store.execute(
        "channels_of_channels",
        channels=stale["channel_id"].unique().to_list(),
    )
    return _frame(rows.fetchall(), frames.CHANNELS)


def _read(
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
    neighbours = store.execute("neighbour_readings", **_spans(wanted.readings))
    installed = store.execute("installations_of_sites", sites=sites)
    first, last = stale.select(first=pl.min("hour"), last=pl.max("hour")).row(0)
    around = {
        "sites": sites,
        "since": first - timedelta(days=2),
        "until": last + timedelta(days=2),
    }
    imputed = store.execute("imputed_of_sites", **around)
    windows = wanted.windows.widened(stored_cases)
    counts, histograms = _count_readings(store, wanted, channels)
    spans = refresh.stored_spans(wanted, channels, windows, weeks=weeks)
    # of samples of the baseline as well
    excluded = store.execute(
        "excluded_spans",
        sites=sites,
        since=min([around["since"], *spans["since"]]),
        until=max([around["until"], *spans["until"]]),
    )
    return (
        refresh.Given(
            stale=stale,
            channels=channels,
            installed=_frame(installed.fetchall(), frames.INSTALLATIONS),
            counts=check(counts, frames.COUNT_READINGS),
            histograms=histograms,
            environment=_environment_readings(store, wanted, channels),
            neighbours=_frame(neighbours.fetchall(), frames.INTERVALS),
            stored=_stored_volumes(store, spans),
            hours=_stored_hours(store, windows.values),
            excluded=_frame(excluded.fetchall(), frames.SPANS),
            imputed=_frame(imputed.fetchall(), frames.IMPUTED),
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


def _write(
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


def _frame(
    rows: list[dict[str, Any]], schema: Mapping[str, pl.DataType]
) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict(schema), orient="row")
