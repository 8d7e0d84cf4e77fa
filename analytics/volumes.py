"""Volumes: readings of a channel added up to clock-aligned quarter-hours and hours.

- A reading belongs to the bin that contains its start, also where it reaches beyond
  the bin's end (a sensor whose clock is offset). Splitting it would invent counts.
- A reading that is longer than a bin gives no bin of that length.
- The volume of a reading is its `total`, else the sum of those classes of the
  channel's quantity that are known. A reading that knows neither does not count as
  observed; a bin of such readings alone is missing, not zero.
"""

from typing import Final

import polars as pl

from analytics.frames import COUNT_READINGS, VOLUMES, check
from verkehrspuls.classes import COUNTS, VOLUME_CLASSES

#: Lengths of the bins in seconds, as Polars says them.
BINS: Final = {900: "15m", 3600: "1h"}


def volumes(readings: pl.DataFrame) -> pl.DataFrame:
    """Add readings (COUNT_READINGS) up to VOLUMES of 900 and 3600 seconds.

    Classes are summed where known and null where no reading knows them. `speed_kmh` is
    the mean of spot speeds weighted by counts, thus a time mean; a speed of zero is a
    sensor's way to say unknown.
    """
    readings = check(readings, COUNT_READINGS).with_columns(_volume().alias("volume"))
    bins = [_bins(readings, every_s) for every_s in BINS]
    return check(pl.concat(bins), VOLUMES)


def _volume() -> pl.Expr:
    """Volume of a reading; null where it is unknown."""
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
    volume, speed = pl.col("volume"), pl.col("speed_kmh").cast(pl.Float64)
    spotted = volume.filter(speed > 0)
    return (
        readings.filter(pl.col("interval_s") <= every_s)
        .group_by("channel_id", pl.col("time").dt.truncate(BINS[every_s]))
        .agg(
            pl.lit(every_s, pl.Int32).alias("interval_s"),
            pl.col("interval_s")
            .filter(volume.is_not_null())
            .sum()
            .clip(upper_bound=every_s)
            .alias("observed_s"),
            _sum_of_known("volume"),
            *(_sum_of_known(name) for name in COUNTS),
            pl.when(spotted.sum() > 0)
            .then((speed * volume).filter(speed > 0).sum() / spotted.sum())
            .cast(pl.Float32)
            .alias("speed_kmh"),
        )
        .filter(volume.is_not_null())
    )


def _sum_of_known(name: str) -> pl.Expr:
    return pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name)
