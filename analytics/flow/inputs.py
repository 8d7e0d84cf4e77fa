"""Convert frames of storage to the frames of flow figures."""

from datetime import date
from typing import Final

import polars as pl

from analytics.calendar import days_of
from analytics.frames import FLOW_BINS, FLOW_DAYS, check
from analytics.quality.passport import SHARES, Passport, shares_of
from verkehrspuls.calendar import days_between
from verkehrspuls.classes import COUNTS

#: Minimum observed and normalised share of a bin with all lanes: shares are rounded to
#: four digits.
MIN_WHOLE: Final = 0.999
#: Whether the volume of a bin is known: it is valid; if it was stored before validity
#: existed, no lane is missing.
KNOWN: Final = pl.coalesce(
    "valid", pl.col("observed") + pl.col("normalised") >= MIN_WHOLE
)


def calendar(
    first: date, last: date, state: str, school_holidays: pl.DataFrame
) -> pl.DataFrame:
    """Return the days of a state's calendar, both ends included."""
    days = pl.DataFrame({"state": state, "day": list(days_between(first, last))})
    return days_of(days, school_holidays)


def on_calendar(days: pl.DataFrame, calendar: pl.DataFrame) -> pl.DataFrame:
    """Make FLOW_DAYS from days of one direction: by site if the calendar has `site_id`.

    A day without a row gets an unknown volume: missing, not zero. Heavy vehicles are
    scaled like the volume, so that their share is that of the day. The volume includes
    nothing imputed, so that share is zero; `excluded` of `days` is everything left out,
    even if an imputed value replaces it.
    """
    key = [name for name in ("site_id", "day") if name in calendar.columns]
    scaled = pl.col("volume_normalised").cast(pl.Float64) / pl.col("volume")
    known = days.lazy().select(
        *key,
        "valid",
        *(pl.col(name).cast(pl.Float64) for name in SHARES),
        heavy=pl.col("heavy") * pl.when(pl.col("volume") > 0).then(scaled).otherwise(1),
        volume=pl.col("volume_normalised").cast(pl.Float64),
    )
    found = (
        calendar.lazy()
        .join(known, on=key, how="left")
        .with_columns(
            pl.col(SHARES).fill_null(0), pl.col("valid").fill_null(value=False)
        )
        .with_columns(imputed=pl.lit(0.0))
        .sort(key)
        .collect()
    )
    return check(found, FLOW_DAYS)


def flow_bins(
    volumes: pl.DataFrame,
    *,
    interval_s: int,
    time_zone: str,
    state: str,
    school_holidays: pl.DataFrame,
) -> pl.DataFrame:
    """Make FLOW_BINS from the quarter-hours or hours of one direction.

    flow = normalised volume · 3600 / interval_s, if the bin is valid; for a bin stored
    before validity existed, if each lane was observed to half. A lane that is missing
    or excluded makes the sum over lanes unknown, not smaller.
    """
    local = pl.col("time").dt.convert_time_zone(time_zone).dt.date()
    days = volumes.select(state=pl.lit(state), day=local.unique())
    calendar_days = days_of(days, school_holidays)
    found = lazy_flows(
        volumes, interval_s=interval_s, time_zone=time_zone, days=calendar_days
    ).with_columns(pl.col(*COUNTS, "speed_kmh").cast(pl.Float64))
    return check(found.collect(), FLOW_BINS)


def lazy_flows(
    volumes: pl.DataFrame, *, interval_s: int, time_zone: str, days: pl.DataFrame
) -> pl.LazyFrame:
    """Make FLOWS like `flow_bins`, with the other columns of `volumes`.

    `days` are those of a `calendar`. Columns that are not asked for cost nothing.
    """
    local = pl.col("time").dt.convert_time_zone(time_zone)
    columns = ("day", "weekday", "holiday", "school_holiday", "day_type")
    return (
        volumes.lazy()
        .with_columns(
            pl.col("volume", *SHARES).cast(pl.Float64),
            day=local.dt.date(),
            hour=local.dt.hour(),
            flow=pl.when(KNOWN).then(pl.col("volume_normalised") * (3600 / interval_s)),
        )
        .join(days.lazy().select(columns), on="day", how="left")
        .sort("time")
    )


def passport_of_bins(bins: pl.DataFrame, *, method: str, expected: int) -> Passport:
    """Make the passport of a figure from FLOW_BINS; the period has `expected` bins."""
    sums = bins.select(pl.col(SHARES).sum()).row(0, named=True)
    return Passport(**shares_of(sums, expected), method=method)
