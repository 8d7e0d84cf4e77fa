"""Profiles: the course of traffic over the day, the week and the year, with a band."""

from collections.abc import Collection
from typing import Final

import polars as pl

from analytics.calendar import MEMBERS
from analytics.flow.figure import Result
from analytics.flow.inputs import passport_of_bins
from analytics.frames import FLOW_BINS, FLOW_DAYS, Schema, check
from analytics.quality.passport import of_days
from analytics.quality.validity import DEFAULT, Rules
from analytics.quantiles import lower, upper

METHOD: Final = "profiles-1"
#: The band: of 100 days, 70 lie between these percentiles.
BAND: Final = (15, 85)
#: Samples required for quantiles.
MIN_SAMPLES: Final = 4
#: The types of a day profile; workdays include those with unknown school holidays.
DAY_TYPES: Final = {
    "workday": pl.col("day_type").is_in(["workday", "school_holiday_workday"]),
    **MEMBERS,
}

_FIGURES: Final[Schema] = {
    "mean": pl.Float64(),
    "lower": pl.Float64(),
    "median": pl.Float64(),
    "upper": pl.Float64(),
    "samples": pl.UInt32(),
}
DAY_PROFILE: Final[Schema] = {"day_type": pl.String(), "hour": pl.Int8(), **_FIGURES}
WEEK_PROFILE: Final[Schema] = {"weekday": pl.Int8(), "hour": pl.Int8(), **_FIGURES}
YEAR_PROFILE: Final[Schema] = {
    "month": pl.Int8(),
    **_FIGURES,
    "days": pl.UInt32(),
    "relative": pl.Float64(),
}


def day_profile(hours: pl.DataFrame, *, expected: int) -> Result:
    """Profile the local day by day type from FLOW_BINS of hours, in vehicles/h.

    mean, median and the quantiles 0.15 and 0.85 of the flows of each local hour, over
    the days of a type (DAY_TYPES). An hour observed below 75 % is left out; quantiles
    need four samples, a mean one, and are one of the samples (see
    `analytics.quantiles`). A repeated hour at the clock change gives two samples.
    """
    hours = check(hours, FLOW_BINS)
    return Result(
        (),
        check(_of_day_types(hours.lazy(), []), DAY_PROFILE),
        passport_of_bins(hours, method=METHOD, expected=expected),
    )


def day_profiles(
    hours: pl.DataFrame | pl.LazyFrame, *, types: Collection[str] = tuple(DAY_TYPES)
) -> pl.DataFrame:
    """Profile the local day as `day_profile`, of each `direction`, by some types.

    It takes `direction`, `hour`, `flow` and the calendar's columns of FLOW_BINS.
    """
    return _of_day_types(hours.lazy(), ["direction"], types=types)


def week_profile(hours: pl.DataFrame, *, expected: int) -> Result:
    """Profile the week by weekday (1 is Monday) and local hour, in vehicles/h.

    As `day_profile`; public holidays are left out, because they are not usual weekdays.
    """
    hours = check(hours, FLOW_BINS)
    return Result(
        (),
        week_table(hours),
        passport_of_bins(hours, method=METHOD, expected=expected),
    )


def week_table(hours: pl.DataFrame) -> pl.DataFrame:
    """Profile the week as `week_profile`, without its passport (WEEK_PROFILE)."""
    rows = hours.lazy().filter(~pl.col("holiday"))
    return check(_profile(rows, ["weekday", "hour"], "flow").collect(), WEEK_PROFILE)


def year_profile(days: pl.DataFrame, *, rules: Rules = DEFAULT) -> Result:
    """Profile the year by month from FLOW_DAYS, in vehicles/24 h.

    Mean, median and quantiles of the valid days of a month, over all years; `relative`
    is its mean over the mean of the monthly means. A month with fewer than two valid
    days, or fewer than half of its days in the period, is null.
    """
    days = check(days, FLOW_DAYS).with_columns(month=pl.col("day").dt.month())
    calendar = days.group_by("month").agg(days=pl.len())
    required = pl.max_horizontal(
        pl.lit(rules.days), (pl.col("days") * rules.days_share).ceil()
    )
    figures = [name for name in _FIGURES if name != "samples"]
    found = (
        calendar.join(
            _profile(days.lazy().filter("valid"), ["month"], "volume").collect(),
            on="month",
            how="left",
        )
        .with_columns(pl.col("samples").fill_null(0))
        .with_columns(pl.when(pl.col("samples") >= required).then(pl.col(figures)))
        .with_columns(relative=pl.col("mean") / pl.col("mean").mean())
        .sort("month")
    )
    return Result(
        (),
        check(found, YEAR_PROFILE),
        of_days(
            days,
            method=METHOD,
            days_expected=days.height,
            days_used=days.filter("valid").height,
        ),
    )


def _of_day_types(
    hours: pl.LazyFrame, by: list[str], *, types: Collection[str] = tuple(DAY_TYPES)
) -> pl.DataFrame:
    """Profile the hours of day types, in the order of DAY_TYPES.

    A day may belong to several of them.
    """
    order = pl.Enum(list(DAY_TYPES))
    known = hours.filter(pl.col("flow").is_not_null())
    members = [
        known.filter(member).select(*by, "hour", "flow", day_type=pl.lit(name, order))
        for name, member in DAY_TYPES.items()
        if name in types
    ]
    return (
        _profile(pl.concat(members), [*by, "day_type", "hour"], "flow")
        .with_columns(pl.col("day_type").cast(pl.String))
        .collect()
    )


def _profile(rows: pl.LazyFrame, by: list[str], value: str) -> pl.LazyFrame:
    edges = {"lower": lower(pl.col(value), BAND[0]), "median": pl.col(value).median()}
    edges["upper"] = upper(pl.col(value), BAND[1])
    enough = pl.col(value).count() >= MIN_SAMPLES
    return (
        rows.filter(pl.col(value).is_not_null())
        .group_by(by)
        .agg(
            pl.col(value).mean().alias("mean"),
            *(pl.when(enough).then(found).alias(name) for name, found in edges.items()),
            pl.col(value).count().alias("samples"),
        )
        .sort(by)
    )
