"""From what storage reads to the frames that flow figures are computed from."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final

import polars as pl

from analytics.baseline import ENOUGH_OBSERVED
from analytics.calendar import with_calendar
from analytics.frames import FLOW_BINS, FLOW_DAYS, check
from analytics.passport import Passport
from verkehrspuls.classes import COUNTS

_SHARES: Final = ("observed", "normalised", "imputed", "excluded")


def flow_days(
    days: pl.DataFrame,
    *,
    first: date,
    last: date,
    state: str,
    school_holidays: pl.DataFrame,
) -> pl.DataFrame:
    """Make FLOW_DAYS from the days of one direction, both ends included.

    A day without a row is there with an unknown volume: missing, not zero.
    """
    calendar = pl.DataFrame({"day": pl.date_range(first, last, eager=True)})
    known = days.select(
        "day",
        "valid",
        *(pl.col(name).cast(pl.Float64) for name in (*_SHARES, "heavy")),
        volume=pl.col("volume_normalised").cast(pl.Float64),
    )
    found = (
        calendar.with_columns(state=pl.lit(state))
        .pipe(with_calendar, school_holidays=school_holidays)
        .join(known, on="day", how="left")
        .with_columns(
            pl.col(_SHARES).fill_null(0), pl.col("valid").fill_null(value=False)
        )
        .sort("day")
    )
    return check(found, FLOW_DAYS)


def flow_bins(
    volumes: pl.DataFrame,
    *,
    interval_s: int,
    time_zone: str,
    state: str,
    school_holidays: pl.DataFrame,
    excluded: Iterable[tuple[datetime, datetime]] = (),
) -> pl.DataFrame:
    """Make FLOW_BINS from the quarter-hours or hours of one direction.

    flow = volume · 3600 / observed seconds, where 75 % were observed (DOMAIN.md 6).
    A bin that touches a period of `excluded` counts for nothing: a sum over lanes is
    not known where one lane is excluded.
    """
    local = pl.col("time").dt.convert_time_zone(time_zone)
    end = pl.col("time") + pl.duration(seconds=interval_s)
    out = pl.any_horizontal(
        pl.lit(value=False),
        *((pl.col("time") < until) & (end > since) for since, until in excluded),
    )
    enough = (pl.col("observed") >= ENOUGH_OBSERVED) & ~pl.col("excluded")
    counted = pl.col("volume", *COUNTS).cast(pl.Float64)
    found = (
        volumes.with_columns(
            day=local.dt.date(),
            hour=local.dt.hour(),
            state=pl.lit(state),
            excluded=out,
        )
        .pipe(with_calendar, school_holidays=school_holidays)
        .with_columns(
            pl.when(~pl.col("excluded")).then(counted),
            pl.col("observed", "speed_kmh").cast(pl.Float64),
        )
        .with_columns(
            flow=pl.when(enough).then(
                pl.col("volume") * (3600 / interval_s) / pl.col("observed")
            )
        )
        .sort("time")
    )
    return check(found, FLOW_BINS)


def passport_of_bins(bins: pl.DataFrame, *, method: str, expected: int) -> Passport:
    """Make the passport of a figure from FLOW_BINS, of `expected` bins in the period.

    Normalised is what scaling partly observed bins to whole ones added.
    """
    used = pl.col("flow").is_not_null()
    share = pl.col("observed").clip(0, 1)
    sums = bins.select(
        observed=share.filter(~pl.col("excluded")).sum(),
        normalised=(1 - share).filter(used).sum(),
        excluded=share.filter("excluded").sum(),
    ).row(0, named=True)
    return Passport(
        **{name: min(1.0, value / max(expected, 1)) for name, value in sums.items()},
        imputed=0.0,
        method=method,
    )
