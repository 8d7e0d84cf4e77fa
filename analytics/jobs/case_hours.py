"""Judge the hours of a town together, as soon as one of them is computed.

One municipality at a time, because a channel's hour is compared with the same hour at
other sites (`analytics.baseline.network`). Sites are computed one after the other, and
each change marks its hour, so an hour is judged again after each of its sites.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from analytics import frames
from analytics.cases import judging, members
from analytics.frames import check
from analytics.jobs import case_store
from analytics.jobs.store import Store
from verkehrspuls.quantities import COUNTED

_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Hour:
    """An hour of a municipality to judge."""

    municipality_id: int
    hour: datetime


def mark(store: Store, hours: pl.DataFrame) -> None:
    """Mark `hour`s of sites (`site_id`) whose volume or usual volume changed."""
    hours = hours.unique()
    if not hours.is_empty():
        store.execute(
            "mark_case_hours",
            sites=hours["site_id"].to_list(),
            hours=hours["hour"].to_list(),
        )


def judge(store: Store, *, now: datetime, avoid: Collection[int] = ()) -> int:
    """Judge the marked hours of one municipality; return their number."""
    with store.connection.transaction():
        taken = store.records(_Hour, "take_hours", now=now, avoid=list(avoid))
        if taken:
            with case_store.of_town(taken[0].municipality_id):
                _judge(store, taken, now=now)
    return len(taken)


def _judge(store: Store, taken: list[_Hour], *, now: datetime) -> None:
    first, last = (get(row.hour for row in taken) for get in (min, max))
    places = store.frame(
        "channels_of_municipality",
        frames.PLACES,
        municipality=taken[0].municipality_id,
    ).filter(pl.col("quantity").is_in(list(COUNTED)))
    # a run of stuck hours may begin before, or continue after
    spans = places.select(
        "channel_id",
        since=pl.lit(first - judging.JUDGED_AGAIN, frames.TIME),
        until=pl.lit(last + _HOUR + judging.JUDGED_AGAIN, frames.TIME),
    )
    stored = case_store.stored(store, spans)
    judged = pl.col("detector").is_in(judging.codes_of("town"))
    spans = members.widen(spans, stored.filter(judged))
    hours = store.read(
        "usual_hours",
        channels=places["channel_id"].to_list(),
        # the ratio of the first hour may also be that of the hour before
        since=spans.select(pl.min("since")).item() - _HOUR,
        until=spans.select(pl.max("until")).item(),
    ).filter(pl.col("time") + _HOUR <= now)
    case_store.write(
        store,
        judging.judge_town(
            check(hours.join(places, on="channel_id"), frames.USUAL_HOURS),
            spans=spans,
            stored=stored,
        ),
    )
