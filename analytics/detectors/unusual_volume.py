"""Detector unusual-volume: an hour far above or below what is expected of it.

Expected is what is usual, times what the rest of the town does, or is forecast to do
as long as it has not reported (`analytics.baseline.network`).
score = |observed - expected| / spread, with the spread of the baseline (never below the
noise of counting). Hit: score above 5 and a change of more than 30 %. Only hours
observed to 75 % whose usual volume is known are judged.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from analytics.baseline.hours import whole_hour_volume
from analytics.baseline.network import with_expected
from analytics.detectors.record import Detector, Reason
from analytics.frames import HITS, USUAL_HOURS, check
from verkehrspuls.text import mark

#: Length of what is judged, and how far back the forecast of the network ratio looks.
HOUR: Final = timedelta(hours=1)


def detect(
    hours: pl.DataFrame, *, score: float = 5.0, change: float = 0.3
) -> pl.DataFrame:
    """Find HITS in the USUAL_HOURS of a town; `observed` is a whole hour's.

    `usual` of a hit is what was expected.
    """
    known = (
        check(hours, USUAL_HOURS)
        .with_columns(whole_hour_volume().alias("observed"))
        .drop_nulls(["observed", "usual"])
    )
    expected = pl.col("expected")
    difference = pl.col("observed") - expected
    return check(
        with_expected(known, when="time", step=HOUR)
        .select(
            "channel_id",
            pl.col("time").alias("began"),
            (pl.col("time") + HOUR).alias("ended"),
            "observed",
            expected.alias("usual"),
            (difference.abs() / pl.col("usual_spread")).alias("score"),
            pl.when(difference > 0)
            .then(pl.lit("above-usual"))
            .otherwise(pl.lit("below-usual"))
            .alias("reason"),
        )
        .filter(
            (pl.col("score") > score)
            & ((pl.col("observed") - pl.col("usual")).abs() > change * pl.col("usual"))
        ),
        HITS,
    )


DETECTOR: Final = Detector(
    code="unusual-volume",
    name=mark("unusual hours"),
    evidence=mark("%(score)s times the usual spread"),
    reasons=(
        Reason(
            code="above-usual",
            word=mark("more than usual"),
            sentence=mark("more than usual, %(observed)s instead of %(usual)s"),
            explained_by=("stuck",),
        ),
        Reason(
            code="below-usual",
            word=mark("less than usual"),
            sentence=mark("less than usual, %(observed)s instead of %(usual)s"),
            explained_by=("stuck",),
        ),
    ),
    judges="hours",
    score="robust standard deviations",
    town=detect,
    spreads=True,
    is_common=True,
)
