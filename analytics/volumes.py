"""Volumes: readings of a channel added up to clock-aligned quarter-hours and hours.

- A reading belongs to the bin that contains its start, also where it reaches beyond
  the bin's end (a sensor whose clock is offset). Splitting it would invent counts.
- A reading that is longer than a bin gives no bin of that length.
- The volume of a reading is its `total`, else the sum of those classes of the
  channel's quantity that are known. A reading that knows neither is left out; a bin of
  such readings alone is missing, not zero.
"""

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
    known = (
        check(readings, COUNT_READINGS)
        .with_columns(volume=volume_of_reading())
        .filter(pl.col("volume").is_not_null())
        .with_columns(
            place=pl.col("channel_id").cast(pl.Int64) * _APART
            + pl.col("time").dt.epoch("s"),
            spotted=pl.when(pl.col("speed_kmh") > 0).then("volume"),
        )
        .with_columns(
            travelled=pl.col("speed_kmh").cast(pl.Float64) * pl.col("spotted")
        )
    )
    if not known["place"].is_sorted():
        known = known.sort("place")
    bins = [_bins(known, every_s) for every_s in BINS]
    return check(pl.concat(bins), VOLUMES)


def volume_of_reading() -> pl.Expr:
    """Volume of a row of COUNT_READINGS; null where it is unknown."""
    by_quantity = pl.lit(None, pl.Int32)
    for quantity, classes in VOLUME_CLASSES.items():
        parts = [name for name in classes if name != "total"]
        known = pl.any_horizontal(pl.col(parts).is_not_null())
        by_quantity = (
            pl.when((pl.col("quantity") == quantity) & known)
            .then(pl.sum_horizontal(parts))
            .otherwise(by_quantity)
        )
    return pl.coalesce("total", by_quantity)


def _bins(readings: pl.DataFrame, every_s: int) -> pl.DataFrame:
    """Add sorted readings up to bins of one length.

    Rows of a bin follow each other, so sums are those of slices (`reduceat`): ten times
    as fast as grouping.
    """
    readings = readings.filter(pl.col("interval_s") <= every_s)
    if readings.is_empty():
        return empty(VOLUMES)
    place = readings["place"].to_numpy()
    bins = place // every_s
    is_first = np.append(True, bins[1:] != bins[:-1])
    first = np.flatnonzero(is_first)
    bins = bins[first] * every_s
    observed_s, gap_s = _cover(
        place % every_s, readings["interval_s"].to_numpy(), is_first, every_s
    )
    sums = {
        name: _sums(readings[name], first)
        for name in ("volume", *COUNTS, "spotted", "travelled")
    }
    spotted = pl.col("spotted")
    return (
        pl.DataFrame(
            {
                "channel_id": bins // _APART,
                "time": pl.from_epoch(pl.Series(bins % _APART), "s"),
                "observed_s": observed_s,
                "gap_s": gap_s,
                **sums,
            }
        )
        .with_columns(
            pl.col("channel_id", "observed_s", "gap_s", "volume", *COUNTS).cast(
                pl.Int32
            ),
            pl.col("time").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            interval_s=pl.lit(every_s, pl.Int32),
            speed_kmh=pl.when(spotted > 0)
            .then(pl.col("travelled") / spotted)
            .cast(pl.Float32),
        )
        .select(list(VOLUMES))
    )


def _sums(values: pl.Series, first: Ints) -> pl.Series:
    """Sums of the known values of each bin; null where it has none."""
    if values.null_count() == values.len():
        return pl.repeat(None, first.size, eager=True)
    wide = pl.Float64 if values.dtype.is_float() else pl.Int64
    sums = pl.Series(np.add.reduceat(values.fill_null(0).cast(wide).to_numpy(), first))
    if not values.null_count():
        return sums
    known = np.logical_or.reduceat(values.is_not_null().to_numpy(), first)
    return pl.select(pl.when(pl.Series(known)).then(sums)).to_series()


def _cover(
    start: Ints, interval_s: Ints, is_first: npt.NDArray[np.bool_], every_s: int
) -> tuple[Ints, Ints]:
    """Tell the seconds of each bin that its readings cover, and the longest gap.

    `start` counts from the beginning of the bin. A sensor whose clock is offset reaches
    beyond the end; that makes up for as much at the beginning.
    """
    first = np.flatnonzero(is_first)
    end = start + interval_s
    # bins end to end, so far apart that one running maximum serves them all
    laid = 2 * every_s * np.cumsum(is_first)
    before = np.append(0, np.maximum.accumulate(laid + end)[:-1]) - laid
    before = np.where(is_first, start, before)
    covered = np.add.reduceat(np.maximum(end - np.maximum(start, before), 0), first)
    last_end = np.maximum.reduceat(end, first)
    gaps = (
        np.maximum.reduceat(start - before, first),
        start[first] - np.maximum(last_end - every_s, 0),
        every_s - last_end,
    )
    return np.minimum(covered, every_s), np.maximum(np.maximum.reduce(gaps), 0)
