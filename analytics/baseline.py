"""Baseline: what volume is usual for a channel in an hour, seen from before it."""

from math import pi
from typing import Final

import polars as pl

from analytics.frames import CHANNELS, USUAL, VOLUMES, check
from analytics.local_time import with_local
from verkehrspuls import calendar

#: An hour counts as a sample, and is judged, from this share of it observed on
#: (DOMAIN.md 6: an hour is valid from 75 % on).
ENOUGH_OBSERVED: Final = 0.75
#: Samples below which there is no median of a weekday, and none of a day type.
FEWEST_SAMPLES: Final = 4
#: Scales the median absolute deviation to a standard deviation of normal noise.
MAD_TO_SIGMA: Final = 1.4826

#: Spread that is common for a quantity, as a share of what is usual [I]: weather moves
#: who walks and cycles; and how many samples that is worth.
ROUGHNESS: Final = {"motor": 0.1, "bicycle": 0.3, "pedestrian": 0.25}
PRIOR_SAMPLES: Final = 4

_HOUR_S = 3600


def whole_hour_volume() -> pl.Expr:
    """Volume of an hour, scaled from its observed part; null where that is too little.

    Vehicles per hour: volume · 3600 / observed_s, for at least 75 % observed.
    """
    enough = pl.col("observed_s") >= ENOUGH_OBSERVED * _HOUR_S
    scaled = pl.col("volume").cast(pl.Float64) * _HOUR_S / pl.col("observed_s")
    return pl.when(enough).then(scaled)


def usual(
    hours: pl.DataFrame, targets: pl.DataFrame, *, channels: pl.DataFrame, weeks: int
) -> pl.DataFrame:
    """Compute USUAL for the channel hours of `targets` from `hours` before their day.

    usual = median of the whole-hour volumes at the same local hour over the preceding
    `weeks`: of the same weekday where it is a workday (public holidays left out), else
    of days of the same type (Saturdays; Sundays with public holidays). With fewer than
    four samples of a workday's weekday, all workdays serve; with fewer than four of
    these, too, the usual volume is unknown and the hour has no row.

    spread² = (n·max(s², P) + k·(P + (r·usual)²)) / (n + k) · (1 + π/(2n)): of n samples
    with s = 1.4826 · median |sample - usual|, never below the noise that counting has
    (Poisson, P = usual + 1); drawn towards what is common for the quantity as if that
    were k = PRIOR_SAMPLES samples (r = ROUGHNESS), so that a few samples of a new
    sensor that happen to agree do not make it sure; and with the variance of a median.
    """
    places = check(channels, CHANNELS).select(
        "channel_id", "quantity", "state", "time_zone"
    )
    samples = (
        with_local(_hourly(hours).join(places.drop("quantity"), on="channel_id"))
        .with_columns(whole_hour_volume().alias("sample"))
        .drop_nulls("sample")
        .select("channel_id", "local_hour", "sample", sample_day="day")
    )
    targets = with_local(
        targets.select("channel_id", "time").join(places, on="channel_id")
    )
    days = _sample_days(targets, weeks=weeks)
    near = _robust(targets, days.filter("same_weekday"), samples)
    rest = targets.join(near, on=["channel_id", "time"], how="anti")
    far = _robust(rest, days, samples)
    return check(pl.concat([near, far]), USUAL)


def _hourly(hours: pl.DataFrame) -> pl.DataFrame:
    return check(hours, VOLUMES).filter(pl.col("interval_s") == _HOUR_S)


def _sample_days(targets: pl.DataFrame, *, weeks: int) -> pl.DataFrame:
    """For each state and day: the days before it that are like it."""
    rows = [
        (
            state,
            day,
            other,
            calendar.day_type(day, state) != "workday"
            or other.weekday() == day.weekday(),
        )
        for state, day in targets.select("state", "day").unique().iter_rows()
        for other in calendar.like_days(day, state, weeks=weeks)
    ]
    return pl.DataFrame(
        rows,
        schema={
            "state": pl.String,
            "day": pl.Date,
            "sample_day": pl.Date,
            "same_weekday": pl.Boolean,
        },
        orient="row",
    )


def _robust(
    targets: pl.DataFrame, days: pl.DataFrame, samples: pl.DataFrame
) -> pl.DataFrame:
    """Median and spread of the samples of each target; none with too few."""
    sample, median, known = pl.col("sample"), pl.col("usual"), pl.col("samples")
    rough = pl.col("quantity").replace_strict(ROUGHNESS, return_dtype=pl.Float64)
    own = pl.max_horizontal((pl.col("deviation") * MAD_TO_SIGMA) ** 2, median + 1)
    common = median + 1 + (rough * median) ** 2
    spread = (known * own + PRIOR_SAMPLES * common) / (known + PRIOR_SAMPLES)
    return (
        targets.select("channel_id", "quantity", "time", "state", "day", "local_hour")
        .join(days, on=["state", "day"])
        .join(samples, on=["channel_id", "sample_day", "local_hour"])
        .group_by("channel_id", "quantity", "time")
        .agg(
            median_of_samples := sample.median().alias("usual"),
            (sample - median_of_samples).abs().median().alias("deviation"),
            sample.count().cast(pl.Float64).alias("samples"),
        )
        .filter(pl.col("samples") >= FEWEST_SAMPLES)
        .select(
            "channel_id",
            "time",
            median.cast(pl.Float32),
            (spread * (1 + pi / 2 / known))
            .sqrt()
            .cast(pl.Float32)
            .alias("usual_spread"),
        )
    )
