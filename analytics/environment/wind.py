"""Wind: its directions, and the concentrations of the air by direction."""

from typing import Final

import polars as pl

from analytics.frames import Schema, check

#: Wind slower than this (m/s) has no direction.
MIN_WIND_MS: Final = 0.5
SECTORS: Final = 16
#: Upper ends of the speed classes (m/s), exclusive; the last class is open. Source:
#: Beaufort 1 to 5 in pairs, rounded.
CLASSES_MS: Final = (2.0, 4.0, 6.0, 8.0)

#: `sector` is the origin of the wind, clockwise from north; null is calm. `share` is of
#: all hours with speed and direction; `mean` of the concurrent values.
ROSE: Final[Schema] = {
    "sector": pl.Int32(),
    "speed_class": pl.Int32(),
    "hours": pl.Int32(),
    "share": pl.Float64(),
    "mean": pl.Float64(),
}


def by_sector(rose: pl.DataFrame) -> pl.DataFrame:
    """Sum the shares of a ROSE over its speed classes: `sector` and `share`."""
    return rose.group_by("sector", maintain_order=True).agg(pl.col("share").sum())


def rose(
    wind: pl.DataFrame,
    values: pl.DataFrame | None = None,
    *,
    sectors: int = SECTORS,
    calm_ms: float = MIN_WIND_MS,
) -> pl.DataFrame:
    """Count hours by sector and speed class (ROSE).

    `wind` has `time`, `speed` (m/s) and `direction` (degrees, from where); hours
    without one of them are left out. `values` (`time`, `mean`) are averaged by sector
    and class, arithmetically: concentrations, not decibels. North is the middle of
    sector 0.
    """
    width = 360 / sectors
    calm = pl.col("speed") < calm_ms
    sector = ((pl.col("direction") + width / 2) % 360 / width).floor()
    speed_class = pl.sum_horizontal(
        (pl.col("speed") >= end).cast(pl.Int32) for end in CLASSES_MS
    )
    known = wind.drop_nulls(["speed", "direction"])
    if values is None:
        known = known.with_columns(mean=pl.lit(None, pl.Float64))
    else:
        known = known.join(values.select("time", "mean"), on="time", how="left")
    return check(
        known.group_by(
            pl.when(~calm).then(sector).cast(pl.Int32).alias("sector"),
            pl.when(~calm).then(speed_class).cast(pl.Int32).alias("speed_class"),
        )
        .agg(pl.len().cast(pl.Int32).alias("hours"), pl.col("mean").mean())
        .with_columns(share=pl.col("hours") / pl.col("hours").sum())
        .sort("sector", "speed_class", nulls_last=False),
        ROSE,
    )
