"""Peak hours: the busiest four quarter-hours in a row, by day and block, and PHF."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from analytics.flow.figure import Figure, Reason, Result
from analytics.flow.inputs import passport_of_bins
from analytics.frames import FLOW_BINS, TIME, Schema, check
from analytics.passport import Passport

METHOD: Final = "peaks-1"
#: Local hours `[first, last)` in which a peak is looked for; the usual times of short
#: counts in towns (DOMAIN.md 4.2).
BLOCKS: Final[Mapping[str, tuple[int, int]]] = {
    "day": (0, 24),
    "morning": (6, 10),
    "evening": (15, 19),
}
#: A block has a peak where so much of the quarter-hours is known.
ENOUGH_KNOWN: Final = 0.75

PEAKS: Final[Schema] = {
    "day": pl.Date(),
    "block": pl.String(),
    "time": TIME,
    "volume": pl.Float64(),
    "phf": pl.Float64(),
}


def peaks(
    quarters: pl.DataFrame,
    *,
    unit: str,
    expected: int,
    blocks: Mapping[str, tuple[int, int]] = BLOCKS,
) -> Result:
    """Find the peak hour of each local day and block in FLOW_BINS of quarter-hours.

    volume: the greatest sum of four quarter-hours in a row that lie in the block, in
        vehicles/h, the earliest of several. Quarter-hours observed in part count as
        whole ones; four in a row must be known, and 75 % of the block's.
    phf: V60 / (4 · greatest V15 within that hour), from 0.25 (all in one quarter-hour)
        to 1 (even); null where nothing passed.

    The figures are the greatest peak of the period in each block, with its PHF; the
    table has each day. A block without enough has no row: missing, not zero. Source:
    DAVe's sliding hour; PHF as in the HCM (DOMAIN.md 4.2).
    """
    quarters = check(quarters, FLOW_BINS)
    passport = passport_of_bins(quarters, method=METHOD, expected=expected)
    hours = _hours(quarters)
    table = pl.concat(
        [_of_block(quarters, hours, name, span) for name, span in blocks.items()]
    ).sort("day", "block")
    figures = [
        figure
        for name in blocks
        for figure in _greatest(
            table.filter(pl.col("block") == name), name, unit=unit, passport=passport
        )
    ]
    return Result(tuple(figures), check(table, PEAKS), passport)


def _hours(quarters: pl.DataFrame) -> pl.DataFrame:
    """All hours of four known quarter-hours of one local day in a row."""
    four = [pl.col("flow").shift(-n) / 4 for n in range(4)]
    total = pl.sum_horizontal(four, ignore_nulls=False)
    greatest = pl.max_horizontal(four)
    return (
        quarters.sort("time")
        .select(
            "day",
            "time",
            "hour",
            volume=total,
            phf=pl.when(total > 0).then(total / (4 * greatest)),
            last_hour=pl.col("hour").shift(-3),
            last_day=pl.col("day").shift(-3),
            last_time=pl.col("time").shift(-3),
        )
        .filter(
            pl.col("last_time") - pl.col("time") == pl.duration(minutes=45),
            pl.col("last_day") == pl.col("day"),
            pl.col("volume").is_not_null(),
        )
    )


def _of_block(
    quarters: pl.DataFrame, hours: pl.DataFrame, name: str, span: tuple[int, int]
) -> pl.DataFrame:
    first, last = span
    known = (
        quarters.filter(pl.col("hour").is_between(first, last, closed="left"))
        .group_by("day")
        .agg(pl.col("flow").count().alias("known"))
        .filter(pl.col("known") >= ENOUGH_KNOWN * 4 * (last - first))
    )
    return (
        hours.filter(pl.col("hour") >= first, pl.col("last_hour") < last)
        .join(known, on="day", how="semi")
        .sort("volume", "time", descending=[True, False])
        .unique("day", keep="first", maintain_order=True)
        .select("day", pl.lit(name).alias("block"), "time", "volume", "phf")
    )


def _greatest(
    table: pl.DataFrame, block: str, *, unit: str, passport: Passport
) -> tuple[Figure, Figure]:
    names = f"peak_{block}", f"phf_{block}"
    if table.is_empty():
        reason = Reason("too-few-days", 0, 1)
        return (
            Figure(name=names[0], unit=f"{unit}/h", passport=passport, reason=reason),
            Figure(name=names[1], unit="1", passport=passport, reason=reason),
        )
    row = table.sort("volume", "time", descending=[True, False]).row(0, named=True)
    return (
        Figure(
            name=names[0],
            unit=f"{unit}/h",
            passport=passport,
            value=row["volume"],
            at=row["time"],
        ),
        Figure(
            name=names[1],
            unit="1",
            passport=passport,
            value=row["phf"],
            at=row["time"],
            reason=None if row["phf"] is not None else Reason("no-traffic"),
        ),
    )
