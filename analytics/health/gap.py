"""Gap: too long a silence between readings (Toronto).

value: the longest silence inside the period in minutes, its edges included. Threshold
of a day: the outage alarm, 4 hours. Threshold of an hour: by what is usual for it, 5 to
20 minutes (`quality.gaps`), but never less than one reading.
"""

from datetime import timedelta

import polars as pl

from analytics.health.evidence import Evidence, failures, usual_of
from analytics.quality.gaps import Tolerance
from verkehrspuls.settings import Health

_KEY = ("channel_id", "began")


def find(evidence: Evidence, limits: Health) -> pl.DataFrame:
    """Find periods with a gap that is not acceptable."""
    covers = pl.duration(seconds="interval_s")
    edges = pl.concat(
        [
            evidence.readings.select(*_KEY, "time", "interval_s"),
            # a mark without length at each edge
            *(
                evidence.periods.select(
                    *_KEY, time=edge, interval_s=pl.lit(0, pl.Int32)
                )
                for edge in ("began", "ended")
            ),
        ]
    ).sort(*_KEY, "time")
    silent = pl.col("time").shift(-1) - (pl.col("time") + covers).cum_max()
    longest = edges.group_by(_KEY, maintain_order=True).agg(
        silent.max().dt.total_minutes().alias("minutes"), pl.col("interval_s").max()
    )
    known = (
        longest.join(evidence.periods, on=_KEY)
        .filter(pl.col("observed_s") > 0)
        .join(usual_of(evidence), on=_KEY, how="left")
    )
    one_hour = pl.col("ended") - pl.col("began") <= timedelta(hours=1)
    bound = (
        pl.when(one_hour)
        .then(
            pl.max_horizontal(
                Tolerance().seconds(pl.col("usual")) / 60, pl.col("interval_s") / 60
            )
        )
        .otherwise(limits.outage_h * 60)
    )
    return failures(
        known.filter(pl.col("minutes") > bound),
        value=pl.col("minutes"),
        threshold=bound,
    )
