"""Data that is suspected to be a sensor's fault, until a person decides.

An affected figure is shown unchanged, with its suspected share, and also without the
suspected data: computed as if a person had excluded it.
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

#: Rows of the query on suspected data: SPANS of channels, and the suspicion.
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
    """Compute a figure of all hours, and, if some are suspected, of the others.

    `compute` has an argument whether to leave out suspected data. The second result is
    None, and not computed, if nothing is suspected.
    """
    return compute(False), None if suspected.is_empty() else compute(True)


def frame(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Make SUSPECTED of rows from the database."""
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
    """Return the suspected share of a period of a number of channels, 0 to 1.

    `by` is the column that identifies a channel: concurrent findings on one channel
    count once.
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
    with_suspected = pl.col("until").cum_max().shift(1).over(by)
    fresh = pl.col("until") - pl.max_horizontal("since", with_suspected)
    seconds = inside.select(
        (fresh.dt.total_microseconds() / _SECONDS).clip(0).sum()
    ).item()
    whole = channels * (end - start).total_seconds()
    return min(1.0, float(seconds or 0) / whole) if whole > 0 else 0.0


def days(suspected: pl.DataFrame, zone: str, *, first: date, last: date) -> list[date]:
    """Return local days, `last` included, that SUSPECTED touch."""
    found: set[date] = set()
    for since, until in suspected.select("since", "until").unique().iter_rows():
        begins = max(first, local_day(since, zone))
        # a span that ends at midnight does not touch the next day
        ends = min(last, local_day(until - timedelta(microseconds=1), zone))
        length = (ends - begins).days + 1
        found |= {begins + timedelta(days=n) for n in range(length)}
    return sorted(found)


def touched(passport: Passport, suspected: float) -> Passport:
    """Add the suspected share to a passport."""
    return replace(passport, suspected=suspected)


def with_suspected(result: Result, trusted: Result, suspected: float) -> Result:
    """Add to each figure of a result its value without suspected data.

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
