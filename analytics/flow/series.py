"""Values of a counted series: scaled, smoothed, and beside what is usual."""

from typing import Final

import polars as pl

from analytics.flow.inputs import MIN_WHOLE

#: minimum observed share of an hour (DOMAIN: hour valid from 75 % on)
MIN_OBSERVED: Final = 0.75
#: known days of seven required for their mean
MIN_SMOOTHED_DAYS: Final = 4
#: Width of the band of usual values to either side, in spreads.
SPREADS: Final = 2


def whole_value() -> pl.Expr:
    """The volume scaled to the whole interval; null where too little was observed."""
    every_lane = pl.col("observed") + pl.col("normalised") >= MIN_WHOLE
    enough = (pl.col("observed") >= MIN_OBSERVED) & every_lane
    return pl.when(enough).then("volume_normalised")


def smoothed(values: pl.Series) -> pl.Series:
    """Mean of the seven days around each, where most of them are known."""
    return values.rolling_mean(7, min_samples=MIN_SMOOTHED_DAYS, center=True)


def usual_band() -> dict[str, pl.Expr]:
    """The ends of the band of usual values, `low` and `high`."""
    usual = pl.col("usual").cast(pl.Float64)
    spread = SPREADS * pl.col("usual_spread").cast(pl.Float64)
    return {"low": (usual - spread).clip(lower_bound=0), "high": usual + spread}


def change_from_usual(values: pl.DataFrame) -> float | None:
    """Return by what share `value` differs in total from `usual`, where both are known.

    None where no traffic is usual.
    """
    both = values.drop_nulls(["value", "usual"])
    usual = float(both["usual"].sum())
    return float(both["value"].sum()) / usual - 1 if usual > 0 else None
