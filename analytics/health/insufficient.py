"""Insufficient data: less than 60 % of the expected readings came (PeMS).

value: observed seconds / expected seconds.
"""

from typing import Final

import polars as pl

from analytics.health.evidence import Evidence, failures
from analytics.health.record import Test
from verkehrspuls.settings import Health
from verkehrspuls.text import mark


def find(evidence: Evidence, limits: Health) -> pl.DataFrame:
    """Find periods with some, but too few, readings."""
    share = pl.col("observed_s") / pl.col("expected_s")
    few = evidence.periods.filter((pl.col("observed_s") > 0) & (share < limits.enough))
    return failures(few, value=share, threshold=limits.enough)


TEST: Final = Test(
    name="insufficient-data",
    order=20,
    text=mark("Too few of the expected readings arrived."),
    word=mark("too little data"),
    find=find,
    counts=False,
)
