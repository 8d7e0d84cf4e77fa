"""Insufficient data: less than 60 % of the expected readings came (PeMS).

value: observed seconds / expected seconds.
"""

import polars as pl

from analytics.health.evidence import Evidence, failures
from verkehrspuls.settings import Health


def find(evidence: Evidence, limits: Health) -> pl.DataFrame:
    """Find periods with some, but too few, readings."""
    share = pl.col("observed_s") / pl.col("expected_s")
    few = evidence.periods.filter((pl.col("observed_s") > 0) & (share < limits.enough))
    return failures(few, value=share, threshold=limits.enough)
