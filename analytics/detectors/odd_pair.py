"""Detector odd-pair: a site's noise does not fit its traffic.

Where motor vehicles and noise are measured at one site, an hour's level should change
by 10·lg(volume / usual) dB when the volume does. With L₀ the median level of the same
local hour and day type over the fortnight before (4 hours at least):

- noise without cars: at most half of the usual volume (50 vehicles or more), and the
  level at least 4 dB above what that volume lets expect: the counter probably misses
  vehicles;
- cars without noise: 70 % or more of the usual volume, and the level at least 6 dB
  below L₀: the noise meter is probably covered or broken.

Hit: three hours of it in a row; score = mean residual in dB. The case is the counter's
or the noise meter's. `observed` and `usual` are vehicles, or dB(A).
"""

from datetime import timedelta
from typing import Final

import polars as pl

from analytics.detectors import runs
from analytics.detectors.record import TRAFFIC, Detector, Reason
from analytics.frames import HITS, PAIRED_HOURS, check
from verkehrspuls.text import mark

_HOUR: Final = timedelta(hours=1)


def detect(
    hours: pl.DataFrame,
    *,
    fewest: int = 3,
    least_usual: float = 50.0,
    too_loud_db: float = 4.0,
    too_quiet_db: float = 6.0,
) -> pl.DataFrame:
    """Find HITS in PAIRED_HOURS, one for each run."""
    like = ("noise_channel_id", "weekend", "local_hour")
    ordered = check(hours, PAIRED_HOURS).sort("time")
    past = (
        ordered.rolling(
            "time", period="14d", offset="-14d", closed="left", group_by=like
        )
        .agg(
            pl.col("level").median().alias("usual_level"),
            pl.len().alias("known"),
        )
        .filter(pl.col("known") >= 4)
    )
    ratio = (pl.col("volume") + 1) / (pl.col("usual") + 1)
    louder = pl.col("level") - pl.col("usual_level")
    residual = louder - 10 * ratio.log10()
    loud = (ratio <= 0.5) & (residual >= too_loud_db)
    quiet = (ratio >= 0.7) & (louder <= -too_quiet_db)
    odd = (
        ordered.filter(pl.col("usual") >= least_usual)
        .join(past, on=[*like, "time"])
        .with_columns(
            reason=pl.when(loud)
            .then(pl.lit("noise-without-cars"))
            .when(quiet)
            .then(pl.lit("cars-without-noise")),
            channel_id=pl.when(loud).then("channel_id").otherwise("noise_channel_id"),
            observed=pl.when(loud).then("volume").otherwise("level"),
            usual=pl.when(loud).then("usual").otherwise("usual_level"),
            off=residual.abs(),
        )
        .drop_nulls("reason")
    )
    sums = pl.col("reason").first() == "noise-without-cars"
    return check(
        runs.number(odd, step=_HOUR)
        .group_by("channel_id", "reason", "run")
        .agg(
            pl.col("time").min().alias("began"),
            (pl.col("time").max() + _HOUR).alias("ended"),
            *(
                pl.when(sums).then(pl.col(name).sum()).otherwise(pl.col(name).mean())
                for name in ("observed", "usual")
            ),
            pl.col("off").mean().alias("score"),
            pl.len().alias("length"),
        )
        .filter(pl.col("length") >= fewest),
        HITS,
    )


DETECTOR: Final = Detector(
    code="odd-pair",
    name=mark("traffic against noise"),
    evidence=mark("traffic and noise of the site differ by %(score)s dB"),
    reasons=(
        Reason(
            code="noise-without-cars",
            word=mark("noise without vehicles"),
            sentence=mark(
                "noise without vehicles to match, %(observed)s instead of %(usual)s"
            ),
            names=50,
        ),
        Reason(
            code="cars-without-noise",
            word=mark("vehicles without noise"),
            sentence=mark(
                "vehicles without noise to match, %(observed)s instead of %(usual)s"
            ),
            adds_up=False,
            names=60,
        ),
    ),
    judges="hours, once the day ended",
    score="dB",
    days=lambda days: detect(days.pairs),
    family=TRAFFIC,
)
