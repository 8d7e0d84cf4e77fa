"""Runs: rows of a channel that follow each other directly."""

from datetime import timedelta

import polars as pl


def number(rows: pl.DataFrame, *, step: timedelta) -> pl.DataFrame:
    """Sort by channel and time, and number in `run` what has no gap and no change.

    Where there is a column `reason`, a run has one reason.
    """
    key = [name for name in ("channel_id", "reason") if name in rows.columns]
    ordered = rows.sort(*key, "time")
    same = pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in key)
    follows = same & (pl.col("time").diff() == step)
    return ordered.with_columns(
        (~follows.fill_null(value=False)).cum_sum().alias("run")
    )


def without(hits: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """Leave out hits that overlap another frame's `[began, ended)` of their channel."""
    spans = others.select("channel_id", other_began="began", other_ended="ended")
    overlapping = (
        hits.select("channel_id", "began", "ended")
        .join(spans, on="channel_id")
        .filter(
            (pl.col("began") < pl.col("other_ended"))
            & (pl.col("ended") > pl.col("other_began"))
        )
    )
    return hits.join(overlapping, on=["channel_id", "began", "ended"], how="anti")
