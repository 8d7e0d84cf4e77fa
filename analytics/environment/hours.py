"""Environment: readings of a channel to hourly figures.

A reading belongs to the hour that contains its start and weighs as its interval is
long; one that is longer than an hour gives none. An hour without readings is missing.
"""

import polars as pl

from analytics.frames import ENVIRONMENT_HOURS, ENVIRONMENT_READINGS, check
from verkehrspuls.quantities import ENVIRONMENT

_HOUR_S = 3600
#: Below this length of the mean vector, directions cancel out and have no mean.
_NO_DIRECTION = 1e-6


def hours(readings: pl.DataFrame) -> pl.DataFrame:
    """Condense readings (ENVIRONMENT_READINGS) to ENVIRONMENT_HOURS.

    How the values of an hour become one is the quantity's `mean`: arithmetic; energetic
    for decibels, 10·lg(mean of 10^(L/10)); circular for directions, the angle of the
    mean unit vector (an hour whose directions cancel out has no row); the sum for
    precipitation, which is too small where `observed_s` is below 3600.
    """
    kind = {key: quantity.mean for key, quantity in ENVIRONMENT.items()}
    value, weight = pl.col("value"), pl.col("interval_s")
    level, angle = (10 ** (value / 10)), value.radians()
    means = {
        "arithmetic": _mean(value),
        "energetic": 10 * _mean(level).log10(),
        "circular": pl.when(
            (_mean(angle.sin()) ** 2 + _mean(angle.cos()) ** 2).sqrt() > _NO_DIRECTION
        ).then(
            pl.arctan2(_mean(angle.sin()), _mean(angle.cos())).degrees().add(360) % 360
        ),
        "sum": value.sum(),
    }
    found = [
        readings_of_kind.group_by("channel_id", pl.col("time").dt.truncate("1h")).agg(
            weight.sum().clip(upper_bound=_HOUR_S).alias("observed_s"),
            means[str(key)].alias("mean"),
            value.min().alias("minimum"),
            value.max().alias("maximum"),
        )
        for (key,), readings_of_kind in check(readings, ENVIRONMENT_READINGS)
        .filter(weight <= _HOUR_S)
        .with_columns(pl.col("quantity").replace_strict(kind).alias("kind"))
        .partition_by("kind", as_dict=True)
        .items()
    ]
    nothing = pl.DataFrame(schema=dict(ENVIRONMENT_HOURS))
    return check(
        pl.concat([nothing, *found]).drop_nulls("mean"),
        ENVIRONMENT_HOURS,
    )


def _mean(of: pl.Expr) -> pl.Expr:
    weight = pl.col("interval_s")
    return (of * weight).sum() / weight.sum()
