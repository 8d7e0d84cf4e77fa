"""Detector spike: a value far above what is usual and above what was just before.

Counts: a quarter-hour with score = (observed - usual) / spread of at least 8, at least
three times what is usual and three times the quarter-hour before it, and 20 vehicles
more than usual. Air and noise: an hour whose mean lies more than 8 robust standard
deviations (1.4826 · MAD), and more than the least step of the quantity, above the
median of the 24 hours before it (12 at least), and half of that above the hour before.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from analytics.baseline.hours import MAD_TO_SIGMA
from analytics.baseline.quarter_hours import QUARTER_S, observed
from analytics.detectors.of_quantities import with_value
from analytics.detectors.record import Detector, Reason
from analytics.frames import ENVIRONMENT_HOURS, HITS, STORED_VOLUMES, check
from verkehrspuls.text import mark

_QUARTER: Final = timedelta(seconds=QUARTER_S)
_HOUR: Final = timedelta(hours=1)


def detect(
    quarters: pl.DataFrame,
    *,
    score: float = 8.0,
    times: float = 3.0,
    more: float = 20.0,
) -> pl.DataFrame:
    """Find HITS in the quarter-hours of STORED_VOLUMES."""
    now, usual = pl.col("observed"), pl.col("usual").cast(pl.Float64)
    follows = pl.col("time").diff().over("channel_id") == _QUARTER
    before = pl.when(follows).then(now.shift(1).over("channel_id"))
    found = (
        check(quarters, STORED_VOLUMES)
        .filter(pl.col("interval_s") == QUARTER_S)
        .with_columns(observed().alias("observed"))
        .sort("channel_id", "time")
        .with_columns(before.alias("before"), usual=usual)
        .with_columns(score=(now - usual) / pl.col("usual_spread"))
        .filter(
            (pl.col("score") >= score)
            & (now >= times * usual)
            & (now >= times * pl.col("before"))
            & (now - usual >= more)
        )
    )
    return _hits(found, length=_QUARTER)


def detect_values(
    hours: pl.DataFrame, quantities: pl.DataFrame, *, score: float = 8.0
) -> pl.DataFrame:
    """Find HITS in ENVIRONMENT_HOURS; `quantities` names that of each channel."""
    ordered = with_value(
        check(hours, ENVIRONMENT_HOURS),
        "step",
        lambda one: one.spike_step,
        quantities=quantities,
    ).sort("channel_id", "time")
    past = (
        ordered.rolling(
            "time", period="24h", offset="-24h", closed="left", group_by="channel_id"
        )
        .agg(
            pl.col("mean").median().alias("usual"),
            (pl.col("mean") - pl.col("mean").median()).abs().median().alias("mad"),
            pl.len().alias("hours"),
        )
        .filter(pl.col("hours") >= 12)
    )
    spread = pl.max_horizontal(
        MAD_TO_SIGMA * pl.col("mad") * score, pl.col("step")
    ).alias("bound")
    follows = pl.col("time").diff().over("channel_id") == _HOUR
    before = pl.when(follows).then(pl.col("mean").shift(1).over("channel_id"))
    over = pl.col("mean") - pl.col("usual")
    found = (
        ordered.with_columns(before.alias("before"))
        .join(past, on=["channel_id", "time"])
        .with_columns(spread)
        .filter(
            (over > pl.col("bound"))
            & (pl.col("mean") - pl.col("before") > pl.col("bound") / 2)
        )
        .with_columns(observed="mean", score=score * over / pl.col("bound"))
    )
    return _hits(found, length=_HOUR)


def _hits(found: pl.DataFrame, *, length: timedelta) -> pl.DataFrame:
    return check(
        found.with_columns(
            began="time", ended=pl.col("time") + length, reason=pl.lit("spike")
        ),
        HITS,
    )


DETECTOR: Final = Detector(
    code="spike",
    name=mark("spikes"),
    evidence=mark("far outside of what the day before was like"),
    reasons=(
        Reason(
            code="spike",
            word=mark("spike"),
            sentence=mark("a sudden peak, %(observed)s instead of %(usual)s"),
            explained_by=("stuck",),
            sharp=50,
        ),
    ),
    judges="quarter-hours; hours of air and noise",
    score="robust standard deviations",
    quarters=lambda quarters, _: detect(quarters),
    values=detect_values,
    spreads=True,
)
