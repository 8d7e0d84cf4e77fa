"""Completeness: the origin of each bin's parts.

Some seconds of a bin were observed; missing ones may be normalised (a bin observed at
least to half is scaled to a whole one) or imputed; observed ones may be excluded
because of a case. The rest is missing, and never zero.
"""

from typing import Final

import polars as pl

from verkehrspuls.classes import COUNTS

#: Minimum observed share of a bin to scale it to a whole one.
MIN_NORMALISED: Final = 0.5

_KEY = ("channel_id", "interval_s", "time")


def of_bins(
    volumes: pl.DataFrame, *, excluded: pl.DataFrame, imputed: pl.DataFrame
) -> pl.DataFrame:
    """Return for each bin of VALID_VOLUMES the origin of its parts, in seconds.

    - A bin that overlaps a span of `excluded` (SPANS) becomes unknown: its volume and
      all its classes. Its observed time is `excluded_s`.
    - observed_s: covered by readings.
    - normalised_s, volume_normalised: of a bin observed at least to half
      volume · interval_s / observed_s, as PeMS does; else the volume as counted.
    - imputed_s, volume_estimated: the missing part of any other bin with a row in
      `imputed` (IMPUTED), which adds its volume · imputed_s / interval_s. A bin without
      readings is added with no observed time. An imputed replacement of excluded data
      counts as imputed only.

    Their sum is the length of the bin at most; nothing imputed is ever observed.
    """
    length, observed = pl.col("interval_s"), pl.col("observed_s")
    estimate = imputed.select(*_KEY, estimate="volume")
    unobserved = (
        imputed.join(volumes, on=_KEY, how="anti")
        .select(_KEY)
        .with_columns(observed_s=pl.lit(0, pl.Int32), valid=pl.lit(value=False))
    )
    partly = (observed >= MIN_NORMALISED * length) & (observed < length)
    is_imputed = (observed < MIN_NORMALISED * length) & pl.col("estimate").is_not_null()
    return (
        pl.concat([_exclude(volumes, excluded), unobserved], how="diagonal")
        .join(estimate, on=_KEY, how="left")
        .with_columns(
            volume_normalised=pl.when(partly)
            .then(pl.col("volume") * length / observed)
            .otherwise("volume"),
            normalised_s=pl.when(partly).then(length - observed).otherwise(0),
            imputed_s=pl.when(is_imputed).then(length - observed).otherwise(0),
        )
        .with_columns(
            volume_estimated=pl.when(is_imputed)
            .then(
                pl.col("volume").fill_null(0)
                + pl.col("estimate") * pl.col("imputed_s") / length
            )
            .otherwise("volume_normalised"),
            excluded_s=pl.when(~is_imputed).then("excluded_s").fill_null(0),
        )
        .drop("estimate")
    )


def without_excluded(volumes: pl.DataFrame, excluded: pl.DataFrame) -> pl.DataFrame:
    """Leave out bins that overlap a span of `excluded` (SPANS)."""
    if excluded.is_empty():
        return volumes
    return volumes.join(_overlapping(volumes, excluded), on=_KEY, how="anti")


def _overlapping(volumes: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """Return the bins that overlap a span of their channel."""
    ends = pl.col("time") + pl.duration(seconds="interval_s")
    return (
        volumes.select(_KEY)
        .join(spans, on="channel_id")
        .filter((pl.col("time") < pl.col("until")) & (ends > pl.col("since")))
        .select(_KEY)
        .unique()
    )


def _exclude(volumes: pl.DataFrame, excluded: pl.DataFrame) -> pl.DataFrame:
    """Make bins that overlap a span unknown, except their observed time."""
    hit = _overlapping(volumes, excluded).with_columns(is_excluded=pl.lit(value=True))
    known = pl.col("is_excluded").is_null()
    return (
        volumes.join(hit, on=_KEY, how="left")
        .with_columns(
            pl.when(known).then(pl.col("volume", *COUNTS, "speed_kmh")),
            observed_s=pl.when(known).then("observed_s").otherwise(0),
            excluded_s=pl.when(known).then(0).otherwise("observed_s"),
            valid=pl.col("valid") & known,
        )
        .drop("is_excluded")
    )
