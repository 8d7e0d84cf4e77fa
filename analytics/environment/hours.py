"""Environment: readings of a channel to hourly figures.

A reading belongs to the hour that contains its start and is weighted by its length;
readings longer than an hour are ignored. An hour without readings is missing. Where
readings overlap, each weighs as long as it counts: see `analytics.volumes.overlaps`.
"""

import polars as pl

from analytics.frames import (
    ENVIRONMENT_HOURS,
    ENVIRONMENT_READINGS,
    check,
    with_details,
)
from analytics.volumes import overlaps
from verkehrspuls.quantities import ENVIRONMENT

_HOUR_S = 3600
#: Minimum length of the mean vector; below it directions cancel out.
_MIN_VECTOR = 1e-6


def hours(readings: pl.DataFrame, *, of: pl.DataFrame | None = None) -> pl.DataFrame:
    """Condense readings (ENVIRONMENT_READINGS) to ENVIRONMENT_HOURS.

    With `of` only these CHANNEL_HOURS: other readings serve only to resolve overlaps.
    `readings` may have READING_DETAILS, too.

    Values are averaged by the quantity's `mean`: arithmetic; energetic for decibels,
    10·lg(mean of 10^(L/10)); circular for directions, the angle of the mean unit vector
    (an hour whose directions cancel out has no row); the sum for precipitation, which
    is too small where `observed_s` is below 3600.
    """
    kind = {key: quantity.mean for key, quantity in ENVIRONMENT.items()}
    value, weight = pl.col("value"), pl.col("weight")
    # a reading adds its counted share to a sum; a mean keeps the value
    parts = {"sum": value * weight / pl.col("interval_s")}
    found = [
        readings_of_kind.group_by("channel_id", pl.col("time").dt.truncate("1h")).agg(
            pl.col("observed_s").sum().clip(upper_bound=_HOUR_S).cast(pl.Int32),
            mean_of(str(key), parts.get(str(key), value), weight).alias("mean"),
            value.min().alias("minimum"),
            value.max().alias("maximum"),
        )
        for (key,), readings_of_kind in _weighed(readings, of)
        .with_columns(pl.col("quantity").replace_strict(kind).alias("kind"))
        .partition_by("kind", as_dict=True)
        .items()
    ]
    nothing = pl.DataFrame(schema=dict(ENVIRONMENT_HOURS))
    return check(
        pl.concat([nothing, *found]).drop_nulls("mean"),
        ENVIRONMENT_HOURS,
    )


def _weighed(readings: pl.DataFrame, of: pl.DataFrame | None) -> pl.DataFrame:
    """Add the counted seconds of each reading, and the observed ones."""
    found = (
        with_details(readings, ENVIRONMENT_READINGS)
        .filter(pl.col("interval_s") <= _HOUR_S)
        .sort("channel_id", "time")
    )
    seconds = overlaps.counted_s(found)
    found = found.with_columns(
        weight=found["interval_s"] if seconds is None else seconds
    )
    observed = pl.col("weight")
    if "observed_s" in found.columns:
        share = pl.col("observed_s") / pl.col("interval_s")
        observed = (observed * share.fill_null(1)).round()
    found = found.filter(pl.col("weight") > 0).with_columns(observed_s=observed)
    return found if of is None else overlaps.of_hours(found, of)


def spans(
    found: pl.DataFrame, quantity: str, *by: pl.Expr, enough: float
) -> pl.DataFrame:
    """Condense hours (`mean`, `minimum`, `maximum`, share `observed`) to longer spans.

    One row per value of `by`, in order; `observed` is the observed share of the
    existing hours. Spans observed to less than `enough` have no mean.
    """
    weight = pl.col("observed").filter(pl.col("mean").is_not_null())
    mean = mean_of(ENVIRONMENT[quantity].mean, pl.col("mean").drop_nulls(), weight)
    return (
        found.group_by(*by, maintain_order=True)
        .agg(
            mean.alias("mean"),
            pl.col("minimum").min(),
            pl.col("maximum").max(),
            pl.col("observed").mean(),
        )
        .with_columns(mean=pl.when(pl.col("observed") >= enough).then(pl.col("mean")))
    )


def mean_of(kind: str, value: pl.Expr, weight: pl.Expr) -> pl.Expr:
    """Average the values of a span; null if directions cancel out."""

    def mean(expression: pl.Expr) -> pl.Expr:
        return (expression * weight).sum() / weight.sum()

    match kind:
        case "arithmetic":
            return mean(value)
        case "energetic":
            return 10 * mean(10 ** (value / 10)).log10()
        case "circular":
            east, north = mean(value.radians().sin()), mean(value.radians().cos())
            certain = (east**2 + north**2).sqrt() > _MIN_VECTOR
            return pl.when(certain).then(
                pl.arctan2(east, north).degrees().add(360) % 360
            )
    return value.sum()
