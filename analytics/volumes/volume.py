"""Volumes: readings of a channel added up to clock-aligned quarter-hours and hours.

- A reading belongs to the bin that contains its start, even if it extends beyond the
  bin's end (a sensor with a clock offset). Splitting it would invent counts.
- A reading longer than a bin yields no bin of that length.
- No second of overlapping readings counts twice: see `analytics.volumes.overlaps`.
- A sensor may report how many seconds of a reading's interval it observed.
- The volume of a reading is its `total`, else the sum of the known classes of the
  channel's quantity. A reading without either is left out; a bin with only such
  readings is missing, not zero.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.frames import COUNT_READINGS, VOLUMES, empty, with_details
from analytics.volumes import overlaps
from verkehrspuls.classes import COUNTS, VOLUME_CLASSES

Ints = npt.NDArray[np.integer]
Numbers = npt.NDArray[Any]

METHOD: Final = "volumes-3"

#: Lengths of the bins in seconds.
BINS: Final = (900, 3600)

_US: Final = 1_000_000
_I32_MAX: Final = 2**31 - 1


def volumes(readings: pl.DataFrame, *, of: pl.DataFrame | None = None) -> pl.DataFrame:
    """Add readings (COUNT_READINGS) up to VOLUMES of 900 and 3600 seconds.

    With `of`, return only the bins of these CHANNEL_HOURS: other readings serve only to
    resolve overlaps. `readings` may also have READING_DETAILS.

    Classes are sums of the known counts, null if no reading has the class. `speed_kmh`
    is the mean of spot speeds weighted by counts, thus a time mean; a speed of zero or
    below means unknown.

    `observed_s` are the seconds covered by readings, each second once, and `gap_s` is
    the longest uncovered time within the bin.
    """
    given = with_details(readings, COUNT_READINGS)
    if of is not None and "received_at" not in given.columns:
        # the column is read only if readings overlap
        given, of = overlaps.of_hours(given, of), None
    known = _known(given)
    if known.is_empty():
        return empty(VOLUMES)
    whole = parts = _parts(known)
    _, ahead_s = whole.breaks
    if (ahead_s < 0).any():
        return _of_overlapping(known, of)
    if of is not None:
        known = overlaps.of_hours(known, of)
        if known.is_empty():
            return empty(VOLUMES)
        whole = parts = _parts(known)
    shortest_s, longest_s = whole.lasting_s.min(), whole.lasting_s.max()
    found = []
    for every_s in BINS:
        if shortest_s > every_s:
            continue
        if longest_s <= every_s:
            # longer bins of all readings are the sums of shorter ones
            added = parts = _added_up(parts, _Bins.of(parts, every_s))
        else:
            fitting = _parts(known.filter(pl.col("interval_s") <= every_s))
            added = _added_up(fitting, _Bins.of(fitting, every_s))
        found.append(_volumes(added, every_s))
    return reduce(pl.DataFrame.vstack, found) if found else empty(VOLUMES)


def _of_overlapping(known: pl.DataFrame, of: pl.DataFrame | None) -> pl.DataFrame:
    """Return VOLUMES of readings, some of them overlapping."""
    found = empty(VOLUMES)
    for every_s in BINS:
        fitting = known.filter(pl.col("interval_s") <= every_s)
        fitting = overlaps.settled(fitting.drop("volume"))
        if of is not None:
            fitting = overlaps.of_hours(fitting, of)
        if fitting.is_empty():
            continue
        parts = _parts(_known(fitting))
        bins = _Bins.of(parts, every_s)
        added = _added_up(_each_second_once(parts, bins, every_s), bins)
        found = found.vstack(_volumes(added, every_s))
    return found


def volume_of_reading(quantities: Iterable[str] = tuple(VOLUME_CLASSES)) -> pl.Expr:
    """Return the volume of COUNT_READINGS of the quantities; null if unknown."""
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
    """Return the readings with a known volume, sorted by channel and time."""
    if readings.is_empty():
        return readings
    readings = overlaps.in_order(readings)
    # the quantity of a channel is the same for all of its readings
    other = _changes(readings["channel_id"].to_numpy())
    quantities = set(readings["quantity"][np.append(0, other)].to_list())
    known = readings.hstack([_volume(readings, quantities)])
    return known.drop_nulls("volume") if known["volume"].null_count() else known


def _volume(readings: pl.DataFrame, quantities: set[str]) -> pl.Series:
    """Return volumes of readings: if nothing is unknown, one sum of whole columns."""
    if len(quantities) == 1:
        (quantity,) = quantities
        total, *classes = (readings[name] for name in VOLUME_CLASSES[quantity])
        counted = [column for column in classes if column.null_count() < len(column)]
        unknown = sum(column.null_count() for column in counted)
        if counted and not unknown and total.null_count() == len(total):
            first, *others = (column.to_numpy() for column in counted)
            volume = first.copy()
            for counts in others:
                volume += counts
            return pl.Series("volume", volume)
    return readings.select(volume=volume_of_reading(quantities)).to_series()


def _numbers(times: pl.Series) -> Ints:
    """Return times as microseconds since 1970, which compare faster than times."""
    return times.cast(pl.Int64).to_numpy()


def _changes(values: Ints) -> Ints:
    """Return the rows whose value differs from the row before them."""
    return np.flatnonzero(values[1:] != values[:-1]) + 1


@dataclass(frozen=True)
class _Parts:
    """Readings or bins, by channel and time, to be added up to bins.

    A part covers `lasting_s` from its `start` (s since 1970) except `missed_s`; the
    longest run of those is `gap_s`. Seconds that a sensor reports as missed are
    scattered and form no run.
    """

    channel: Ints
    start: Ints
    lasting_s: Ints
    gap_s: Ints
    missed_s: Ints
    #: sums by name; unknown values count as zero
    sums: dict[str, Numbers]
    #: number of known values of a sum, if not all are known
    known: dict[str, Numbers]

    @cached_property
    def other(self) -> Ints:
        """Rows of another channel than the row before them."""
        return _changes(self.channel)

    @cached_property
    def breaks(self) -> tuple[Ints, Ints]:
        """Rows that do not start at the end of the row before, and the gap."""
        ahead_s = self.start[1:] - self.start[:-1]
        ahead_s -= self.lasting_s[:-1]
        ahead_s[self.other - 1] = 0
        rows = np.flatnonzero(ahead_s != 0)
        return rows + 1, ahead_s[rows]


def _parts(readings: pl.DataFrame) -> _Parts:
    """Convert readings with a known volume to parts of bins."""
    sums, known = {}, {}
    for name in ("volume", *COUNTS):
        values = readings[name]
        unknown = values.null_count()
        if unknown == len(values):
            continue
        if unknown:
            known[name] = values.is_not_null().cast(pl.Int32).to_numpy()
            values = values.fill_null(0)
        sums[name] = values.to_numpy()
    speed = readings["speed_kmh"]
    if speed.null_count() < len(speed):
        if speed.null_count():
            speed = speed.fill_null(0)
        # zero and below is unknown
        speeds = np.maximum(speed.to_numpy(), 0)
        sums["spotted"] = sums["volume"] * (speeds != 0)
        sums["travelled"] = sums["volume"] * speeds
    none = missed = np.zeros(readings.height, np.int8)
    interval_s = readings["interval_s"]
    if "observed_s" in readings.columns:
        missed = (interval_s - readings["observed_s"]).fill_null(0).to_numpy()
    return _Parts(
        readings["channel_id"].to_numpy(),
        _numbers(readings["time"]) // _US,
        interval_s.to_numpy(),
        none,
        missed,
        sums,
        known,
    )


def _each_second_once(readings: _Parts, bins: "_Bins", every_s: int) -> _Parts:
    """Extend readings to cover the seconds of those before them in their bin."""
    # bins twice as far apart, so that one running maximum suffices for all
    apart = bins.of_rows(np.arange(readings.start.size)) * 2 * every_s
    start = apart + readings.start % every_s
    reached = np.maximum.accumulate(start + readings.lasting_s)
    return replace(readings, lasting_s=reached - start)


def _added_up(parts: _Parts, bins: "_Bins") -> _Parts:
    """Add parts up to bins; no part of a bin ends after the last one."""
    start, first, last = parts.start, bins.first, bins.last
    lasting_s = start[last] - start[first] + parts.lasting_s[last]
    gap_s, missed_s = np.zeros((2, len(lasting_s)), np.int32)
    # gaps are few: those within parts, and those between them
    within = np.flatnonzero(parts.missed_s != 0)
    rows, ahead_s = parts.breaks
    between = (ahead_s > 0) & (bins.of_rows(rows) == bins.of_rows(rows - 1))
    before, empty_s = rows[between], ahead_s[between].astype(np.int32)
    for part, longest, all_s in (
        (within, parts.gap_s[within], parts.missed_s[within]),
        (before, empty_s, empty_s),
    ):
        at = bins.of_rows(part)
        np.maximum.at(gap_s, at, longest)
        np.add.at(missed_s, at, all_s)
    return _Parts(
        parts.channel[first],
        start[first],
        lasting_s.astype(np.int32),
        gap_s,
        missed_s,
        {name: bins.sum(values) for name, values in parts.sums.items()},
        {name: bins.sum(values) for name, values in parts.known.items()},
    )


@dataclass(frozen=True, slots=True)
class _Bins:
    """The assignment of parts, a row each, to bins.

    Bins are short and many. If all have the same number of rows, the second rows of all
    of them are added to the first ones, and so on, each as a slice; else sums are
    differences of running sums. Fractions are added in the same order either way.
    """

    first: Ints | slice
    last: Ints | slice
    #: number of rows of the longest bin
    most: int
    #: the bin of each row; None if all have the same number of rows
    of_row: Ints | None

    @classmethod
    def of(cls, parts: _Parts, every_s: int) -> "_Bins":
        """Determine the bins of parts: they change with the time and the channel."""
        places = parts.start // every_s
        change = places[1:] != places[:-1]
        change[parts.other - 1] = True
        most, more = divmod(change.size + 1, np.count_nonzero(change) + 1)
        if not more and change[most - 1 :: most].all():
            return cls(slice(0, None, most), slice(most - 1, None, most), most, None)
        ends = np.flatnonzero(change)
        first, last = np.append(0, ends + 1), np.append(ends, change.size)
        of_row = np.append(0, np.cumsum(change))
        return cls(first, last, int((last - first).max()) + 1, of_row)

    def of_rows(self, rows: Ints) -> Ints:
        """Return the bins of rows."""
        return rows // self.most if self.of_row is None else self.of_row[rows]

    def sum(self, values: Numbers) -> Numbers:
        """Add up the values of each bin."""
        most = _I32_MAX // self.most
        # as unsigned numbers, values below zero are large as well
        if values.dtype == np.int32 and values.view(np.uint32).max() > most:
            values = values.astype(np.int64)
        if self.of_row is None:
            turns = (values[turn :: self.most] for turn in range(self.most))
            return reduce(np.add, turns)
        if values.dtype.kind == "f":
            return np.bincount(self.of_row, values)
        # running sums may overflow: their differences are still right
        unsigned = values.view(f"u{values.itemsize}")
        found = np.cumsum(unsigned, dtype=unsigned.dtype)[self.last]
        found[1:] -= found[:-1].copy()
        return found.view(values.dtype)


def _volumes(bins: _Parts, every_s: int) -> pl.DataFrame:
    """Return VOLUMES of bins of one length.

    A sensor with a clock offset reaches beyond the end of a bin; that compensates for
    the same time at the beginning.
    """
    began = bins.start // every_s * every_s
    since_s = (bins.start - began).astype(np.int32)
    beyond_s = since_s + bins.lasting_s - every_s
    at_ends = np.maximum(since_s - np.maximum(beyond_s, 0), -beyond_s)
    found = {
        "channel_id": bins.channel,
        "interval_s": np.full_like(since_s, every_s),
        "time": began * _US,
        "observed_s": np.clip(bins.lasting_s - bins.missed_s, 0, every_s),
        "gap_s": np.maximum(np.maximum(at_ends, bins.gap_s), 0),
        **bins.sums,
    }
    known = dict(bins.known)
    if "spotted" in found:
        spotted = found["spotted"]
        with np.errstate(divide="ignore", invalid="ignore"):
            found["speed_kmh"] = (found["travelled"] / spotted).astype(np.float32)
        known["speed_kmh"] = np.maximum(spotted, 0)
    columns = []
    for name, dtype in VOLUMES.items():
        if name in found:
            column = pl.Series(name, found[name]).cast(dtype)
            if name in known:
                column = column.set(pl.Series(known[name] == 0), None)
        else:
            column = pl.Series(name, [None], dtype).new_from_index(0, began.size)
        columns.append(column)
    return pl.DataFrame(columns)
