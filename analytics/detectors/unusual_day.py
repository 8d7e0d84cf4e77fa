"""Detector unusual-day: a whole day far above or below what is expected of it.

Expected is what is usual, times what the rest of the town does: see
`analytics.baseline.network`.
score = |x| / √(s² + 1/(expected + 1)), x = ln((observed + 1) / (expected + 1)) and s
the spread of x over the 28 days before, shrunk for new channels
(`analytics.detectors.days`). Hit: score above 4 and a change of more than 25 %.
"""

from math import log
from typing import Final

import polars as pl

from analytics.baseline.network import with_expected
from analytics.detectors import days as of_days
from analytics.detectors.record import Detector, Reason
from analytics.frames import CHANNEL_DAYS, check
from verkehrspuls.text import mark


def detect(
    days: pl.DataFrame, *, score: float = 4.0, change: float = 0.25
) -> pl.DataFrame:
    """Find HITS in the CHANNEL_DAYS of a town; `usual` is what was expected."""
    known = check(days, CHANNEL_DAYS).filter(pl.col("hours") >= of_days.MIN_HOURS)
    expected = with_expected(known, when="day").with_columns(usual="expected")
    judged = of_days.judged(expected)
    past = of_days.before(judged, "x", period="28d", offset="-28d")
    x = pl.col("x")
    far = (x > log(1 + change)) | (x < log(1 - change))
    noise = (pl.col("spread") ** 2 + 1 / (pl.col("usual") + 1)).sqrt()
    found = (
        judged.join(past, on=["channel_id", "day"], how="left")
        .with_columns(pl.col("spread").fill_null(pl.col("prior")))
        .with_columns((x.abs() / noise).alias("score"))
        .filter((pl.col("score") > score) & far)
    )
    above, below = pl.lit("day-above-usual"), pl.lit("day-below-usual")
    return of_days.hits(found, x > 0, above, below)


DETECTOR: Final = Detector(
    code="unusual-day",
    name=mark("unusual days"),
    evidence=mark("%(score)s times the spread of such days"),
    reasons=(
        Reason(
            code="day-above-usual",
            word=mark("unusual day"),
            sentence=mark(
                "a day with more than usual, %(observed)s instead of %(usual)s"
            ),
        ),
        Reason(
            code="day-below-usual",
            word=mark("unusual day"),
            sentence=mark(
                "a day with less than usual, %(observed)s instead of %(usual)s"
            ),
        ),
    ),
    judges="local days",
    score="spreads of the channel's days",
    days=lambda days: detect(days.counts),
    spreads=True,
    is_common=True,
)
