"""Members of cases: hits of consecutive times as one, and what becomes of the stored.

How members become cases: `analytics.cases.groups`.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from analytics.detectors import runs
from analytics.frames import CASES, HITS, SPANS, STORED_CASES, check

#: The state of a case that no person has decided.
UNDECIDED: Final = "suspected"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What to write: CASES (members) to put, and ids of members to withdraw."""

    cases: pl.DataFrame
    withdrawn: list[int]


def group(hits: pl.DataFrame, detector: str) -> pl.DataFrame:
    """Join HITS of a channel and reason that touch or overlap to CASES.

    Observed and usual add up (null where a part is unknown); the score is the greatest.
    """
    key = ("channel_id", "reason")
    ended_before = pl.col("ended").cum_max().shift(1).over(key)
    apart = (pl.col("began") > ended_before).fill_null(value=True)

    def total(name: str) -> pl.Expr:
        return pl.when(pl.col(name).null_count() == 0).then(pl.col(name).sum())

    return check(
        check(hits, HITS)
        .sort("channel_id", "reason", "began")
        .with_columns(apart.cum_sum().over(key).alias("group"))
        .group_by(*key, "group")
        .agg(
            pl.col("began").min(),
            pl.col("ended").max(),
            total("observed").alias("observed"),
            total("usual").alias("usual"),
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
) -> Judgement:
    """Compare a detector's HITS in `windows` (SPANS) with its STORED_CASES.

    Hits inside a case that a person decided are settled and open nothing. An undecided
    case that began in a window and is not found again is withdrawn.
    """
    mine = check(stored, STORED_CASES).filter(pl.col("detector") == detector)
    undecided = pl.col("state") == UNDECIDED
    found = group(runs.without(hits, mine.filter(~undecided)), detector)
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
