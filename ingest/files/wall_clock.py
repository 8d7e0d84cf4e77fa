"""Convert wall-clock times in files to UTC.

In spring one hour does not exist: its times become null. In autumn one hour appears
twice with the same times. The order of the rows of each series (a channel) then
decides: the second pass begins where the clock steps back or shows the same time again.
A series may also run backwards. If the series has no order, the first of two equal
times in the file is taken for the first pass, and so is a time that appears only once
without a step back. If a series begins within that hour, the rows that continue from
there are its second pass. Uncertain times are marked ambiguous, with the reason.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

from verkehrspuls.wire import Ambiguous

#: Remarks on ambiguous rows, by reason.
AMBIGUOUS: Final[dict[Ambiguous, str]] = {
    "once": (
        "are of the hour that the clock showed twice, which the file has only once: "
        "they were taken for its first pass (summer time)"
    ),
    "unordered": (
        "are of the hour that the clock showed twice, and in no order that "
        "distinguishes its two passes: of each pair the first row was taken for the "
        "first (summer time)"
    ),
    "ends": (
        "are of the hour that the clock showed twice, in which the file ends: they "
        "were taken for its first pass (summer time); a file that goes on from there "
        "makes it certain"
    ),
    "begins": (
        "are of the hour that the clock showed twice, in which the file begins: they "
        "were taken for its second pass (winter time); a file that ends there makes it "
        "certain"
    ),
}


def localise(
    rows: pl.DataFrame, column: str, time_zone: str, *, by: Sequence[str]
) -> pl.DataFrame:
    """Convert wall-clock times to UTC (`time`), with the reason if `ambiguous`.

    `by` are the columns that identify a series; the rows are in the order of the file.
    """
    wall = pl.col(column)
    times = rows.with_row_index("row").select(
        "row",
        *by,
        wall=wall,
        first=_in_utc(wall, time_zone, "earliest"),
        second=_in_utc(wall, time_zone, "latest"),
    )
    twice = times.filter(pl.col("first") != pl.col("second"))
    if twice.is_empty():
        return times.select(time="first", ambiguous=pl.lit(None, pl.String))
    # each night of a series is decided separately
    night = [*by, pl.col("wall").dt.date().alias("night")]
    begins, ends = (pl.col(name) for name in ("begins", "ends"))
    decided = (
        twice.join(_directions(times, by), on=list(by), how="left", nulls_equal=True)
        .sort(pl.when("falls").then(-pl.col("row").cast(pl.Int64)).otherwise("row"))
        .with_columns(
            back=(pl.col("wall").diff() <= 0).fill_null(value=False).over(night),
            again=pl.col("wall").cum_count().over(*by, "wall") > 1,
            # the series has no rows before or after that hour
            begins=(pl.col("wall").min() <= pl.col("earliest")).over(night),
            ends=(pl.col("wall").max() >= pl.col("latest")).over(night),
        )
        .with_columns(
            stepped=(pl.col("back").cum_sum() > 0).over(night),
            pairs=(pl.len().over(*by, "wall") == 2),
            # if sorted by the clock, the passes are mixed: it steps back more than once
            ordered=pl.col("ordered") & (pl.col("back").sum() <= 1).over(night),
        )
        .with_columns(known=pl.col("ordered") & pl.col("back").any().over(night))
        .with_columns(
            ambiguous=pl.when("known")
            .then(None)
            .when("pairs")
            .then(pl.lit("unordered"))
            .when(pl.col("ordered") & begins & ~ends)
            .then(pl.lit("begins"))
            .when(pl.col("ordered") & ends & ~begins)
            .then(pl.lit("ends"))
            .otherwise(pl.lit("once"))
        )
        .with_columns(
            is_second=pl.when("ordered")
            .then(pl.col("stepped") | (pl.col("ambiguous") == "begins"))
            # if each row appears twice, the rows of this hour are not two passes
            .otherwise(pl.col("again") & ~pl.col("repeats"))
        )
    )
    return times.join(
        decided.select("row", "ambiguous", moved=pl.when("is_second").then("second")),
        on="row",
        how="left",
        maintain_order="left",
    ).select(time=pl.coalesce("moved", "first"), ambiguous="ambiguous")


def _in_utc(wall: pl.Expr, time_zone: str, which: str) -> pl.Expr:
    return (
        wall.dt.replace_time_zone(
            time_zone,
            ambiguous=pl.lit(which),
            non_existent="null",
        )
        .dt.convert_time_zone("UTC")
        .dt.cast_time_unit("us")
    )


def _directions(times: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Return for each series whether it has an order, and whether that is backwards.

    Rows in an hour that appears twice are ignored.
    """
    step = pl.col("wall").diff()
    once = pl.col("first").eq_missing(pl.col("second"))
    apart = times.filter(once).drop_nulls("wall")
    rises = (step > 0).sum()
    falls = (step < 0).sum()
    same = (step == 0).sum()
    return (
        times.select(by)
        .unique()
        .join(
            apart.group_by(by).agg(
                falls=falls > rises,
                ordered=((falls == 0) | (rises == 0)) & (same == 0),
                repeats=pl.col("wall").n_unique() < pl.len(),
                earliest=pl.col("wall").min(),
                latest=pl.col("wall").max(),
            ),
            on=list(by),
            how="left",
            nulls_equal=True,
        )
        .with_columns(
            pl.col("falls").fill_null(value=False),
            # only that hour: assume forward, the usual direction
            pl.col("ordered").fill_null(value=True),
            pl.col("repeats").fill_null(value=False),
        )
    )
