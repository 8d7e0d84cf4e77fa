"""No data: an installed channel without any readings in the period (PeMS).

value: share of the expected time that readings cover: 0. The level is how far the
silence reaches.
"""

from typing import Final

import polars as pl

from analytics.health.evidence import Evidence, failures
from analytics.health.record import Test
from verkehrspuls.settings import Health
from verkehrspuls.text import mark


def find(evidence: Evidence, _: Health) -> pl.DataFrame:
    """Find periods without any reading, also among the siblings."""
    silent = evidence.siblings.filter(pl.col("observed_s") == 0)
    return failures(silent, value=pl.lit(0.0), threshold=0.0)


TEST: Final = Test(
    name="no-data",
    order=10,
    text=mark("Nothing arrived."),
    word=mark("no data"),
    find=find,
    counts=False,
)
