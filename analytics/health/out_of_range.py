"""Out of range: a value that cannot be (HydroServer's range rule).

Counts below zero or beyond the quantity's greatest flow, speeds below zero or above 250
km/h, environment values outside of what the quantity allows. value: the number of such
readings in the period; one is too many.
"""

from typing import Final

import polars as pl

from analytics.health.evidence import Evidence, failures
from analytics.health.record import Test
from verkehrspuls.quantities import COUNTED, QUANTITIES
from verkehrspuls.settings import Health
from verkehrspuls.text import mark
from verkehrspuls.wire import MAX_SPEED_KMH

RANGES: Final = pl.DataFrame(
    [(key, one.minimum, one.maximum) for key, one in QUANTITIES.items()],
    schema={"quantity": pl.String, "minimum": pl.Float64, "maximum": pl.Float64},
    orient="row",
)


def find(evidence: Evidence, _: Health) -> pl.DataFrame:
    """Find periods with impossible readings."""
    found = (
        outside(evidence.readings)
        .group_by("channel_id", "began")
        .agg(pl.len().alias("readings"))
    )
    return failures(found, value=pl.col("readings"), threshold=0.0)


def outside(readings: pl.DataFrame) -> pl.DataFrame:
    """Return the impossible HEALTH_READINGS; unknown values are not among them."""
    flow = pl.col("volume") * 3600.0 / pl.col("interval_s")
    counts = pl.col("quantity").is_in(list(COUNTED))
    value = pl.when(counts).then(flow).otherwise(pl.col("value"))
    wrong = pl.any_horizontal(
        value < pl.col("minimum"),
        value > pl.col("maximum"),
        ~pl.col("speed_kmh").is_between(0, MAX_SPEED_KMH),
    )
    return readings.join(RANGES, on="quantity").filter(wrong.fill_null(value=False))


TEST: Final = Test(
    name="out-of-range",
    order=50,
    text=mark("There are impossible values."),
    word=mark("impossible value"),
    find=find,
    counts=False,
    is_fault=True,
)
