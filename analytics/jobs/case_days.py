"""Judge whole days: once they have ended, and again when their data change.

One municipality at a time, because a channel's day is compared with that of its town.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import polars as pl

from analytics import frames
from analytics.cases import judging, members
from analytics.jobs import case_store
from analytics.jobs.store import Store, school_holidays
from analytics.volumes import long_intervals
from verkehrspuls.calendar import day_end, day_start
from verkehrspuls.quantities import QUANTITIES


@dataclass(frozen=True, slots=True)
class _Day:
    """A local day of a municipality to judge, and the current local day."""

    municipality_id: int
    day: date
    time_zone: str
    today: date


def mark(store: Store, days: pl.DataFrame) -> None:
    """Mark computed SITE_DAYS, so that they are judged."""
    store.execute(
        "mark_case_days", sites=days["site_id"].to_list(), days=days["day"].to_list()
    )


def judge(store: Store, *, now: datetime, avoid: Collection[int] = ()) -> int:
    """Judge the marked days of one municipality; return their number."""
    with store.connection.transaction():
        taken = store.records(_Day, "take_days", now=now, avoid=list(avoid))
        if taken:
            with case_store.of_town(taken[0].municipality_id):
                _judge(store, taken)
    return len(taken)


#: Time before a day that it is compared with, and time after it that is compared with
#: it.
TIME_BEFORE: Final = timedelta(days=35)
TIME_AFTER: Final = timedelta(days=28)


def _judge(store: Store, taken: list[_Day]) -> None:
    first, zone = min(row.day for row in taken), taken[0].time_zone
    yesterday = taken[0].today - timedelta(days=1)
    last = min(max(row.day for row in taken) + TIME_AFTER, yesterday)
    found = store.execute(
        "channels_of_municipality", municipality=taken[0].municipality_id
    )
    channels = [row["channel_id"] for row in found if row["quantity"] in QUANTITIES]
    until = day_end(last, zone)
    spans = pl.DataFrame(
        {"channel_id": channels}, schema={"channel_id": pl.Int32()}
    ).with_columns(
        since=pl.lit(day_start(first, zone), frames.TIME),
        until=pl.lit(until, frames.TIME),
    )
    stored = case_store.stored(store, spans).filter(
        pl.col("detector").is_in(judging.codes_of("days"))
    )
    spans = members.widen(spans, stored)

    def read(query: str, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
        since: datetime = spans.select(pl.min("since")).item()
        return store.frame(
            query, schema, channels=channels, since=since - TIME_BEFORE, until=until
        )

    case_store.write(
        store,
        judging.judge_days(
            _with_totals(store, read("channel_days", frames.CHANNEL_DAYS), spans),
            read("value_days", frames.VALUE_DAYS),
            read("paired_hours", frames.PAIRED_HOURS),
            spans=spans,
            stored=stored,
        ),
    )


def _with_totals(
    store: Store, by_hours: pl.DataFrame, spans: pl.DataFrame
) -> pl.DataFrame:
    """Add CHANNEL_DAYS made of daily totals, for days without hours."""
    weeks = timedelta(weeks=long_intervals.USUAL_WEEKS, days=1)
    channels = spans["channel_id"].to_list()
    long = store.frame(
        "stored_long_volumes",
        frames.LONG_VOLUMES,
        channels=channels,
        since=(spans["since"] - TIME_BEFORE - weeks).to_list(),
        until=spans["until"].to_list(),
    )
    if long.is_empty():
        return by_hours
    totals = long_intervals.channel_days(
        long,
        store.frame(
            "channels_of_channels",
            {**frames.CHANNELS, **frames.PLACES},
            channels=channels,
        ),
        school_holidays(store),
    )
    day = ["channel_id", "day"]
    return pl.concat([by_hours, totals.join(by_hours, on=day, how="anti")])
