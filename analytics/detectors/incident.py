"""Detector incident: traffic or its speed falls sharply, and not for long.

Volume: a run of quarter-hours with at most 70 % of what is usual and a score, (usual -
observed) / spread, of at least 3. It is an incident if one of its first two
quarter-hours came sharply (its share of what is usual is at most 65 % of the mean share
in the hour before it), if its greatest score is at least 4.5, and as long as it lasts
four hours at most: what lasts longer is another thing, which other detectors name.

Speed: a run of slow quarter-hours (see congestion) whose first is at most half as fast
as the hour before it: jams that come every day build up slowly.

Motor vehicles only. Whether neighbours see it, too, is in the case.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from analytics.baseline.quarter_hours import QUARTER_S, observed
from analytics.detectors import runs
from analytics.detectors.congestion import slow_runs
from analytics.detectors.record import Detector, Reason
from analytics.frames import HITS, STORED_VOLUMES, check
from verkehrspuls.text import mark

#: Quarter-hours that an incident lasts at most.
MAX_QUARTER_HOURS: Final = 16
_QUARTER: Final = timedelta(seconds=QUARTER_S)


def detect(
    quarters: pl.DataFrame,
    *,
    score: float = 4.5,
    lasting: float = 3.0,
    share: float = 0.7,
    sharp: float = 0.65,
) -> pl.DataFrame:
    """Find HITS in the quarter-hours of STORED_VOLUMES, one for each run."""
    seen, usual = pl.col("observed"), pl.col("usual").cast(pl.Float64)
    ordered = (
        check(quarters, STORED_VOLUMES)
        .filter(pl.col("interval_s") == QUARTER_S)
        .with_columns(observed().alias("observed"))
        .drop_nulls(["observed", "usual"])
        .sort("channel_id", "time")
        .with_columns(share=(seen + 1) / (usual + 1))
    )
    hour_before = (
        ordered.rolling(
            "time", period="1h", offset="-1h", closed="left", group_by="channel_id"
        )
        .agg(pl.col("share").mean().alias("before"), pl.len().alias("known"))
        .filter(pl.col("known") >= 3)
    )
    low = (
        ordered.join(hour_before, on=["channel_id", "time"], how="left")
        .with_columns(((usual - seen) / pl.col("usual_spread")).alias("score"))
        .filter((pl.col("score") >= lasting) & (seen <= share * usual))
        .with_columns(sharp=pl.col("share") <= sharp * pl.col("before"))
    )
    return check(
        runs.number(low, step=_QUARTER)
        .group_by("channel_id", "run")
        .agg(
            pl.col("time").min().alias("began"),
            (pl.col("time").max() + _QUARTER).alias("ended"),
            pl.col("observed").sum(),
            pl.col("usual").cast(pl.Float64).sum(),
            pl.col("score").max().cast(pl.Float64),
            pl.len().alias("length"),
            pl.col("sharp").sort_by("time").head(2).any(),
        )
        .filter(
            pl.col("sharp")
            & (pl.col("score") >= score)
            & (pl.col("length") <= MAX_QUARTER_HOURS)
        )
        .with_columns(reason=pl.lit("incident")),
        HITS,
    )


def detect_speeds(quarters: pl.DataFrame, *, sharp: float = 0.5) -> pl.DataFrame:
    """Find HITS in the speeds (km/h) of STORED_VOLUMES, one for each run."""
    brief = (pl.col("sharp") <= sharp) & (pl.col("length") <= MAX_QUARTER_HOURS)
    found = slow_runs(quarters).filter(brief)
    return check(found.with_columns(reason=pl.lit("incident-speed")), HITS)


def _find(vehicles: pl.DataFrame) -> pl.DataFrame:
    """Find HITS by speed, and by volume where speeds show nothing."""
    by_speed = detect_speeds(vehicles)
    return pl.concat([by_speed, runs.without(detect(vehicles), by_speed)])


DETECTOR: Final = Detector(
    code="incident",
    name=mark("incidents"),
    evidence=mark("it came within a quarter of an hour"),
    reasons=(
        Reason(
            code="incident",
            word=mark("incident"),
            sentence=mark("a sudden fall, %(observed)s instead of %(usual)s"),
            severity=1,
            explained_by=("drop-out",),
            sharp=20,
        ),
        Reason(
            code="incident-speed",
            word=mark("incident"),
            sentence=mark("sudden jam, %(observed)s km/h instead of %(usual)s km/h"),
            is_speed=True,
            adds_up=False,
            severity=1,
            sharp=10,
        ),
    ),
    judges="quarter-hours of motor vehicles",
    score="robust standard deviations; see congestion",
    quarters=lambda _, vehicles: _find(vehicles),
    spreads=True,
)
