"""Volumes: readings of a channel added up to clock-aligned quarter-hours and hours.

- A reading belongs to the bin that contains its start, also where it reaches beyond
  the bin's end (a sensor whose clock is offset). Splitting it would invent counts.
- A reading that is longer than a bin gives no bin of that length.
- The volume of a reading is its `total`, else the sum of those classes of the
  channel's quantity that are known. A reading that knows neither is left out; a bin of
  such readings alone is missing, not zero.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.frames import COUNT_READINGS, VOLUMES, check, empty
from verkehrspuls.classes import COUNTS, VOLUME_CLASSES

Ints = npt.NDArray[np.integer]

METHOD: Final = "volumes-2"

#: Lengths of the bins in seconds.
BINS: Final = (900, 3600)


#: Seconds from the times of a channel to those of the next, laid end to end: more than
#: there are since 1970, and a multiple of each bin.
_APART: Final = 3600 * 2**22


def volumes(readings: pl.DataFrame) -> pl.DataFrame:
    """Add readings (COUNT_READINGS) up to VOLUMES of 900 and 3600 seconds.

    Classes are summed where known and null where no reading knows them. `speed_kmh` is
    the mean of spot speeds weighted by counts, thus a time mean; a speed of zero or
    below is a sensor's way to say unknown.

    `observed_s` are the seconds that readings cover, each second once, and `gap_s` is
    the longest time of the bin that none covers, as far as it lies within the bin.
    """
    readings = check(readings, COUNT_READINGS)
    known = (
        readings.lazy()
        .with_columns(volume=volume_of_reading(readings["quantity"].unique()))
        .filter(pl.col("volume").is_not_null())
        .with_columns(
            place=pl.col("channel_id").cast(pl.Int64) * _APART
            + pl.col("time").dt.epoch("s"),
            spotted=pl.when(pl.col("speed_kmh") > 0).then("volume"),
        )
        .with_columns(
            travelled=pl.col("speed_kmh").cast(pl.Float64) * pl.col("spotted")
        )
        .drop("quantity", "channel_id", "time")
        .collect()
    )
    if not known["place"].is_sorted():
        known = known.sort("place")
    parts, found = known, []
    for every_s in BINS:
        fitting = known.filter(pl.col("interval_s") <= every_s)
        if fitting.is_empty():
            continue
        if fitting.height < known.height:
            found.append(_bins(fitting, _sums(fitting, every_s), every_s))
        else:
            # bins that hold all readings are added up to longer ones in their place
            parts = _sums(parts, every_s)
            found.append(_bins(fitting, parts, every_s))
    return check(pl.concat([empty(VOLUMES), *found]), VOLUMES)


def volume_of_reading(quantities: Iterable[str] = tuple(VOLUME_CLASSES)) -> pl.Expr:
    """Volume of a row of COUNT_READINGS of the quantities; null where it is unknown."""
    by_quantity = pl.lit(None, pl.Int32)
    for quantity in quantities:
        parts = [name for name in VOLUME_CLASSES[quantity] if name != "total"]
        known = pl.any_horizontal(pl.col(parts).is_not_null())
        by_quantity = (
            pl.when((pl.col("quantity") == quantity) & known)
            .then(pl.sum_horizontal(parts))
            .otherwise(by_quantity)
        )
    return pl.coalesce("total", by_quantity)


def _bins(readings: pl.DataFrame, sums: pl.DataFrame, every_s: int) -> pl.DataFrame:
    """Give the bins of one length: their sums, and what sorted readings cover."""
    place = readings["place"].to_numpy()
    observed_s, gap_s = _cover(place, readings["interval_s"].to_numpy(), every_s)
    spotted = pl.col("spotted")
    return sums.with_columns(
        pl.col("volume", *COUNTS).cast(pl.Int32),
        channel_id=(pl.col("place") // _APART).cast(pl.Int32),
        time=pl.from_epoch(pl.col("place") % _APART, "s")
        .cast(pl.Datetime("us"))
        .dt.replace_time_zone("UTC"),
        observed_s=pl.Series(observed_s, dtype=pl.Int32),
        gap_s=pl.Series(gap_s, dtype=pl.Int32),
        interval_s=pl.lit(every_s, pl.Int32),
        speed_kmh=pl.when(spotted > 0)
        .then(pl.col("travelled") / spotted)
        .cast(pl.Float32),
    ).select(list(VOLUMES))


def _sums(parts: pl.DataFrame, every_s: int) -> pl.DataFrame:
    """Add sorted readings, or shorter bins of them, up to bins of one length.

    Rows of a bin follow each other, so sums are those of slices (`reduceat`): ten times
    as fast as grouping.
    """
    bins = parts["place"].to_numpy() // every_s
    first = _firsts(bins)
    return pl.DataFrame(
        {
            "place": bins[first] * every_s,
            **{
                name: _sum(parts[name], first)
                for name in ("volume", *COUNTS, "spotted", "travelled")
            },
        }
    )


def _firsts(bins: Ints) -> Ints:
    """Tell where in sorted numbers each number begins."""
    return np.flatnonzero(np.append(True, bins[1:] != bins[:-1]))


def _sum(values: pl.Series, first: Ints) -> pl.Series:
    """Sums of the known values of each bin; null where it has none."""
    wide = values.cast(pl.Float64 if values.dtype.is_float() else pl.Int64)
    if wide.null_count() == wide.len():
        return pl.repeat(None, first.size, dtype=wide.dtype, eager=True)
    if not wide.null_count():
        return pl.Series(np.add.reduceat(wide.to_numpy(), first))
    sums = pl.Series(np.add.reduceat(wide.fill_null(0).to_numpy(), first))
    known = np.logical_or.reduceat(values.is_not_null().to_numpy(), first)
    return pl.select(pl.when(pl.Series(known)).then(sums)).to_series()


def _cover(place: Ints, interval_s: Ints, every_s: int) -> tuple[Ints, Ints]:
    """Tell the seconds of each bin that its readings cover, and the longest gap.

    A sensor whose clock is offset reaches beyond the end of a bin; that makes up for as
    much at the beginning.
    """
    bins = place // every_s
    first = _firsts(bins)
    # seconds from the beginning of the bin
    start = place - bins * every_s
    end = start + interval_s
    # bins end to end, so far apart that one running maximum serves them all
    laid = 2 * every_s * bins
    before = np.empty_like(start)
    before[1:] = np.maximum.accumulate(laid + end)[:-1] - laid[1:]
    before[first] = start[first]
    covered = np.add.reduceat(np.maximum(end - np.maximum(start, before), 0), first)
    last_end = np.maximum.reduceat(end, first)
    gaps = (
        np.maximum.reduceat(start - before, first),
        start[first] - np.maximum(last_end - every_s, 0),
        every_s - last_end,
    )
    return np.minimum(covered, every_s), np.maximum(np.maximum.reduce(gaps), 0)
