"""Pair similar days of two periods, before any change is computed."""

import math
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

from analytics.frames import Schema, check

Span = tuple[date, date]

#: Days of one or both periods. `kind` is the type of the day; `value` is a logarithm,
#: null if the day cannot be used.
PAIR_DAYS: Final[Schema] = {
    "day": pl.Date(),
    "kind": pl.String(),
    "value": pl.Float64(),
}
#: Kind of days that are left out with their partners.
LEFT_OUT: Final = "left out"
#: 52 weeks: the same weekday of the year before, near the same date.
YEAR: Final = timedelta(weeks=52)
#: Minimum share of the days with a value that must have a partner.
MIN_PAIRED: Final = 0.9
_WEEK: Final = timedelta(weeks=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Pairs of days, and numbers of the others."""

    #: `day` of the later period, and `value`: later minus earlier
    found: pl.DataFrame
    #: numbers of days with a value
    days_before: int
    days_after: int
    #: number of pairs left out because the days have other types
    unlike: int
    #: days with a value that should have a partner, in the period that has more
    wanted: int

    @property
    def needed(self) -> int:
        """Number of pairs required."""
        return max(1, math.ceil(self.wanted * MIN_PAIRED))

    @property
    def enough(self) -> bool:
        """Whether nearly all days have a partner."""
        return self.found.height >= self.needed


def pair(days: pl.DataFrame, *, before: Span, after: Span) -> Pairs:
    """Pair each of the PAIR_DAYS of the later period with one of the earlier.

    The partner has the same weekday and the same place in its period, see `distance`. A
    day in both periods belongs to the later one. A pair of days of other types (a
    holiday, school holidays) is left out; it counts as paired, so that the periods stay
    comparable.
    """
    known = check(days, PAIR_DAYS)
    later = known.filter(_within(after))
    apart = distance(before, after)
    earlier = known.filter(_within(before) & ~_within(after))
    partners = earlier.select(
        pl.col("day") + apart,
        pl.col("kind").alias("partner_kind"),
        pl.col("value").alias("partner"),
    ).filter(_within(after))
    both = later.join(partners, on="day", how="full", coalesce=True)
    out = pl.col("kind").eq(LEFT_OUT) | pl.col("partner_kind").eq(LEFT_OUT)
    unlike = (out | (pl.col("kind") != pl.col("partner_kind"))).fill_null(value=False)
    like = both.filter(~unlike)
    return Pairs(
        found=like.select("day", value=pl.col("value") - pl.col("partner"))
        .drop_nulls("value")
        .sort("day"),
        days_before=earlier["value"].count(),
        days_after=later["value"].count(),
        unlike=both.filter(unlike).select("kind", "partner_kind").drop_nulls().height,
        wanted=max(like["value"].count(), like["partner"].count()),
    )


def distance(before: Span, after: Span) -> timedelta:
    """Return the whole weeks between a day and its partner.

    Of the two numbers nearest to the distance of the periods' first days, the one that
    leaves more days with a partner.
    """
    apart = after[0] - before[0]
    down = (apart // _WEEK) * _WEEK
    offered = [one for one in (down, down + _WEEK) if one] or [_WEEK]
    return max(
        offered, key=lambda one: (_partners(before, after, one), -abs(apart - one))
    )


def overlap(before: Span, after: Span) -> bool:
    """Return whether the periods overlap so much that too few days have a partner."""
    apart = distance(before, after)
    return _doubled(before, after, apart) > (1 - MIN_PAIRED) * _days(*after)


def _partners(before: Span, after: Span, apart: timedelta) -> int:
    """Count the days of the later period whose partner is only in the earlier one."""
    first, last = after[0] - apart, after[1] - apart
    within = _days(max(first, before[0]), min(last, before[1]))
    return within - _doubled(before, after, apart)


def _doubled(before: Span, after: Span, apart: timedelta) -> int:
    """Count the days of the later period whose partner is in both periods."""
    first, last = after[0] - apart, after[1] - apart
    return _days(max(first, before[0], after[0]), min(last, before[1], after[1]))


def _days(first: date, last: date) -> int:
    return max(0, (last - first).days + 1)


def _within(period: Span) -> pl.Expr:
    return pl.col("day").is_between(*period)
