"""Gauges: water levels, their thresholds and their trend."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from analytics.frames import TIME, Schema, check

#: The level must fall this far (cm) below a reached threshold to leave it, so that
#: waves do not cause repeated crossings.
HYSTERESIS_CM: Final = 2.0
TREND_HOURS: Final = 3

#: `reached` false: the level fell below the threshold again.
CROSSINGS: Final[Schema] = {
    "channel_id": pl.Int32(),
    "time": TIME,
    "threshold": pl.String(),
    "value": pl.Float64(),
    "level": pl.Float64(),
    "reached": pl.Boolean(),
}
TRENDS: Final[Schema] = {
    "channel_id": pl.Int32(),
    "time": TIME,
    "level": pl.Float64(),
    "cm_per_h": pl.Float64(),
}


def crossings(
    levels: pl.DataFrame,
    thresholds: Mapping[str, float],
    *,
    hysteresis_cm: float = HYSTERESIS_CM,
) -> pl.DataFrame:
    """Find when levels reach and leave thresholds (CROSSINGS), in order of time.

    `levels` has `channel_id`, `time` and `mean` (cm). The first level of a channel is
    its initial state, not a crossing. A crossing within a gap is dated to the end of
    the gap.
    """
    found = [
        _of_threshold(levels.sort("channel_id", "time"), name, value, hysteresis_cm)
        for name, value in thresholds.items()
    ]
    return pl.concat([pl.DataFrame(schema=dict(CROSSINGS)), *found]).sort(
        "channel_id", "time", "value"
    )


def reached(level: float | None, thresholds: Mapping[str, float]) -> str | None:
    """Return the highest threshold that a level reaches; None if it reaches none."""
    if level is None:
        return None
    names = [name for name, value in thresholds.items() if level >= value]
    return max(names, key=lambda name: thresholds[name], default=None)


def trends(levels: pl.DataFrame, *, hours: int = TREND_HOURS) -> pl.DataFrame:
    """Return the newest level of each channel and its trend (TRENDS).

    Slope of the least-squares line through the last hours; null with a single level.
    """
    newest = pl.col("time").max().over("channel_id")
    t = (pl.col("time") - pl.col("time").min()).dt.total_seconds() / 3600
    slope = pl.cov(t, "mean") / t.var()
    return check(
        levels.filter(pl.col("time") > newest - pl.duration(hours=hours))
        .sort("channel_id", "time")
        .group_by("channel_id", maintain_order=True)
        .agg(
            pl.col("time").last(),
            pl.col("mean").last().alias("level"),
            pl.when(pl.len() > 1).then(slope).alias("cm_per_h"),
        ),
        TRENDS,
    )


def _of_threshold(
    levels: pl.DataFrame, name: str, value: float, hysteresis_cm: float
) -> pl.DataFrame:
    level = pl.col("mean")
    above = (
        pl.when(level >= value)
        .then(pl.lit(value=True))
        .when(level < value - hysteresis_cm)
        .then(pl.lit(value=False))
        .forward_fill()
        .over("channel_id")
        .fill_null(value=False)
    )
    changed = pl.col("reached") != pl.col("reached").shift(1).over("channel_id")
    return check(
        levels.with_columns(
            reached=above,
            threshold=pl.lit(name),
            value=pl.lit(value, pl.Float64),
            level=level,
        ).filter(changed),
        CROSSINGS,
    )
