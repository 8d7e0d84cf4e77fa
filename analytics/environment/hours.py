"""Environment: readings of a channel to hourly figures.

A reading belongs to the hour that contains its start and weighs as its interval is
long; one that is longer than an hour gives none. An hour without readings is missing.
Where readings overlap, each weighs as long as it counts: see
`analytics.volumes.overlaps`.
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
#: Below this length of the mean vector, directions cancel out and have no mean.
_NO_DIRECTION = 1e-6


def hours(readings: pl.DataFrame, *, of: pl.DataFrame | None = None) -> pl.DataFrame:
    """Condense readings (ENVIRONMENT_READINGS) to ENVIRONMENT_HOURS.

    With `of` only these CHANNEL_HOURS: other readings are there for what they cover.
    `readings` may have READING_DETAILS, too.

    How the values of an hour become one is the quantity's `mean`: arithmetic; energetic
    for decibels, 10·lg(mean of 10^(L/10)); circular for directions, the angle of the
    mean unit vector (an hour whose directions cancel out has no row); the sum for
    precipitation, which is too small where `observed_s` is below 3600.
    """
    kind = {key: quantity.mean for key, quantity in ENVIRONMENT.items()}
    value, weight = pl.col("value"), pl.col("weight")
    # of a sum what counts is a share; a mean is as it is
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
    """Add the seconds for which each reading counts, and those that were observed."""
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

    One row for each value of `by`, in order; `observed` is its share of the hours that
    are there. Of a span that is observed to less than `enough` there is no mean.
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
    """How values of a span become one; null where directions cancel out."""

    def mean(of: pl.Expr) -> pl.Expr:
        return (of * weight).sum() / weight.sum()

    match kind:
        case "arithmetic":
            return mean(value)
        case "energetic":
            return 10 * mean(10 ** (value / 10)).log10()
        case "circular":
            east, north = mean(value.radians().sin()), mean(value.radians().cos())
            certain = (east**2 + north**2).sqrt() > _NO_DIRECTION
            return pl.when(certain).then(
                pl.arctan2(east, north).degrees().add(360) % 360
            )
    return value.sum()
