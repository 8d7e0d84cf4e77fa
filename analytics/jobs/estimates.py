"""Read the input of forecasts and imputation, and replace their results.

Each transaction covers one municipality, kind of traffic and audience; one worker has a
municipality at a time. The results depend only on committed data, so a worker that dies
changes nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import polars as pl

from analytics import frames
from analytics.forecast.grid import Place
from analytics.forecast.horizons import STEPS, forecast, origin
from analytics.frames import check
from analytics.imputation.impute import MAX_GAP_H, impute
from analytics.jobs.store import Store
from verkehrspuls.calendar import day_end, day_start
from verkehrspuls.quantities import COUNTED
from verkehrspuls.settings import Analytics
from verkehrspuls.storage.database import is_lost

#: Leads (s) of forecasts that are kept and later compared with the counts, by interval:
#: 15 minutes, 1 hour and 1 day ahead.
KEPT_LEADS_S: Final = {900: [900], 3600: [3600, 86_400]}
#: Time that readings may take to arrive before an hour counts as missing.
MAX_READING_DELAY: Final = timedelta(hours=1)

_MAX_GAP: Final = timedelta(hours=MAX_GAP_H)
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KEY: Final = ("channel_id", "time", "gap_h")


@dataclass(frozen=True, slots=True)
class _Town:
    """Channels of a municipality that count a kind of traffic, for one audience."""

    municipality_id: int
    place: Place
    channels: list[int]
    #: all from which they are estimated: those that all see who see the channels
    seen: list[int]


@dataclass(frozen=True, slots=True)
class _Span:
    """Hours to read (`since` to `until`), and to impute (`judged` to `ended`)."""

    since: datetime
    judged: datetime
    ended: datetime
    until: datetime


def put_forecasts(store: Store, settings: Analytics, *, now: datetime) -> int:
    """Replace the forecasts of all municipalities; return their number."""
    made = _each(
        store,
        lambda town: sum(
            _forecast(store, town, interval_s, settings, now=now)
            for interval_s in STEPS
        ),
    )
    cutoff = now - timedelta(days=settings.keep_forecast_days)
    with store.connection.transaction():
        store.execute("drop_old_forecasts", cutoff=cutoff)
    return made


def put_imputed(store: Store, settings: Analytics, *, now: datetime) -> int:
    """Impute the missing hours of the last weeks; return the number of changed hours.

    An imputed hour does not change until it is counted after all, or its gap changes.
    Days with changed hours are marked for recomputing.
    """
    span = _last_weeks(settings, now=now)
    return _each(store, lambda town: _impute(store, town, span, now=now))


def impute_history(
    store: Store,
    settings: Analytics,
    *,
    now: datetime,
    municipality: str | None = None,
    first: date | None = None,
    last: date | None = None,
) -> int:
    """Impute the missing hours before the last weeks; return how many changed.

    `first` and `last` are local days, both included; None means all. Each transaction
    imputes four weeks, and reads the four weeks before and after them.
    """
    recent = _last_weeks(settings, now=now)
    changed = 0
    for town in _towns(store, municipality):
        known = store.execute("known_of_town", channels=town.channels).fetchone()
        if known is None or known["since"] is None:
            continue
        zone = town.place.time_zone
        began = max(known["since"], day_start(first, zone) if first else _EARLIEST)
        ended = min(known["until"], recent.judged)
        if last:
            ended = min(ended, day_end(last, zone))
        while began < ended:
            next_one = min(began + _MAX_GAP, ended)
            until = min(next_one + _MAX_GAP, recent.until)
            span = _Span(began - _MAX_GAP, began, next_one, until)
            changed += _impute(store, town, span, now=now)
            began = next_one
    return changed


def _each(store: Store, work: Callable[[_Town], int]) -> int:
    """Do the work for each town; raise its errors after all towns are done."""
    done, failed = 0, []
    for town in list(_towns(store)):
        try:
            done += work(town)
        except Exception as error:
            if is_lost(error):
                raise
            failed.append(error)
    if failed:
        raise ExceptionGroup("estimates of towns failed", failed)
    return done


def _last_weeks(settings: Analytics, *, now: datetime) -> _Span:
    until = origin(now - MAX_READING_DELAY, 3600)
    since = until - timedelta(weeks=settings.estimate_weeks)
    # a gap that begins before the hours read may be longer than it looks
    return _Span(since, since + _MAX_GAP, until, until)


def _towns(store: Store, municipality: str | None = None) -> Iterator[_Town]:
    rows = store.execute(
        "estimated_towns", counted=list(COUNTED), municipality=municipality
    ).fetchall()
    for row in rows:
        place = Place(row["time_zone"], row["state"])
        yield _Town(row["municipality_id"], place, row["channels"], row["seen"])


def _forecast(
    store: Store, town: _Town, interval_s: int, settings: Analytics, *, now: datetime
) -> int:
    made_at = origin(now, interval_s)
    with store.connection.transaction():
        if not _mine(store, town):
            return 0
        found = forecast(
            _volumes(
                store,
                town,
                interval_s=interval_s,
                since=made_at - timedelta(weeks=settings.estimate_weeks),
                until=made_at,
            ),
            town.place,
            interval_s=interval_s,
            now=now,
            weeks=settings.estimate_weeks,
        ).filter(pl.col("channel_id").is_in(town.channels))
        store.execute(
            "drop_forecasts",
            interval_s=interval_s,
            made_at=made_at,
            kept=KEPT_LEADS_S[interval_s],
            channels=town.channels,
        )
        store.put("put_forecasts", found)
    return found.height


def _impute(store: Store, town: _Town, span: _Span, *, now: datetime) -> int:
    with store.connection.transaction():
        if not _mine(store, town):
            return 0
        volumes = _volumes(
            store, town, interval_s=3600, since=span.since, until=span.until
        )
        found = impute(
            volumes,
            store.frame(
                "installations_of_town", frames.INSTALLED, channels=town.channels
            ),
            town.place,
            since=span.since,
            until=span.until,
        ).filter(pl.col("time").is_between(span.judged, span.ended, closed="left"))
        stored = check(
            store.read(
                "imputed_of_town",
                since=span.judged,
                until=span.ended,
                channels=town.channels,
            ),
            {name: frames.IMPUTED_HOURS[name] for name in _KEY},
        )
        gone = stored.join(found, on=_KEY, how="anti")
        fresh = found.join(stored, on=_KEY, how="anti")
        store.execute("drop_imputed", **_hours(gone))
        rows = fresh.drop("interval_s").with_columns(made_at=pl.lit(now, frames.TIME))
        store.put("put_imputed", rows)
        columns = ("channel_id", "time")
        changed = pl.concat([gone.select(columns), fresh.select(columns)]).unique()
        store.execute("mark_hours", **_hours(changed))
    return changed.height


def _mine(store: Store, town: _Town) -> bool:
    return bool(store.one("try_estimate", municipality_id=town.municipality_id)["mine"])


def _volumes(store: Store, town: _Town, **span: Any) -> pl.DataFrame:
    found = store.read("volumes_of_town", seen=town.seen, **span)
    return check(found, frames.BIN_VOLUMES)


def _hours(rows: pl.DataFrame) -> dict[str, list[Any]]:
    return {
        "channels": rows["channel_id"].to_list(),
        "hours": rows["time"].to_list(),
    }
