"""Peak hours: the busiest four consecutive quarter-hours, by day and block, and PHF."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from analytics.flow.figure import Figure, Reason, Result
from analytics.flow.inputs import passport_of_bins
from analytics.frames import FLOWS, TIME, Schema, check
from analytics.quality.passport import Passport

METHOD: Final = "peaks-3"
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
    clock_hour: the greatest flow of a whole hour by the clock in the block, on the days
        that have a peak hour in it, so it is no greater than that. A day of a counter
        without quarter-hours needs 75 % of the block's hours instead.

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
    counted = quarters.drop_nulls("flow").select("day").unique()
    of_clock = passport
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
        clock = _clock_hours(
            sliding, hours, counted=counted, peaked=of_block, span=span
        )
        figures.append(_greatest_clock_hour(clock, name, unit=unit, passport=of_clock))
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
    known = _known_days(quarters, span, per_hour=4)
    return (
        hours.lazy()
        .filter(pl.col("hour") >= first, pl.col("last_hour") < last)
        .join(known.lazy(), on="day", how="semi")
        .sort("volume", "time", descending=[True, False])
        .unique("day", keep="first", maintain_order=True)
        .select("day", pl.lit(name).alias("block"), "time", "volume", "phf")
        .collect()
    )


def _known_days(
    bins: pl.DataFrame, span: tuple[int, int], *, per_hour: int
) -> pl.DataFrame:
    """Return the `day` of those with enough known bins in the block."""
    first, last = span
    return (
        bins.lazy()
        .filter(_within(span))
        .group_by("day")
        .agg(pl.col("flow").count().alias("known"))
        .filter(pl.col("known") >= MIN_KNOWN * per_hour * (last - first))
        .select("day")
        .collect()
    )


def _within(span: tuple[int, int]) -> pl.Expr:
    return pl.col("hour").is_between(*span, closed="left")


def _clock_hours(
    sliding: pl.DataFrame,
    hours: pl.DataFrame | None,
    *,
    counted: pl.DataFrame,
    peaked: pl.DataFrame,
    span: tuple[int, int],
) -> pl.DataFrame:
    """Return `time` and `flow` of the block's clock hours, on days with enough of them.

    `peaked` are the days with a peak hour. Of `hours`, only days without any known
    quarter-hour are used; `counted` are the others.
    """
    found = (
        sliding.filter(pl.col("time").dt.minute() == 0, _within(span))
        .join(peaked, on="day", how="semi")
        .select("time", flow="volume")
    )
    if hours is None:
        return found
    coarse = hours.filter(_within(span)).join(counted, on="day", how="anti")
    known = _known_days(coarse, span, per_hour=1)
    others = coarse.drop_nulls("flow").join(known, on="day", how="semi")
    return pl.concat([found, others.select("time", "flow")])


def _greatest_clock_hour(
    clock: pl.DataFrame, block: str, *, unit: str, passport: Passport
) -> Figure:
    ranked = clock.sort("flow", "time", descending=[True, False])
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
