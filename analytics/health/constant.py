"""Constant: occupancy or an environment value does not move (PeMS, HydroServer).

value: hours of the longest run of equal values. Occupancy above zero: 4 hours (PeMS:
Σ|Δocc| < 1e-5 over 48 readings of 5 minutes). Environment: 6 hours; but water levels
and precipitation may stand still, and so may values at the end of their range (fog,
calm). Daily means are not tested: rounded ones are often equal.
"""

from typing import Final

import polars as pl

from analytics.health.evidence import Evidence, counted, failures
from analytics.health.frozen import PERIOD, repeats
from analytics.health.out_of_range import RANGES
from analytics.health.record import Test
from analytics.volumes.long_intervals import HOUR_S
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.settings import Health
from verkehrspuls.text import mark


def find(evidence: Evidence, limits: Health) -> pl.DataFrame:
    """Find periods in which a value was constant for too long."""
    counts = evidence.readings.filter(counted(), pl.col("occupancy") > 0)
    constant = [key for key, one in ENVIRONMENT.items() if one.may_be_constant]
    values = (
        evidence.readings.filter(~counted())
        .join(RANGES, on="quantity")
        .filter(
            pl.col("interval_s") <= HOUR_S,
            pl.col("value").is_between("minimum", "maximum", closed="none"),
            ~pl.col("quantity").is_in(constant),
        )
    )
    bound = pl.when(counted()).then(limits.constant_h).otherwise(limits.persistence_h)
    columns = (*PERIOD, "quantity", "interval_s", "run")
    runs = pl.concat(
        [
            repeats(counts, "occupancy", key=PERIOD).select(columns),
            repeats(values, "value", key=PERIOD).select(columns),
        ]
    )
    longest = runs.group_by(*PERIOD, "quantity").agg(
        (pl.col("run") * pl.col("interval_s")).max().alias("seconds")
    )
    hours = pl.col("seconds") / 3600
    return failures(longest.filter(hours >= bound), value=hours, threshold=bound)


TEST: Final = Test(
    name="constant",
    order=110,
    text=mark("The measured value does not change any more."),
    word=mark("constant"),
    find=find,
    counts=False,
    is_fault=True,
)
