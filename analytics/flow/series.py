"""Values of a counted series: scaled, smoothed, and beside what is usual."""

from collections.abc import Collection
from typing import Final

import polars as pl

from analytics.flow.inputs import MIN_WHOLE
from analytics.frames import known_sum
from analytics.quality.passport import SHARES

#: minimum observed share of an hour (DOMAIN: hour valid from 75 % on)
MIN_OBSERVED: Final = 0.75
#: minimum share of a day, observed or estimated, for its estimate
MIN_WITH_ESTIMATES: Final = 0.99
#: known days of seven required for their mean
MIN_SMOOTHED_DAYS: Final = 4
#: Width of the band of usual values to either side, in spreads.
SPREADS: Final = 2


def whole_value() -> pl.Expr:
    """The volume scaled to the whole interval; null where too little was observed."""
    every_lane = pl.col("observed") + pl.col("normalised") >= MIN_WHOLE
    enough = (pl.col("observed") >= MIN_OBSERVED) & every_lane
    return pl.when(enough).then("volume_normalised")


def whole_day() -> dict[str, pl.Expr]:
    """Return the `value` of a local day, and the `estimate` of one that has none."""
    valid = pl.col("valid").fill_null(value=False)
    estimated = pl.sum_horizontal(SHARES) >= MIN_WITH_ESTIMATES
    return {
        "value": pl.when(valid).then("volume_normalised"),
        "estimate": pl.when(~valid & estimated).then("volume_estimated"),
    }


def with_estimates(values: pl.DataFrame, imputed: pl.DataFrame) -> pl.DataFrame:
    """Add `estimate` with bounds to hours that have no `value`.

    `imputed`: `volume_imputed`, `imputed_low` and `imputed_high` of some hours. An
    estimate is their sum with what was counted of the hour.
    """
    parts = {
        "estimate": "volume_imputed",
        "estimate_low": "imputed_low",
        "estimate_high": "imputed_high",
    }
    estimated = pl.col("value").is_null() & pl.col("volume_imputed").is_not_null()
    return (
        values.lazy()
        .join(
            imputed.lazy().select(
                pl.col("time").cast(values.schema["time"]),
                "direction",
                *parts.values(),
            ),
            on=["time", "direction"],
            how="left",
            maintain_order="left",
        )
        .with_columns(
            pl.when(estimated)
            .then(pl.sum_horizontal("volume_normalised", part))
            .alias(name)
            for name, part in parts.items()
        )
        .drop(*parts.values())
        .collect()
    )


def of_span(columns: Collection[str]) -> list[pl.Expr]:
    """Return the volume of a longer span, its estimate if there is one, and the share.

    A span without any volume has none; `observed` is the mean of its intervals.
    """
    summed = [name for name in ("volume", "estimate") if name in columns]
    return [*(known_sum(name) for name in summed), pl.col("observed").mean()]


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
