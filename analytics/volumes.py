"""Volumes: readings of a channel added up to clock-aligned quarter-hours and hours.

- A reading belongs to the bin that contains its start, also where it reaches beyond
  the bin's end (a sensor whose clock is offset). Splitting it would invent counts.
- A reading that is longer than a bin gives no bin of that length.
- The volume of a reading is its `total`, else the sum of those classes of the
  channel's quantity that are known. A reading that knows neither is left out; a bin of
  such readings alone is missing, not zero.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.frames import COUNT_READINGS, TIME, VOLUMES, check, empty
from verkehrspuls.classes import COUNTS, VOLUME_CLASSES

Ints = npt.NDArray[np.integer]
Numbers = npt.NDArray[Any]

METHOD: Final = "volumes-2"

#: Lengths of the bins in seconds.
BINS: Final = (900, 3600)

#: Seconds from the times of a channel to those of the next, laid end to end: more than
#: there are since 1970, and a multiple of each bin.
_APART: Final = 3600 * 2**22
_I32_MAX: Final = 2**31 - 1
_SUMMED: Final = ("volume", *COUNTS, "spotted", "travelled")


def volumes(readings: pl.DataFrame) -> pl.DataFrame:
    """Add readings (COUNT_READINGS) up to VOLUMES of 900 and 3600 seconds.

    Classes are summed where known and null where no reading knows them. `speed_kmh` is
    the mean of spot speeds weighted by counts, thus a time mean; a speed of zero or
    below is a sensor's way to say unknown.

    `observed_s` are the seconds that readings cover, each second once, and `gap_s` is
    the longest time of the bin that none covers, as far as it lies within the bin.
    """
    readings = check(readings, COUNT_READINGS)
    if readings.is_empty():
        return empty(VOLUMES)
    known = _known(readings)
    overlap = bool((known["start"][1:] < known["end"][:-1]).any())
    parts, found = known, []
    for every_s in BINS:
        fitting = known.filter(pl.col("interval_s") <= every_s)
        if fitting.is_empty():
            continue
        if overlap or fitting.height < known.height:
            bins = _added_up(_each_second_once(fitting, every_s), every_s)
        else:
            # bins of all readings are added up to longer ones in their place
            bins = parts = _added_up(parts, every_s)
        found.append(_volumes(bins, every_s))
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


def _known(readings: pl.DataFrame) -> pl.DataFrame:
    """Give the readings of a known volume, sorted, as parts of bins (`_added_up`)."""
    place = (
        readings["channel_id"].to_numpy().astype(np.int64) * _APART
        + readings["time"].to_physical().to_numpy() // 1_000_000
    )
    quantity = readings["quantity"]
    if (quantity == quantity[0]).all():
        quantity = quantity.head(1)
    none = pl.lit(0, pl.Int64)
    spotted = pl.col("speed_kmh") > 0
    known = (
        readings.lazy()
        .with_columns(place=place, volume=volume_of_reading(quantity.unique()))
        .filter(pl.col("volume").is_not_null())
        .select(
            "interval_s",
            "place",
            "volume",
            *COUNTS,
            start="place",
            end=pl.col("place") + pl.col("interval_s"),
            gap_s=none,
            missed_s=none,
            spotted=pl.when(spotted).then("volume"),
            travelled=pl.when(spotted).then(
                pl.col("speed_kmh").cast(pl.Float64) * pl.col("volume")
            ),
        )
        .collect()
    )
    return known if known["place"].is_sorted() else known.sort("place")


def _each_second_once(readings: pl.DataFrame, every_s: int) -> pl.DataFrame:
    """Let readings cover only what those before them in their bin do not."""
    # bins twice as far apart, so that one running maximum serves them all
    laid = readings["place"].to_numpy() // every_s * every_s
    start = readings["start"].to_numpy() + laid
    reached = np.maximum.accumulate(readings["end"].to_numpy() + laid)
    start[1:] = np.maximum(start[1:], reached[:-1])
    return readings.with_columns(start=start - laid, end=reached - laid)


def _added_up(parts: pl.DataFrame, every_s: int) -> pl.DataFrame:
    """Add sorted readings, or shorter bins of them, up to bins of one length.

    A part belongs to the bin of its `place`; it covers `start` to `end` but for
    `missed_s`, of which `gap_s` are the longest in a row. None covers a second twice.
    """
    bins = parts["place"].to_numpy() // every_s
    change = bins[1:] != bins[:-1]
    first = np.flatnonzero(np.append(True, change))
    last = np.append(first[1:], bins.size) - 1
    start, end, inside, missed = (
        parts[name].to_numpy() for name in ("start", "end", "gap_s", "missed_s")
    )
    gap_s, missed_s = np.zeros((2, first.size), np.int64)
    # gaps are few: those within parts, and those between them
    within = np.flatnonzero(inside)
    before = np.flatnonzero((start[1:] > end[:-1]) & ~change) + 1
    between = start[before] - end[before - 1]
    for rows, longest, all_s in (
        (within, inside[within], missed[within]),
        (before, between, between),
    ):
        at = np.searchsorted(first, rows, side="right") - 1
        np.maximum.at(gap_s, at, longest)
        np.add.at(missed_s, at, all_s)
    turns = _Turns.of(first, bins.size)
    return pl.DataFrame(
        {
            "place": bins[first] * every_s,
            "start": start[first],
            "end": end[last],
            "gap_s": gap_s,
            "missed_s": missed_s,
            **{name: _sum(parts[name], turns) for name in _SUMMED},
        }
    )


@dataclass(frozen=True, slots=True)
class _Turns:
    """Rows of bins by turns: the first row of each bin, the second ones, and so on.

    Bins are short and many: to add a whole turn at a time is several times as fast as
    to add bin by bin, or to group. The longest bins come first, so that a turn is added
    to the front of the sums; `back` puts the bins into their order again. Bins that are
    all equally long are in it already, and their turns are slices.
    """

    bins: int
    rows: tuple[Ints | slice, ...]
    back: Ints | None

    @classmethod
    def of(cls, first: Ints, rows: int) -> "_Turns":
        """Take turns of bins that begin at the `first` of so many rows."""
        length = np.diff(first, append=rows)
        longest = int(length.max())
        if longest * first.size == rows:
            alike = tuple(slice(turn, None, longest) for turn in range(longest))
            return cls(first.size, alike, None)
        # numbers of one or two bytes are sorted without comparing them
        shorter = (longest - length).astype(np.min_scalar_type(longest))
        order = np.argsort(shorter, kind="stable")
        back = np.empty_like(order)
        back[order] = np.arange(order.size)
        longer = first.size - np.cumsum(np.bincount(length))
        ordered = first[order]
        turns = tuple(ordered[: longer[turn]] + turn for turn in range(longest))
        return cls(first.size, turns, back)

    def sum(self, values: Numbers) -> Numbers:
        """Add the values of each bin."""
        first, *others = self.rows
        whole = values.dtype.kind == "i"
        wide = whole and np.abs(values).max() > _I32_MAX // len(self.rows)
        found = values[first].astype(np.int64 if wide else values.dtype)
        for rows in others:
            more = values[rows]
            found[: more.size] += more
        return found if self.back is None else found[self.back]


def _sum(values: pl.Series, turns: _Turns) -> pl.Series:
    """Sums of the known values of each bin; null where it has none."""
    unknown = values.null_count()
    if unknown == values.len():
        return values.head(turns.bins)
    if not unknown:
        return pl.Series(turns.sum(values.to_numpy()))
    known = turns.sum(values.is_not_null().cast(pl.Int32).to_numpy())
    sums = pl.Series(turns.sum(values.fill_null(0).to_numpy()))
    return sums.set(pl.Series(known == 0), None)


def _volumes(bins: pl.DataFrame, every_s: int) -> pl.DataFrame:
    """Give VOLUMES of bins of one length.

    A sensor whose clock is offset reaches beyond the end of a bin; that makes up for as
    much at the beginning.
    """
    place, start, end, gap_s, missed_s = (
        bins[name].to_numpy() for name in ("place", "start", "end", "gap_s", "missed_s")
    )
    channel = place // _APART
    beyond = end - place - every_s
    at_ends = np.maximum(start - place - np.maximum(beyond, 0), -beyond)
    spotted = pl.col("spotted")
    return bins.select(
        pl.col("volume", *COUNTS).cast(pl.Int32),
        channel_id=pl.Series(channel, dtype=pl.Int32),
        time=pl.Series((place - channel * _APART) * 1_000_000).cast(TIME),
        observed_s=pl.Series(
            np.minimum(end - start - missed_s, every_s), dtype=pl.Int32
        ),
        gap_s=pl.Series(np.maximum(np.maximum(at_ends, gap_s), 0), dtype=pl.Int32),
        interval_s=pl.lit(every_s, pl.Int32),
        speed_kmh=pl.when(spotted > 0)
        .then(pl.col("travelled") / spotted)
        .cast(pl.Float32),
    ).select(list(VOLUMES))
