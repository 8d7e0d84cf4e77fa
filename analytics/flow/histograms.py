"""Speed histograms of readings, merged to hours of a channel on one common grid.

Percentiles cannot be averaged, but histograms can be added: all speed figures are
computed from these sums.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.frames import (
    HISTOGRAM_READINGS,
    SPEED_HISTOGRAMS,
    TIME,
    check,
    with_details,
)
from analytics.volumes import overlaps

#: The grid: bins of 5 km/h from 0 to 250, and one above.
WIDTH_KMH: Final = 5
BINS: Final = 51
#: Maximum bin width; histograms with wider bins are too coarse and are refused.
MAX_WIDTH_KMH: Final = 20

Ints = npt.NDArray[np.int64]
_HOUR_S: Final = 3600
_LAYOUT: Final = ("histogram_from_kmh", "histogram_width_kmh", "bins")
_KEY: Final = ("channel_id", "time")


def merged(readings: pl.DataFrame, *, of: pl.DataFrame | None = None) -> pl.DataFrame:
    """Add HISTOGRAM_READINGS up to SPEED_HISTOGRAMS by channel and hour.

    With `of` only those of these CHANNEL_HOURS: other readings serve only to resolve
    overlaps. Of overlapping readings with a known `received_at`, those of which more
    than half counts are taken whole, the others are left out: see
    `analytics.volumes.overlaps`.

    Histograms of one layout (begin, width, number of bins) are added first, then
    brought to the grid: the count below a grid edge is interpolated linearly inside a
    bin, and rounded. If the device's edges lie on the grid this is exact; else the
    vehicles of that layout count as `rebinned`. Nothing is lost: the sum of `counts` is
    the sum of the vehicles in all histograms that were not refused.

    - open_kmh: the lowest begin of a device's last bin in which there were vehicles.
      Its last bin is open, so above it only the number is known; null if there were
      none.
    - refused: vehicles in histograms with bins wider than 20 km/h.
    - observed_s: the time that used histograms cover, at most 3600.

    A reading without a histogram is left out, not treated as zeros; readings longer
    than an hour are ignored.
    """
    readings = _counting(with_details(readings, HISTOGRAM_READINGS))
    if of is not None:
        readings = overlaps.of_hours(readings, of)
    lists = readings["histogram"]
    # moving lists is expensive: they are picked once, in the order of adding
    rows = (
        readings.select(
            pl.int_range(pl.len()).alias("row"),
            "channel_id",
            pl.col("time").dt.truncate("1h"),
            "interval_s",
            "histogram_from_kmh",
            "histogram_width_kmh",
            bins=pl.col("histogram").list.len(),
        )
        .filter(pl.col("bins").is_not_null(), pl.col("interval_s") <= _HOUR_S)
        .sort(_KEY)
    )
    usable = pl.col("histogram_width_kmh") <= MAX_WIDTH_KMH
    found = [
        _on_grid(same, lists.gather(same["row"]), *layout)
        for layout, same in rows.filter(usable)
        .partition_by(_LAYOUT, as_dict=True)
        .items()
    ]
    too_wide = rows.filter(~usable)
    refused = (
        too_wide.with_columns(vehicles=lists.gather(too_wide["row"]).list.sum())
        .group_by(_KEY)
        .agg(refused=pl.col("vehicles").sum().cast(pl.Int32))
    )
    grid = [f"g{n}" for n in range(BINS)]
    summed = (
        pl.concat([_nothing(), *found])
        .group_by(_KEY)
        .agg(
            pl.col("observed_s").sum().clip(upper_bound=_HOUR_S),
            pl.col("open_kmh").min(),
            pl.col("rebinned", *grid).sum(),
        )
        .join(refused, on=_KEY, how="full", coalesce=True)
        .with_columns(pl.col("observed_s", "rebinned", "refused", *grid).fill_null(0))
        .select(
            *_KEY,
            pl.col("observed_s").cast(pl.Int32),
            pl.concat_list(pl.col(grid).cast(pl.Int32)).alias("counts"),
            pl.col("open_kmh").cast(pl.Float32),
            pl.col("rebinned", "refused").cast(pl.Int32),
        )
        .sort(_KEY)
    )
    return check(summed, SPEED_HISTOGRAMS)


def _counting(readings: pl.DataFrame) -> pl.DataFrame:
    """Leave out readings that are mostly covered by later ones."""
    if "received_at" not in readings.columns:
        return readings
    readings = overlaps.in_order(readings.filter(pl.col("interval_s") <= _HOUR_S))
    seconds = overlaps.counted_s(readings)
    if seconds is None:
        return readings
    return readings.filter(2 * seconds > pl.col("interval_s"))


def as_matrix(counts: pl.Series, bins: int = BINS) -> Ints:
    """Return lists of counts, all of one length, as the rows of a matrix."""
    return counts.explode().cast(pl.Int64).to_numpy().reshape(-1, bins)


def _on_grid(
    rows: pl.DataFrame, lists: pl.Series, begin: float, width: float, bins: int
) -> pl.DataFrame:
    """Sum the lists of rows sorted by channel and hour, on the grid."""
    hours = rows.group_by(_KEY, maintain_order=True).agg(
        pl.col("interval_s").sum().alias("observed_s"), readings=pl.len()
    )
    begins = hours["readings"].cum_sum().shift(1, fill_value=0).to_numpy()
    counts = np.add.reduceat(as_matrix(lists, bins), begins, axis=0)
    on_grid, exact = rebin(counts, begin, width)
    opens = np.where(counts[:, -1] > 0, begin + (bins - 1) * width, np.nan)
    vehicles = counts.sum(axis=1)
    return hours.select(
        *_KEY,
        pl.col("observed_s").cast(pl.Int64),
        open_kmh=pl.Series(opens).fill_nan(None),
        rebinned=pl.Series(np.zeros_like(vehicles) if exact else vehicles),
        **{f"g{n}": pl.Series(on_grid[:, n]) for n in range(BINS)},
    )


def _nothing() -> pl.DataFrame:
    """Return an empty result of `_on_grid`."""
    return pl.DataFrame(
        schema={
            "channel_id": pl.Int32,
            "time": TIME,
            "observed_s": pl.Int64,
            "open_kmh": pl.Float64,
            "rebinned": pl.Int64,
            **{f"g{n}": pl.Int64 for n in range(BINS)},
        }
    )


def rebin(counts: Ints, begin: float, width: float) -> tuple[Ints, bool]:
    """Convert histograms (rows) to the grid; return whether its edges fitted.

    The last bin of the grid is open.
    """
    bins = counts.shape[1]
    below = np.zeros((len(counts), bins + 1))
    below[:, 1:] = counts.cumsum(axis=1)
    grid = WIDTH_KMH * np.arange(1, BINS)
    # position of each grid edge among the device's edges, and within the bin
    place = np.clip((grid - begin) / width, 0, bins).round(6)
    bin_of = np.minimum(place.astype(int), bins - 1)
    inside = place - bin_of
    at_grid = below[:, bin_of] * (1 - inside) + below[:, bin_of + 1] * inside
    ends = np.zeros((len(counts), 1)), below[:, -1:]
    rounded = np.concatenate([ends[0], np.floor(at_grid + 0.5), ends[1]], axis=1)
    exact = not (place % 1).any()
    return np.diff(rounded, axis=1).astype(np.int64), exact
