"""Profiles: the hours of a direction, with the reference they are compared with."""

from typing import Final

import polars as pl

from analytics.baseline.hours import MIN_OBSERVED
from analytics.health.evidence import Evidence

STREAM: Final = ("site_id", "quantity", "direction")
#: Known hours of a day required to judge its profile.
MIN_HOURS: Final = 18
#: Minimum distance of two distinguishable profiles: for independent counts each of 24
#: hours adds about 1/4.
MIN_DISTANCE: Final = 50.0
#: Length of a degree to the east over one to the north, at 50° N.
DEGREE_EAST: Final = 0.64

_ROAD = ("municipality_id", "road", "quantity", "direction")


def streams(evidence: Evidence) -> pl.DataFrame:
    """Hours of each direction at a site, with a `reference` profile.

    Lanes are added up; an hour counts if each of them is observed to 75 %. The
    reference is the direction's usual volume (its own past). For a new direction it is
    the sum of the profiles of its two neighbours: the next sites on both sides along
    the road, in the same direction. At the end of a road there is none: behind the
    town's centre the same direction leads out of it.
    """
    where = ("latitude", "longitude")
    places = evidence.siblings.unique("channel_id").select(
        "channel_id", "site_id", *_ROAD, *where
    )
    lanes = places.group_by(STREAM).agg(pl.len().alias("lanes"))
    usual = pl.col("usual")
    hours = (
        evidence.hours.filter(pl.col("observed_s") >= MIN_OBSERVED * 3600)
        .join(places, on="channel_id")
        .group_by("site_id", *_ROAD, *where, "time")
        .agg(
            pl.col("volume").sum().cast(pl.Float64),
            pl.when(usual.null_count() == 0).then(usual.sum()).cast(pl.Float64),
            pl.len().alias("counted"),
        )
        .join(lanes, on=STREAM)
        .filter(pl.col("counted") == pl.col("lanes"))
        .with_columns(
            along=_along(), share=pl.col("volume") / pl.col("volume").sum().over(STREAM)
        )
    )
    here = pl.len().over(*_ROAD, "time")
    all_there = (here == here.max().over(_ROAD)) & pl.col("along").is_not_null()
    before, after = (
        pl.col("share").shift(n).over(*_ROAD, "time", order_by="along") for n in (1, -1)
    )
    by_road = pl.when(all_there & (pl.col("road") != "")).then(before + after)
    has_past = usual.count().over(STREAM) * 2 >= pl.len().over(STREAM)
    return hours.with_columns(
        pl.when(has_past).then(usual).otherwise(by_road).alias("reference")
    ).select(*STREAM, "time", "volume", "reference")


def _along() -> pl.Expr:
    """Position of a site along its road: to the east or north, as the road leads."""
    north, east = pl.col("latitude"), pl.col("longitude") * DEGREE_EAST

    def reach(value: pl.Expr) -> pl.Expr:
        return value.max().over(_ROAD) - value.min().over(_ROAD)

    return pl.when(reach(east) > reach(north)).then(east).otherwise(north)


def distance(one: pl.Expr, other: pl.Expr) -> pl.Expr:
    """Σ (√a - √b)² over a day, both scaled to the sum of `one`.

    The root makes the noise of counting equally large in each hour.
    """
    return ((one.sqrt() - (other * (one.sum() / other.sum())).sqrt()) ** 2).sum()


def days(evidence: Evidence) -> pl.DataFrame:
    """Return periods of directions of counting channels: STREAM, `began`, `ended`."""
    return evidence.periods.select(*STREAM, "began", "ended").unique()


def channels(found: pl.DataFrame, evidence: Evidence) -> pl.DataFrame:
    """Assign findings on directions to their channels."""
    return found.join(
        evidence.periods.select("channel_id", *STREAM, "began"), on=[*STREAM, "began"]
    )
