"""Conservation of flow: vehicles that enter also leave; else a counter is wrong.

Or a street is missing: residuals show that something is wrong, not what.
"""

from typing import Final

import polars as pl

from analytics.frames import TIME, Schema, check

#: Volumes of the places of a balance; `sign` is +1 for entering, -1 for leaving
#: traffic. `balance` is the key of the section or junction, `places` the number of its
#: places.
SIGNED_VOLUMES: Final[Schema] = {
    "balance": pl.String(),
    "places": pl.Int32(),
    "time": TIME,
    "volume": pl.Float64(),
    "sign": pl.Int32(),
}
#: `z` is the residual in standard deviations of counting (Poisson).
RESIDUALS: Final[Schema] = {
    "balance": pl.String(),
    "time": TIME,
    "entered": pl.Float64(),
    "left": pl.Float64(),
    "residual": pl.Float64(),
    "z": pl.Float64(),
}
#: `bias` is Σ residual / mean of Σ entered and Σ left, `[low, high]` its 95 % interval.
BALANCES: Final[Schema] = {
    "balance": pl.String(),
    "intervals": pl.Int32(),
    "entered": pl.Float64(),
    "left": pl.Float64(),
    "bias": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
}


def residuals(volumes: pl.DataFrame) -> pl.DataFrame:
    """Subtract leaving from entering volumes, by interval (RESIDUALS).

    Only intervals in which all places of a balance are known. Choose intervals that are
    long beside the travel time between the places: vehicles under way count as lost.
    """
    entered = pl.col("volume").filter(pl.col("sign") > 0).sum()
    left = pl.col("volume").filter(pl.col("sign") < 0).sum()
    return check(
        check(volumes, SIGNED_VOLUMES)
        .group_by("balance", "time")
        .agg(
            entered.alias("entered"),
            left.alias("left"),
            pl.len(),
            pl.col("places").first(),
        )
        .filter(pl.col("len") == pl.col("places"))
        .with_columns(residual=pl.col("entered") - pl.col("left"))
        .with_columns(
            z=pl.col("residual")
            / pl.max_horizontal(pl.col("entered") + pl.col("left"), 1).sqrt()
        )
        .sort("balance", "time"),
        RESIDUALS,
    )


def balances(found: pl.DataFrame) -> pl.DataFrame:
    """Sum RESIDUALS up to the bias of each balance (BALANCES).

    The interval is from the deviations of intervals from the bias (ratio of sums,
    Cochran, Sampling Techniques, 6.4); null with fewer than three.
    """
    through = (pl.col("entered") + pl.col("left")) / 2
    bias = pl.col("residual").sum() / through.sum()
    deviation = (pl.col("residual") - bias * through) / through.mean()
    error = 1.96 * (deviation.pow(2).sum() / (pl.len() - 1) / pl.len()).sqrt()
    error = pl.when(pl.len() >= 3).then(error)
    some = through.sum() > 0
    return check(
        check(found, RESIDUALS)
        .group_by("balance")
        .agg(
            pl.len().cast(pl.Int32).alias("intervals"),
            pl.col("entered", "left").sum(),
            pl.when(some).then(bias).alias("bias"),
            pl.when(some).then(bias - error).alias("low"),
            pl.when(some).then(bias + error).alias("high"),
        )
        .sort("balance"),
        BALANCES,
    )
