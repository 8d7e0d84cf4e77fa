"""Detector silence: an installed sensor sends no readings for a channel.

Hit: a gap between the end of a reading and the next one, or now, that is longer than
three of the sensor's intervals and than 30 minutes; score = missed intervals. Gaps are
cut to the times in which a sensor was installed. A channel that never had a reading is
not silent but not yet in operation. What was observed is unknown, not zero.

A reading that ends after it was received is of a clock that is ahead: the sensor was
heard until then, and not until the time that it sent.
"""

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from analytics.detectors.record import Detector, Reason
from analytics.frames import (
    HITS,
    INSTALLED,
    INTERVALS,
    LAST_READINGS,
    TIME,
    check,
)
from verkehrspuls.text import mark

#: Gaps up to this length are not judged.
MIN_SILENCE_S: Final = 1800
#: Intervals that may be missing.
INTERVALS_MISSED: Final = 3
#: A reading may end so long after it was received.
AHEAD_S: Final = 60


def bound_s(interval_s: int) -> int:
    """Return how long a sensor may be silent, in seconds."""
    return max(interval_s * INTERVALS_MISSED, MIN_SILENCE_S)


def gaps(intervals: pl.DataFrame, installed: pl.DataFrame) -> pl.DataFrame:
    """Find HITS between the readings (INTERVALS) of each channel."""
    between = (
        check(intervals, INTERVALS)
        .sort("channel_id", "time")
        .select(
            "channel_id",
            # a long reading covers the shorter ones in it
            _end().cum_max().over("channel_id").alias("began"),
            pl.col("time").shift(-1).over("channel_id").alias("ended"),
        )
        .drop_nulls("ended")
    )
    return _hits(between, installed)


def trailing(
    last: pl.DataFrame, installed: pl.DataFrame, *, now: datetime
) -> pl.DataFrame:
    """Find HITS between the newest readings (LAST_READINGS) of each channel and `now`.

    While readings still arrive, however old (back-fill), a channel is not silent.
    """
    received = pl.col("received_at")
    is_ahead = _end() > received + timedelta(seconds=AHEAD_S)
    end = pl.when(is_ahead).then(received).otherwise(_end())
    since = (
        check(last, LAST_READINGS)
        .group_by("channel_id")
        .agg(
            end.max().alias("began"),
            pl.max_horizontal(end.max(), received.max()).alias("heard"),
        )
        .with_columns(pl.lit(now, TIME).alias("ended"))
    )
    quiet = _hits(
        since.select("channel_id", "heard", "ended", began="heard"), installed
    )
    return _hits(
        since.join(quiet.select("channel_id"), on="channel_id", how="semi"), installed
    )


def _end() -> pl.Expr:
    return pl.col("time") + pl.duration(seconds="interval_s")


def _hits(between: pl.DataFrame, installed: pl.DataFrame) -> pl.DataFrame:
    length_s = (pl.col("ended") - pl.col("began")).dt.total_seconds()
    longest_s = pl.max_horizontal(
        pl.col("interval_s") * INTERVALS_MISSED, pl.lit(MIN_SILENCE_S)
    )
    return check(
        between.filter(length_s > MIN_SILENCE_S)
        .join(check(installed, INSTALLED), on="channel_id")
        .with_columns(
            began=pl.max_horizontal("began", "since"),
            ended=pl.min_horizontal("ended", "until"),
        )
        .filter(length_s > longest_s)
        .with_columns(
            observed=pl.lit(None, pl.Float64),
            usual=pl.lit(None, pl.Float64),
            score=length_s / pl.col("interval_s"),
            reason=pl.lit("silent"),
        ),
        HITS,
    )


DETECTOR: Final = Detector(
    code="silence",
    name=mark("readings that fail to come"),
    evidence=mark("%(score)s intervals in a row are missing"),
    reasons=(
        Reason(
            code="silent",
            word=mark("no readings"),
            sentence=mark("no readings"),
            severity=1,
            names=10,
        ),
    ),
    judges="gaps",
    score="missed intervals",
    whole_score=True,
    gaps=gaps,
    family="silence",
    # broker, power or network of the town
    together=timedelta(minutes=15),
)
