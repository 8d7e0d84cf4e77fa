"""Detector exceedance: an hour of air above a limit, alert or information threshold.

Hour means (75 % observed) above the hourly value of Directive (EU) 2024/2881 and the
39. BImSchV: NO₂ 200 µg/m³, O₃ 180 µg/m³ (information), one hit for each run of hours;
score = highest mean / value. Limits of days and years are not judged here:
`analytics.environment` compares them. A low-cost sensor shows only the order of
magnitude; the case says what was measured, not that a limit in the sense of the law was
exceeded.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from analytics.baseline.hours import MIN_OBSERVED
from analytics.detectors import runs
from analytics.detectors.of_quantities import with_value
from analytics.detectors.record import Detector, Reason
from analytics.frames import ENVIRONMENT_HOURS, HITS, check
from verkehrspuls.text import mark


def detect(hours: pl.DataFrame, quantities: pl.DataFrame) -> pl.DataFrame:
    """Find HITS in ENVIRONMENT_HOURS; `quantities` names that of each channel."""
    known = with_value(
        check(hours, ENVIRONMENT_HOURS),
        "usual",
        lambda one: one.exceeded_above,
        quantities=quantities,
    )
    above = known.filter(
        (pl.col("observed_s") >= MIN_OBSERVED * 3600)
        & (pl.col("mean") > pl.col("usual"))
    )
    return check(
        runs.number(above, step=timedelta(hours=1))
        .group_by("channel_id", "run")
        .agg(
            pl.col("time").min().alias("began"),
            (pl.col("time").max() + timedelta(hours=1)).alias("ended"),
            pl.col("mean").max().alias("observed"),
            pl.col("usual").first(),
        )
        .with_columns(
            score=pl.col("observed") / pl.col("usual"),
            reason=pl.lit("above-limit"),
        ),
        HITS,
    )


DETECTOR: Final = Detector(
    code="exceedance",
    name=mark("thresholds"),
    evidence=mark("hourly mean of the measured values"),
    reasons=(
        Reason(
            code="above-limit",
            word=mark("above a threshold"),
            sentence=mark("%(observed)s, more than %(usual)s in an hour"),
            severity=1,
            names=40,
        ),
    ),
    judges="hours of NO₂ and O₃",
    score="highest hour / value",
    values=detect,
)
