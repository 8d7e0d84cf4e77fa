"""Readings that overlap: no second of a channel counts twice.

A second covered by several readings of a channel belongs to the reading received last,
which is the correction; of readings received together, to the shorter one, then to the
one that began later. The count of a reading is assumed to be spread evenly over its
interval: a partly covered reading counts with the share of its own seconds, and a fully
covered one does not count.

Clocks of devices and networks are slightly uneven, so a reading often begins some
seconds before the previous one ends. Both are then correct, and each vehicle was
counted once: a reading counts whole if others cover at most `OVERLAP_TOLERANCE` of it.
"""

from datetime import timedelta
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.frames import CHANNEL_HOURS, check
from verkehrspuls.classes import COUNTS
from verkehrspuls.quantities import OVERLAP_TOLERANCE

#: Maximum length of a reading that belongs to a bin.
MAX_INTERVAL_S: Final = 3600
#: Overlapping counts are rounded to whole ones per bin of this length.
_BIN_S: Final = 900
_US: Final = 1_000_000
#: Tolerance of sums of fractions.
_ROUNDING: Final = 1e-6
_HOUR: Final = timedelta(hours=1)

Ints = npt.NDArray[Any]


def in_order(readings: pl.DataFrame) -> pl.DataFrame:
    """Sort readings by channel and time; most are sorted already."""
    if readings.is_empty():
        return readings
    channel, time = readings["channel_id"].to_numpy(), _numbers(readings["time"])
    ordered = time[1:] >= time[:-1]
    other = np.flatnonzero(channel[1:] != channel[:-1]) + 1
    ordered[other - 1] = channel[other] > channel[other - 1]
    return readings if ordered.all() else readings[np.lexsort((time, channel))]


def overlapping(readings: pl.DataFrame) -> pl.Series | None:
    """Return which readings overlap others of their channel; None if none does.

    Readings are in the order of channel and time.
    """
    if readings.height < 2:
        return None
    channel, start = readings["channel_id"].to_numpy(), _numbers(readings["time"])
    # the first of overlapping readings overlaps the one after it
    ahead = np.diff(start) - readings["interval_s"].to_numpy()[:-1] * np.int64(_US)
    near = ahead < 0
    if not near.any() or not (near & (channel[1:] == channel[:-1])).any():
        return None
    start, end = _on_one_line(readings)
    into = np.append(False, start[1:] < np.maximum.accumulate(end)[:-1])
    return pl.Series(into | np.append(into[1:], False))


def counted_s(readings: pl.DataFrame) -> pl.Series | None:
    """Return the counted seconds of each reading; None if all count fully.

    Readings are in the order of channel and time, with the time of receipt
    (`received_at`) if known.
    """
    among = overlapping(readings)
    if among is None:
        return None
    found = readings["interval_s"].to_numpy().astype(np.int64)
    rows = among.arg_true().to_numpy()
    found[rows] = _own_seconds(readings[rows])
    if (found == readings["interval_s"].to_numpy()).all():
        return None
    return pl.Series(found)


def settled(readings: pl.DataFrame) -> pl.DataFrame:
    """Reduce count readings to their counted parts; sorted by channel and time.

    Covered parts are left out. Counts stay whole: they are rounded so that all
    overlapping readings of a quarter of an hour add up to their shares, by class and in
    total.
    """
    seconds = counted_s(readings)
    if seconds is None:
        return readings
    readings = readings.with_columns(counted_s=seconds).filter(pl.col("counted_s") > 0)
    part = (pl.col("counted_s") < pl.col("interval_s")).alias("part")
    bins = ("channel_id", pl.col("time").dt.epoch("s") // _BIN_S)
    rows = (
        readings.select(part.any().over(*bins)).to_series().arg_true()
        if readings.height
        else pl.Series([], dtype=pl.UInt32)
    )
    if rows.is_empty():
        return readings.drop("counted_s")
    parts = readings[rows]
    share = parts["counted_s"].to_numpy() / parts["interval_s"].to_numpy()
    split = whole_counts(parts, share, every_s=_BIN_S)
    names = [name for name in COUNTS if name in split.columns]
    return readings.with_columns(
        readings[name].scatter(rows, split[name]) for name in names
    ).drop("counted_s")


def of_hours(readings: pl.DataFrame, hours: pl.DataFrame) -> pl.DataFrame:
    """Keep the readings that began in these CHANNEL_HOURS."""
    return _by_hour(readings, hours, how="semi")


def of_other_hours(readings: pl.DataFrame, hours: pl.DataFrame) -> pl.DataFrame:
    """Keep the readings, or figures, that did not begin in these CHANNEL_HOURS."""
    return _by_hour(readings, hours, how="anti")


def _by_hour(
    readings: pl.DataFrame, hours: pl.DataFrame, *, how: Literal["semi", "anti"]
) -> pl.DataFrame:
    return readings.join(
        hours,
        left_on=["channel_id", pl.col("time").dt.truncate("1h")],
        right_on=["channel_id", "hour"],
        how=how,
    )


def beside(readings: pl.DataFrame, stale: pl.DataFrame) -> pl.DataFrame:
    """Find the CHANNEL_HOURS next to stale ones whose readings overlap those.

    The counted part of one depends on the other.
    """
    if "received_at" not in readings.columns:
        return stale.clear()
    readings = in_order(readings)
    seconds = counted_s(readings)
    if seconds is None:
        return stale.clear()
    end = pl.col("time") + pl.duration(seconds="interval_s")
    own = pl.col("time").dt.truncate("1h")
    # readings that are split, or split others, may extend into the next hour
    reaching = readings.with_columns(among=overlapping(readings)).filter(
        "among", end > own + _HOUR, pl.col("interval_s") <= MAX_INTERVAL_S
    )
    pairs = reaching.select("channel_id", first=own, second=own + _HOUR).unique()
    found = [
        pairs.join(
            stale, left_on=["channel_id", one], right_on=["channel_id", "hour"]
        ).select("channel_id", hour=pl.col(other))
        for one, other in (("first", "second"), ("second", "first"))
    ]
    beside = pl.concat(found).unique()
    return check(
        beside.join(stale, on=["channel_id", "hour"], how="anti"), CHANNEL_HOURS
    )


def _numbers(times: pl.Series) -> Ints:
    """Return times as microseconds since 1970, which compare faster than times."""
    return times.cast(pl.Int64).to_numpy()


def _on_one_line(readings: pl.DataFrame) -> tuple[Ints, Ints]:
    """Return starts and ends in seconds, with all channels on one time line."""
    channel = readings["channel_id"].to_numpy()
    start = _numbers(readings["time"]) // _US
    end = start + readings["interval_s"].to_numpy()
    number = np.append(0, np.cumsum(channel[1:] != channel[:-1]))
    apart = number * (int(end.max()) - int(start.min()) + 1)
    return start + apart, end + apart


def _own_seconds(readings: pl.DataFrame) -> Ints:
    """Return the seconds of each reading that no later one covers."""
    start, end = _on_one_line(readings)
    received = (
        readings["received_at"].cast(pl.Int64).fill_null(0).to_numpy()
        if "received_at" in readings.columns
        else np.zeros(readings.height, np.int64)
    )
    order = np.lexsort((start, start - end, received))
    # between two points the same readings cover every second
    points = np.unique(np.concatenate([start, end]))
    first, last = np.searchsorted(points, start), np.searchsorted(points, end)
    width = (last - first)[order]
    row = np.repeat(order, width)
    place = np.arange(row.size) - np.repeat(np.cumsum(width) - width, width)
    piece = np.repeat(first[order], width) + place
    # the last one written stays
    owner = np.full(points.size - 1, -1)
    owner[piece] = row
    owned = owner >= 0
    lasting = end - start
    own = np.bincount(
        owner[owned], np.diff(points)[owned], minlength=readings.height
    ).astype(np.int64)
    return np.where(lasting - own <= OVERLAP_TOLERANCE * lasting, lasting, own)


def whole_counts(
    readings: pl.DataFrame,
    share: Ints,
    *,
    every_s: int,
    offset: Ints | None = None,
) -> pl.DataFrame:
    """Return the counts of sorted readings times their shares, as integers.

    They are rounded as running sums over bins of `every_s`, class by class: so each
    class is right to one, and so is the sum of all classes. The sums of a bin begin at
    the `offset` of its first reading, else at zero.
    """
    place = readings.select(
        (pl.struct("channel_id", pl.col("time").dt.epoch("s") // every_s)).rle_id()
    ).to_series()
    of_row = place.to_numpy()
    begins = np.append(0, np.flatnonzero(np.diff(of_row)) + 1)
    start = np.zeros(begins.size) if offset is None else offset[begins]
    before = start
    columns = []
    for name in COUNTS:
        values = readings[name]
        if values.null_count() == len(values):
            continue
        shares = values.fill_null(0).to_numpy() * share
        sums = np.bincount(of_row, shares)
        # `total` includes the vehicles of the classes, if both are there
        base = before if name != "total" else start
        running = np.cumsum(shares) + (base - np.cumsum(sums) + sums)[of_row]
        until = _rounded(running)
        since = np.append(0, until[:-1])
        since[begins] = _rounded(base)
        whole = pl.Series(name, (until - since).astype(np.int32))
        columns.append(
            pl.select(pl.when(values.is_not_null()).then(whole).alias(name)).to_series()
        )
        if name != "total":
            before = before + sums
    return pl.DataFrame(columns)


def _rounded(values: Ints) -> Ints:
    """Round sums of fractions half up."""
    return np.floor(values + 0.5 + _ROUNDING)
