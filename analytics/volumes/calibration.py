"""Calibration: counts times the factor that holds; all figures are made of them.

What is stored stays raw. Counts stay whole numbers: those of a channel are rounded as
running sums of an hour, class by class, so that an hour is right to one vehicle, by
class and in total. Where the rounding begins changes from hour to hour and is spread
evenly (fractions of multiples of the golden ratio), so that the hours of a quiet night
are not all rounded to what was counted; a day is right to a few vehicles.
"""

from typing import Final

import polars as pl

from analytics.frames import CALIBRATIONS, check
from analytics.volumes.overlaps import in_order, whole_counts
from verkehrspuls.classes import COUNTS

_HOUR_S: Final = 3600
_GOLDEN: Final = (5**0.5 - 1) / 2


def calibrated(readings: pl.DataFrame, calibrations: pl.DataFrame) -> pl.DataFrame:
    """Multiply the counts of COUNT_READINGS with the factors of CALIBRATIONS.

    A factor holds for readings that begin within its period.
    """
    if calibrations.is_empty() or readings.is_empty():
        return readings
    readings = in_order(readings)
    factors = (
        readings.select("channel_id", "time")
        .with_row_index("row")
        .join(check(calibrations, CALIBRATIONS), on="channel_id")
        .filter(pl.col("time") >= pl.col("since"), pl.col("time") < pl.col("until"))
        .sort("row")
    )
    if factors.is_empty():
        return readings
    rows = factors["row"]
    hour = (readings["time"].dt.epoch("s") // _HOUR_S)[rows].to_numpy()
    whole = whole_counts(
        readings[rows],
        factors["factor"].to_numpy(),
        every_s=_HOUR_S,
        offset=hour * _GOLDEN % 1 - 0.5,
    )
    names = [name for name in COUNTS if name in whole.columns]
    return readings.with_columns(
        readings[name].scatter(rows, whole[name]) for name in names
    )
