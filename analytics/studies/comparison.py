"""Comparing periods, sites and day types; ranking sites by their change."""

from collections.abc import Mapping
from datetime import date
from typing import Final

import polars as pl

from analytics.flow.figure import Reason
from analytics.frames import FLOW_DAYS, Schema, check
from analytics.studies.change import CHANGE_DAYS, Change, change

METHOD: Final = "change-1"

#: Sites by their change, the greatest first; those that cannot be told at the end.
RANKING: Final[Schema] = {
    "site": pl.String(),
    "change": pl.Float64(),
    "lower": pl.Float64(),
    "upper": pl.Float64(),
    "detectable": pl.Float64(),
    "clear": pl.Boolean(),
    "days_before": pl.Int32(),
    "days_after": pl.Int32(),
    "reason": pl.String(),
}


def compare_periods(
    days: pl.DataFrame,
    *,
    before: tuple[date, date],
    after: tuple[date, date],
    comparisons: int = 1,
) -> Change:
    """Estimate the change of a site's volume between two periods of FLOW_DAYS.

    Both ends included; weekdays are compared with their like, public holidays left out.
    What else changed between the periods is part of the change. Null if they overlap.
    """
    if max(before[0], after[0]) <= min(before[1], after[1]):
        return Change(
            days_before=0,
            days_after=0,
            weeks_before=0,
            weeks_after=0,
            reason=Reason("periods-overlap"),
        )
    later = pl.col("day").is_between(*after)
    found = (
        _valid(days)
        .filter(pl.col("day").is_between(*before) | later)
        .with_columns(later=later)
    )
    return change(check(found, CHANGE_DAYS), comparisons=comparisons)


def compare_sites(one: pl.DataFrame, other: pl.DataFrame) -> Change:
    """Estimate how much more the other site carries than the one, on the same days.

    Days that are valid at both. The interval is from weeks, as of any change.
    """
    pair = [
        _valid(days).with_columns(later=pl.lit(later))
        for days, later in ((one, False), (other, True))
    ]
    both = pl.concat([check(days, CHANGE_DAYS) for days in pair])
    return change(both.filter(pl.len().over("day") == 2))


def compare_day_types(days: pl.DataFrame, one: str, other: str) -> Change:
    """Estimate how much more is carried on days of another type (`day_type`).

    Days of a type are taken for one another, whatever their weekday.
    """
    kind = pl.col("day_type")
    found = (
        _valid(days, holidays=True)
        .filter(kind.is_in([one, other]))
        .with_columns(later=kind == other, weekday=pl.lit(1, pl.Int8))
    )
    return change(check(found, CHANGE_DAYS))


def rank(
    sites: Mapping[str, pl.DataFrame],
    *,
    before: tuple[date, date],
    after: tuple[date, date],
) -> pl.DataFrame:
    """Order sites by the change of their volume (RANKING), from FLOW_DAYS of each.

    Among many sites some always seem to change: the intervals hold for all of them
    together, with 95 %.
    """
    rows = []
    for key, days in sites.items():
        found = compare_periods(
            days, before=before, after=after, comparisons=max(len(sites), 1)
        )
        rows.append(
            {
                "site": key,
                "change": found.value,
                "lower": found.lower,
                "upper": found.upper,
                "detectable": found.detectable,
                "clear": found.clear,
                "days_before": found.days_before,
                "days_after": found.days_after,
                "reason": found.reason.code if found.reason else None,
            }
        )
    return pl.DataFrame(rows, schema=dict(RANKING)).sort(
        "change", "site", descending=[True, False], nulls_last=True
    )


def _valid(days: pl.DataFrame, *, holidays: bool = False) -> pl.DataFrame:
    known = pl.col("valid") & (pl.col("volume") > 0)
    return (
        check(days, FLOW_DAYS)
        .filter(known if holidays else known & ~pl.col("holiday"))
        .with_columns(value=pl.col("volume").log())
    )
