"""What is suspected to be of a sensor's fault, until a person decides.

A figure that it touches is told as it is, says what share of it is suspected, and is
told without it as well: computed in the same way, as if a person had excluded it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeVar

import polars as pl

from analytics.flow.figure import Figure, Result
from analytics.frames import SPANS, TIME, check
from analytics.quality.passport import Passport
from verkehrspuls.calendar import local_day

#: Rows of `storage.doubts.list_suspected`: SPANS of channels, and what is suspected.
SUSPECTED: Final = {
    **SPANS,
    "site_id": pl.Int32(),
    "channel": pl.String(),
    "quantity": pl.String(),
    "direction": pl.String(),
    "fault": pl.String(),
}
_SECONDS: Final = 1e6

_Found = TypeVar("_Found")


def both(
    compute: Callable[[bool], _Found], suspected: pl.DataFrame
) -> tuple[_Found, _Found | None]:
    """Compute a figure of all hours, and of those that are trusted where not all are.

    `compute` takes whether to leave out what is suspected. The second is None, and not
    computed, where nothing is.
    """
    return compute(False), None if suspected.is_empty() else compute(True)


def frame(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Make SUSPECTED of rows as they are read."""
    return pl.DataFrame(list(rows), schema=SUSPECTED)


def spans(suspected: pl.DataFrame) -> pl.DataFrame:
    """Make SPANS of SUSPECTED."""
    return check(suspected.select(*SPANS), SPANS)


def share(
    suspected: pl.DataFrame,
    *,
    start: datetime,
    end: datetime,
    channels: int,
    by: str = "channel_id",
) -> float:
    """What part of a period of a number of channels is suspected, 0 to 1.

    `by` is the column that tells them apart: what several findings tell of one of them
    at one time counts once.
    """
    inside = (
        suspected.select(
            by,
            since=pl.max_horizontal("since", pl.lit(start, TIME)),
            until=pl.min_horizontal("until", pl.lit(end, TIME)),
        )
        .filter(pl.col("since") < pl.col("until"))
        .sort(by, "since")
    )
    told = pl.col("until").cum_max().shift(1).over(by)
    fresh = pl.col("until") - pl.max_horizontal("since", told)
    seconds = inside.select(
        (fresh.dt.total_microseconds() / _SECONDS).clip(0).sum()
    ).item()
    whole = channels * (end - start).total_seconds()
    return min(1.0, float(seconds or 0) / whole) if whole > 0 else 0.0


def days(suspected: pl.DataFrame, zone: str, *, first: date, last: date) -> list[date]:
    """Local days, `last` included, that SUSPECTED touch."""
    found: set[date] = set()
    for since, until in suspected.select("since", "until").unique().iter_rows():
        begins = max(first, local_day(since, zone))
        # what ends at midnight does not touch the day that begins
        ends = min(last, local_day(until - timedelta(microseconds=1), zone))
        length = (ends - begins).days + 1
        found |= {begins + timedelta(days=n) for n in range(length)}
    return sorted(found)


def touched(passport: Passport, suspected: float) -> Passport:
    """Say in a passport what share is suspected."""
    return replace(passport, suspected=suspected)


def told(result: Result, trusted: Result, suspected: float) -> Result:
    """Give each figure of a result with its value without what is suspected.

    `trusted` is the same result, computed without it.
    """
    without = {figure.name: figure for figure in trusted.figures}

    def both(figure: Figure) -> Figure:
        return replace(
            figure,
            passport=touched(figure.passport, suspected),
            without_suspected=without.get(figure.name),
        )

    return replace(
        result,
        figures=tuple(both(figure) for figure in result.figures),
        passport=result.passport and touched(result.passport, suspected),
        without_suspected=trusted,
    )
