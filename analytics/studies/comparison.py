"""Compare periods and sites; rank sites by their change."""

from collections.abc import Mapping
from datetime import date
from typing import Final

import polars as pl

from analytics.frames import FLOW_DAYS, Schema, check
from analytics.studies.change import Change, change_of_pairs
from analytics.studies.pairs import LEFT_OUT, Pairs, overlap, pair

METHOD: Final = "change-2"

#: Sites by their change, the greatest first; those without a change at the end.
RANKING: Final[Schema] = {
    "site": pl.String(),
    "change": pl.Float64(),
    "lower": pl.Float64(),
    "upper": pl.Float64(),
    "detectable": pl.Float64(),
    "clear": pl.Boolean(),
    "days_before": pl.Int32(),
    "days_after": pl.Int32(),
    "days_paired": pl.Int32(),
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

    Both ends included. Days are compared with their partners, see `pairs.pair`; public
    holidays are left out, and so are days of school holidays whose partner is not one.
    The change includes all influences between the periods. Null if fewer than 90 % of
    the days have a partner, as for overlapping periods.
    """
    pairs = pair(_pair_days(days), before=before, after=after)
    return change_of_pairs(
        pairs, comparisons=comparisons, overlapping=overlap(before, after)
    )


def compare_sites(one: pl.DataFrame, other: pl.DataFrame) -> Change:
    """Estimate how much more the other site carries than the first, on the same days.

    Days valid at both sites: each is its own partner.
    """
    left, right = (
        _valid(days).select("day", "value").rename({"value": name})
        for days, name in ((one, "one"), (other, "other"))
    )
    both = left.join(right, on="day").sort("day")
    return change_of_pairs(
        Pairs(
            found=both.select("day", value=pl.col("other") - pl.col("one")),
            days_before=both.height,
            days_after=both.height,
            unlike=0,
            wanted=both.height,
        )
    )


def rank(
    sites: Mapping[str, pl.DataFrame],
    *,
    before: tuple[date, date],
    after: tuple[date, date],
    comparisons: int | None = None,
) -> pl.DataFrame:
    """Order sites by the change of their volume (RANKING), from FLOW_DAYS of each.

    Among many sites some always seem to change: the intervals hold for all of them
    together, with 95 %; `comparisons` is larger if these are a part of the sites.
    """
    comparisons = comparisons or max(len(sites), 1)
    rows = []
    for key, days in sites.items():
        found = compare_periods(
            days, before=before, after=after, comparisons=comparisons
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
                "days_paired": found.days_paired,
                "reason": found.reason.code if found.reason else None,
            }
        )
    return pl.DataFrame(rows, schema=dict(RANKING)).sort(
        "change", "site", descending=[True, False], nulls_last=True
    )


def _pair_days(days: pl.DataFrame) -> pl.DataFrame:
    usable = pl.col("valid") & (pl.col("volume") > 0) & ~pl.col("holiday")
    return check(days, FLOW_DAYS).select(
        "day",
        kind=pl.when("holiday").then(pl.lit(LEFT_OUT)).otherwise("day_type"),
        value=pl.when(usable).then(pl.col("volume").log()),
    )


def _valid(days: pl.DataFrame) -> pl.DataFrame:
    known = pl.col("valid") & (pl.col("volume") > 0) & ~pl.col("holiday")
    return (
        check(days, FLOW_DAYS).filter(known).with_columns(value=pl.col("volume").log())
    )
