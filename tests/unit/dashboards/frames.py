"""Frames as the reading layer gives them."""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl

from analytics.flow import profiles
from analytics.flow.classes import classes as by_class
from analytics.flow.inputs import calendar, lazy_flows
from analytics.frames import FLOW_BINS, SCHOOL_HOLIDAYS, empty
from analytics.reports.site.charted import DAY_TYPES
from dashboards.period import Bin, Period
from verkehrspuls.classes import CLASSES, COUNTS

BERLIN = "Europe/Berlin"


def period(start: datetime, end: datetime, bin: Bin = "PT1H") -> Period:
    return Period(start=start, end=end, zone=BERLIN, bin=bin, preset="")


def volumes(
    start: datetime,
    counted: Sequence[int | None],
    *,
    direction: str = "in",
    observed: list[float] | None = None,
    usual: float | None = None,
    **classes: list[int],
) -> pl.DataFrame:
    """Hours from `start`; None is an hour without a row."""
    shares = observed or [1.0] * len(counted)
    rows = [
        {
            "time": start + timedelta(hours=n),
            "direction": direction,
            "observed": shares[n],
            "normalised": 1 - shares[n] if shares[n] >= 0.5 else 0.0,
            "volume": volume,
            "volume_normalised": None if volume is None else volume / shares[n],
            "valid": shares[n] >= 0.75,
            **{
                name: (classes[name][n] if name in classes else None) for name in COUNTS
            },
            "usual": usual,
            "usual_spread": None if usual is None else 5.0,
        }
        for n, volume in enumerate(counted)
        if volume is not None
    ]
    return pl.DataFrame(
        rows,
        schema={
            "time": pl.Datetime("us", "UTC"),
            "direction": pl.String,
            "observed": pl.Float64,
            "normalised": pl.Float64,
            "volume": pl.Int64,
            "volume_normalised": pl.Float64,
            "valid": pl.Boolean,
            **{name: pl.Int64() for name in COUNTS},
            "usual": pl.Float64,
            "usual_spread": pl.Float64,
        },
    )


def bins(frame: pl.DataFrame, holidays: Collection[date] = ()) -> pl.DataFrame:
    """FLOW_BINS of hours, by `direction`."""
    of_days = pl.col("time").dt.convert_time_zone(BERLIN).dt.date()
    first, last = frame.select(of_days.min().alias("a"), of_days.max().alias("b")).row(
        0
    )
    off = pl.col("day").is_in(list(holidays))
    known = calendar(first, last, "RP", empty(SCHOOL_HOLIDAYS)).with_columns(
        holiday=pl.col("holiday") | off,
        day_type=pl.when(off)
        .then(pl.lit("sunday_or_holiday"))
        .otherwise(pl.col("day_type")),
    )
    classified = frame.with_columns(
        imputed=pl.lit(0.0), excluded=pl.lit(0.0), speed_kmh=pl.lit(None, pl.Float64)
    )
    made = lazy_flows(classified, interval_s=3600, time_zone=BERLIN, days=known)
    numbers = pl.col(*COUNTS, "speed_kmh").cast(pl.Float64)
    return made.with_columns(numbers).select("direction", *FLOW_BINS).collect()


def day_profile(frame: pl.DataFrame, holidays: Collection[date] = ()) -> pl.DataFrame:
    """Usual days, by `direction`."""
    return profiles.day_profiles(bins(frame, holidays), types=DAY_TYPES)


def week(frame: pl.DataFrame, holidays: Collection[date] = ()) -> pl.DataFrame:
    """The usual week of one direction."""
    found = profiles.week_profile(bins(frame, holidays), expected=1).table
    assert found is not None
    return found


def workdays(frame: pl.DataFrame) -> pl.DataFrame:
    """Usual workdays, by `direction`."""
    return day_profile(frame).filter(day_type="workday")


def classes(frame: pl.DataFrame, scheme: str = "tls-8+1") -> pl.DataFrame:
    """What was counted by class."""
    found = by_class(
        bins(frame), quantity="motor", scheme=scheme, units={}, unit="Kfz", expected=1
    ).table
    assert found is not None
    return found.filter(pl.col("name").is_in(CLASSES)).drop_nulls("volume")


def days(first: date, counted: list[int], *, valid: list[bool]) -> pl.DataFrame:
    """Day figures of the cross-section; an invalid day is half observed."""
    return pl.DataFrame(
        [
            {
                "day": first + timedelta(days=n),
                "direction": "all",
                "volume": volume,
                "volume_normalised": volume * 1.1,
                "volume_estimated": volume * 1.1,
                "heavy": volume // 10,
                "peak_hour": datetime(2026, 3, 1, 16, tzinfo=UTC) + timedelta(days=n),
                "peak_volume": volume // 8,
                "observed": 1.0 if valid[n] else 0.5,
                "normalised": 0.0,
                "imputed": 0.0,
                "excluded": 0.0,
                "valid": valid[n],
                "method": "daily-1",
            }
            for n, volume in enumerate(counted)
        ]
    )
