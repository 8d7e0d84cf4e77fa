"""Swapped direction: a direction has the profile of the opposite one (cagov `#224`).

value: affinity, 0 to 100: 100 · d(opposite) / (d(own) + d(opposite)) with the distances
of the day's profile to the reference profiles of both directions (`profiles`). 100 is
like its own, 50 undecided, 0 like the opposite reference; threshold 20. Days with 18
hours are judged, at sites with two directions whose references differ; both must fail,
since outputs are exchanged in pairs.
"""

from typing import Final

import polars as pl

from analytics.health import profiles
from analytics.health.evidence import Evidence, failures
from analytics.health.profiles import MIN_DISTANCE, MIN_HOURS, STREAM, distance
from analytics.health.record import Test
from verkehrspuls.settings import Health
from verkehrspuls.text import mark

_PLACE = ("site_id", "quantity")


def find(evidence: Evidence, limits: Health) -> pl.DataFrame:
    """Find days whose profile is that of the opposite direction."""
    rows = affinity(evidence)
    wrong = rows.filter(pl.col("affinity") < limits.affinity)
    both = wrong.filter(pl.len().over(*_PLACE, "began") == 2)
    return failures(
        profiles.channels(both, evidence),
        value=pl.col("affinity"),
        threshold=limits.affinity,
    )


def affinity(evidence: Evidence) -> pl.DataFrame:
    """Return `affinity` of each direction and day that can be judged."""
    streams = profiles.streams(evidence).drop_nulls("reference")
    two = streams.group_by(_PLACE).agg(pl.col("direction").n_unique() == 2)
    opposite = streams.select(
        *_PLACE, "time", other_direction="direction", opposite="reference"
    )
    hours = (
        streams.join(two.filter("direction").select(_PLACE), on=_PLACE)
        .join(opposite, on=[*_PLACE, "time"])
        .filter(pl.col("direction") != pl.col("other_direction"))
        .join(profiles.days(evidence), on=STREAM)
        .filter(pl.col("time").is_between("began", "ended", closed="left"))
    )
    volume, reference, other = pl.col("volume"), pl.col("reference"), pl.col("opposite")
    total = volume.sum()
    return (
        hours.group_by(*STREAM, "began")
        .agg(
            pl.len().alias("hours"),
            distance(volume, reference).alias("own"),
            distance(volume, other).alias("other"),
            distance(reference * (total / reference.sum()), other).alias("apart"),
        )
        .filter((pl.col("hours") >= MIN_HOURS) & (pl.col("apart") >= MIN_DISTANCE))
        .with_columns(
            affinity=100 * pl.col("other") / (pl.col("own") + pl.col("other"))
        )
    )


TEST: Final = Test(
    name="swapped-direction",
    order=140,
    text=mark("The direction has the daily profile of the opposite one."),
    word=mark("direction swapped"),
    find=find,
)
