"""Peak hours: the busiest four consecutive quarter-hours, by day and block, and PHF."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from analytics.flow.figure import Figure, Reason, Result
from analytics.flow.inputs import passport_of_bins
from analytics.frames import FLOWS, TIME, Schema, check
from analytics.quality.passport import Passport

METHOD: Final = "peaks-2"
#: Local hours `[first, last)` in which a peak is searched; the usual times of short
#: counts in towns (DOMAIN.md 4.2).
BLOCKS: Final[Mapping[str, tuple[int, int]]] = {
    "day": (0, 24),
    "morning": (6, 10),
    "evening": (15, 19),
}
#: Minimum share of known quarter-hours for the peak of a block.
MIN_KNOWN: Final = 0.75

PEAKS: Final[Schema] = {
    "day": pl.Date(),
    "block": pl.String(),
    "time": TIME,
    "volume": pl.Float64(),
    "phf": pl.Float64(),
}


def peaks(
    quarters: pl.DataFrame,
    hours: pl.DataFrame | None = None,
    *,
    unit: str,
    expected: int,
    blocks: Mapping[str, tuple[int, int]] = BLOCKS,
) -> Result:
    """Find the peak hour of each local day and block in FLOWS of quarter-hours.

    `hours` are FLOWS of hours, for counters without quarter-hours.

    volume: the greatest sum of four consecutive quarter-hours in the block, in
        vehicles/h, the earliest of several. Quarter-hours observed in part are scaled
        up; four in a row must be known, and 75 % of the block's.
    phf: V60 / (4 · greatest V15 within that hour), from 0.25 (all in one quarter-hour)
        to 1 (even); null without traffic.
    clock_hour: the greatest flow of a whole hour by the clock in the block, also for a
        block with fewer known hours. It is no greater than the peak hour.

    The figures are the greatest peak of the period in each block, with its PHF, and the
    greatest clock hour; the table has the peaks of each day. A block without enough
    data has no row: missing, not zero. Source: DAVe's sliding hour; PHF as in the HCM
    (DOMAIN.md 4.2).
    """
    quarters = check(quarters, FLOWS)
    passport = passport_of_bins(quarters, method=METHOD, expected=expected)
    sliding = _hours(quarters)
    table = pl.concat(
        [_of_block(quarters, sliding, name, span) for name, span in blocks.items()]
    ).sort("day", "block")
    clock, of_clock = _clock_hours(sliding, hours), passport
    reason = Reason("too-few-days", 0, 1)
    if hours is not None:
        of_clock = passport_of_bins(
            check(hours, FLOWS), method=METHOD, expected=expected // 4
        )
        if not quarters["flow"].count() and hours["flow"].count():
            reason = Reason("needs-quarters")
    figures: list[Figure] = []
    for name, span in blocks.items():
        of_block = table.filter(pl.col("block") == name)
        figures += _greatest(
            of_block, name, unit=unit, passport=passport, reason=reason
        )
        figures.append(
            _greatest_clock_hour(clock, name, span, unit=unit, passport=of_clock)
        )
    return Result(tuple(figures), check(table, PEAKS), passport)


def _hours(quarters: pl.DataFrame) -> pl.DataFrame:
    """Return all hours of four known consecutive quarter-hours of one local day."""
    four = [pl.col("flow").shift(-n) / 4 for n in range(4)]
    total = pl.sum_horizontal(four, ignore_nulls=False)
    greatest = pl.max_horizontal(four)
    return (
        quarters.lazy()
        .sort("time")
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
        .collect()
    )


def _of_block(
    quarters: pl.DataFrame, hours: pl.DataFrame, name: str, span: tuple[int, int]
) -> pl.DataFrame:
    first, last = span
    known = (
        quarters.lazy()
        .filter(pl.col("hour").is_between(first, last, closed="left"))
        .group_by("day")
        .agg(pl.col("flow").count().alias("known"))
        .filter(pl.col("known") >= MIN_KNOWN * 4 * (last - first))
    )
    return (
        hours.lazy()
        .filter(pl.col("hour") >= first, pl.col("last_hour") < last)
        .join(known, on="day", how="semi")
        .sort("volume", "time", descending=[True, False])
        .unique("day", keep="first", maintain_order=True)
        .select("day", pl.lit(name).alias("block"), "time", "volume", "phf")
        .collect()
    )


def _clock_hours(sliding: pl.DataFrame, hours: pl.DataFrame | None) -> pl.DataFrame:
    """Return `time`, `hour` and `flow` of clock hours, from either source."""
    columns = ("time", "hour", "flow")
    found = sliding.filter(pl.col("time").dt.minute() == 0).select(
        "time", "hour", flow="volume"
    )
    if hours is None:
        return found
    others = hours.drop_nulls("flow").join(found, on="time", how="anti")
    return pl.concat([found, others.select(columns)])


def _greatest_clock_hour(
    clock: pl.DataFrame,
    block: str,
    span: tuple[int, int],
    *,
    unit: str,
    passport: Passport,
) -> Figure:
    first, last = span
    of_block = clock.filter(pl.col("hour").is_between(first, last, closed="left"))
    ranked = of_block.sort("flow", "time", descending=[True, False])
    nothing = ranked.is_empty()
    return Figure(
        name=f"clock_hour_{block}",
        unit=f"{unit}/h",
        passport=passport,
        value=None if nothing else ranked["flow"][0],
        at=None if nothing else ranked["time"][0],
        reason=Reason("too-few-hours", 0, 1) if nothing else None,
    )


def _greatest(
    table: pl.DataFrame, block: str, *, unit: str, passport: Passport, reason: Reason
) -> tuple[Figure, Figure]:
    names = f"peak_{block}", f"phf_{block}"
    if table.is_empty():
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
