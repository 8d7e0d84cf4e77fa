"""Members of cases: hits of consecutive times as one, and what becomes of the stored.

How members become cases: `analytics.cases.groups`.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from analytics.detectors import reasons, runs
from analytics.frames import CASES, HITS, SPANS, STORED_CASES, check

#: The state of a case that no person has decided.
UNDECIDED: Final = "suspected"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What to write: CASES (members) to put, and ids of members to withdraw."""

    cases: pl.DataFrame
    withdrawn: list[int]


def group(hits: pl.DataFrame, detector: str, *, adds_up: bool = True) -> pl.DataFrame:
    """Join HITS of a channel and reason that touch or overlap to CASES.

    The score is the greatest. Observed and usual are summed (null where a part is
    unknown) if they and the values of the reason add up; otherwise they are those of
    the hit with the greatest score.
    """
    key = ("channel_id", "reason")
    ended_before = pl.col("ended").cum_max().shift(1).over(key)
    apart = (pl.col("began") > ended_before).fill_null(value=True)

    levels = [code for code, one in reasons().items() if not one.adds_up]
    summed = pl.lit(adds_up) & ~pl.col("reason").first().is_in(levels)

    def joined(name: str) -> pl.Expr:
        value = pl.col(name)
        total = pl.when(value.null_count() == 0).then(value.sum())
        greatest = value.sort_by("score", "began").last()
        return pl.when(summed).then(total).otherwise(greatest).alias(name)

    return check(
        check(hits, HITS)
        .sort("channel_id", "reason", "began")
        .with_columns(apart.cum_sum().over(key).alias("group"))
        .group_by(*key, "group")
        .agg(
            pl.col("began").min(),
            pl.col("ended").max(),
            joined("observed"),
            joined("usual"),
            pl.col("score").max(),
        )
        .with_columns(detector=pl.lit(detector))
        .sort("channel_id", "began"),
        CASES,
    )


def judge(
    hits: pl.DataFrame,
    detector: str,
    *,
    stored: pl.DataFrame,
    windows: pl.DataFrame,
    adds_up: bool = True,
) -> Judgement:
    """Compare a detector's HITS in `windows` (SPANS) with its STORED_CASES.

    Hits inside a case that a person decided are settled and open nothing. An undecided
    case that began in a window and is not found again is withdrawn.
    """
    mine = check(stored, STORED_CASES).filter(pl.col("detector") == detector)
    undecided = pl.col("state") == UNDECIDED
    fresh = runs.without(hits, mine.filter(~undecided))
    found = group(fresh, detector, adds_up=adds_up)
    withdrawn = (
        mine.filter(undecided)
        .join(check(windows, SPANS), on="channel_id")
        .filter(
            (pl.col("began") >= pl.col("since")) & (pl.col("began") < pl.col("until"))
        )
        .join(found, on=["channel_id", "began"], how="anti")
    )
    return Judgement(found, withdrawn["case_member_id"].unique().sort().to_list())


def widen(windows: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Widen SPANS so that each undecided case that touches one lies wholly in it."""
    touching = (
        check(windows, SPANS)
        .join(check(stored, STORED_CASES), on="channel_id")
        .filter(
            (pl.col("state") == UNDECIDED)
            & (pl.col("began") <= pl.col("until"))
            & (pl.col("ended") >= pl.col("since"))
        )
        .group_by("channel_id")
        .agg(pl.col("began").min(), pl.col("ended").max())
    )
    return check(
        windows.join(touching, on="channel_id", how="left").with_columns(
            since=pl.min_horizontal("since", "began"),
            until=pl.max_horizontal("until", "ended"),
        ),
        SPANS,
    )
