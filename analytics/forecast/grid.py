"""Volumes of channels as a matrix: one row per interval, one column per channel.

Rows are intervals in UTC, so a local day has 23, 24 or 25 hours of rows; each row has
its local day and its bin of the local clock. The repeated hour in autumn has two rows
of one bin, and the skipped hour in spring has none.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.frames import BIN_VOLUMES, TIME, check

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Place(NamedTuple):
    """The clock and calendar that all channels of a grid share."""

    time_zone: str
    state: str


@dataclass(frozen=True, slots=True)
class Grid:
    """Volumes per interval (NaN if unknown), with the local calendar of their rows."""

    start: datetime
    interval_s: int
    place: Place
    #: channel ids, sorted
    channels: tuple[int, ...]
    #: rows by channels
    values: Floats
    #: index of each row's local day in `days`
    day: Ints
    #: bin of the local day, by the wall clock
    bin: Ints
    days: tuple[date, ...]

    @property
    def per_hour(self) -> int:
        """Number of rows per hour."""
        return 3600 // self.interval_s

    def row(self, moment: datetime) -> int:
        """Return the row of the interval that begins at `moment`."""
        return int((moment - self.start).total_seconds()) // self.interval_s

    def times(self, rows: Ints) -> pl.Series:
        """Return the starts of intervals."""
        after = pl.Series(rows * self.interval_s * 1_000_000).cast(pl.Duration("us"))
        return pl.select((pl.lit(self.start) + after).cast(TIME)).to_series()

    def without(self, hidden: Flags) -> "Grid":
        """Return a copy in which the hidden values are unknown."""
        return replace(self, values=np.where(hidden, np.nan, self.values))


#: Minimum observed share of a known interval, which is scaled to a whole one.
MIN_OBSERVED: Final = 0.5


def make(
    volumes: pl.DataFrame,
    place: Place,
    *,
    interval_s: int,
    start: datetime,
    end: datetime,
) -> Grid:
    """Arrange BIN_VOLUMES of one length over `[start, end)`.

    An interval observed to less than half is unknown; a partly observed one is scaled
    to a whole one (volume · interval_s / observed_s).
    """
    rows = (end - start) // timedelta(seconds=interval_s)
    known = check(volumes, BIN_VOLUMES).filter(
        (pl.col("interval_s") == interval_s)
        & (pl.col("time") >= start)
        & (pl.col("time") < end)
        & (pl.col("observed_s") >= MIN_OBSERVED * interval_s)
        & pl.col("volume").is_not_null()
    )
    channels = known["channel_id"].unique().sort().to_numpy()
    whole = pl.col("volume").cast(pl.Float64) * interval_s / pl.col("observed_s")
    since = (pl.col("time") - start).dt.total_seconds() // interval_s
    cells = known.select("channel_id", since.alias("row"), whole.alias("volume"))
    return from_values(
        matrix(cells, channels, rows=rows),
        place,
        channels=tuple(channels.tolist()),
        interval_s=interval_s,
        start=start,
    )


def matrix(cells: pl.DataFrame, channels: Ints, *, rows: int) -> Floats:
    """Arrange cells (`channel_id`, `row`, `volume`) as a matrix; NaN where none is.

    Its columns are the sorted `channels`.
    """
    values = np.full((rows, channels.size), np.nan)
    column = np.searchsorted(channels, cells["channel_id"].to_numpy())
    values[cells["row"].to_numpy(), column] = cells["volume"].to_numpy()
    return values


def from_values(
    values: Floats,
    place: Place,
    *,
    channels: tuple[int, ...],
    interval_s: int,
    start: datetime,
) -> Grid:
    """Build a grid from a matrix of volumes (rows by channels) and its first time."""
    local = (
        pl.select(
            pl.datetime_range(
                pl.lit(start),
                pl.lit(start + len(values) * timedelta(seconds=interval_s)),
                f"{interval_s}s",
                closed="left",
            )
            .dt.convert_time_zone(place.time_zone)
            .alias("local")
        )
        .lazy()
        .select(
            day=pl.col("local").dt.date(),
            bin=(
                pl.col("local").dt.hour().cast(pl.Int64) * 3600
                + pl.col("local").dt.minute().cast(pl.Int64) * 60
            )
            // interval_s,
        )
        .collect()
    )
    days = local["day"].unique().sort()
    return Grid(
        start=start,
        interval_s=interval_s,
        place=place,
        channels=channels,
        values=values,
        day=days.search_sorted(local["day"]).to_numpy().astype(np.int64),
        bin=local["bin"].to_numpy(),
        days=tuple(days.to_list()),
    )
