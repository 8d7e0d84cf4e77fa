"""Limit, target and guideline values of air quality, and comparisons with them.

A comparison with values of low-cost sensors is indicative: it has no legal effect.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

import polars as pl

from analytics.environment.averages import (
    CLOCK,
    daily_max_8h,
    day_means,
    valid_hours,
    year_means,
)
from analytics.frames import Schema, check
from verkehrspuls.quantities import ENVIRONMENT, Average, Kind
from verkehrspuls.text import mark as _

#: status of a standard in a year
Group = Literal["in-force", "coming", "recommended"]
#: kinds that the law requires to be kept; other kinds require information, or are
#: recommendations
BINDING: Final[tuple[Kind, ...]] = ("limit", "target")


@dataclass(frozen=True, slots=True)
class Standard:
    """A named set of values, with its source."""

    key: str
    name: str
    #: first day of validity; None: it is a recommendation
    since: date | None
    source: str
    #: first day on which another standard replaces it
    until: date | None = None

    def group(self, year: int) -> Group | None:
        """Return its status at the beginning of a year; None: it has been replaced."""
        at = date(year, 1, 1)
        if self.since is None:
            return "recommended"
        if self.until is not None and self.until <= at:
            return None
        return "in-force" if self.since <= at else "coming"


@dataclass(frozen=True, slots=True)
class Limit:
    """One value of a standard in µg/m³, as a mean over `average`."""

    standard: str
    quantity: str
    kind: Kind
    average: Average
    value: float
    #: permitted exceedances per calendar year
    allowed: int = 0
    #: number of consecutive hours that must exceed it
    hours: int = 1


STANDARDS: Final = {
    standard.key: standard
    for standard in (
        Standard(
            "39-bimschv",
            _("39th BImSchV"),
            date(2010, 8, 6),
            "39. BImSchV §§ 2, 3, 4, 5, 9; Directive 2008/50/EC",
            until=date(2030, 1, 1),
        ),
        Standard(
            "eu-2030",
            _("Directive (EU) 2024/2881, from 2030"),
            date(2030, 1, 1),
            "Directive (EU) 2024/2881, annex I",
        ),
        Standard(
            "who-2021",
            _("WHO guidelines 2021"),
            None,
            "WHO global air quality guidelines, 2021",
        ),
    )
}

#: All limits, as the records of the quantities have them.
LIMITS: Final = tuple(
    Limit(
        one.standard,
        key,
        one.kind,
        one.average,
        one.value,
        allowed=one.allowed,
        hours=one.hours,
    )
    for key, quantity in ENVIRONMENT.items()
    for one in quantity.limits
)

#: A calendar year of a channel compared with each limit of its quantity. `exceeded`
#: counts the hours, days or events above the limit, `judged` those that have an
#: average; `greatest` is the greatest average. `met` is null if too little was
#: observed; too many exceedances break a limit however much is missing. `group` says
#: whether the standard is in force in that year, comes later, or is a recommendation;
#: replaced standards are left out.
COMPARISON: Final[Schema] = {
    "channel_id": pl.Int32(),
    "year": pl.Int32(),
    "standard": pl.String(),
    "group": pl.String(),
    "kind": pl.String(),
    "average": pl.String(),
    "value": pl.Float64(),
    "allowed": pl.Int32(),
    "exceeded": pl.Int32(),
    "judged": pl.Int32(),
    "capture": pl.Float64(),
    "greatest": pl.Float64(),
    "met": pl.Boolean(),
}

_PARTS: Final[dict[Average, int]] = {"hour": 24, "day": 1, "max_8h": 1}
#: minimum share of a year's averages for a limit to be met
_MIN_CAPTURE: Final = 0.9


def compare(
    hours: pl.DataFrame,
    quantity: str,
    *,
    long: pl.DataFrame | None = None,
    since: datetime | None = None,
    limits: Sequence[Limit] = LIMITS,
) -> pl.DataFrame:
    """Compare the years of channels of one quantity with its LIMITS (COMPARISON).

    Averages are first rounded half up to whole numbers, as the limits are; a value
    equal to the limit does not exceed it. Hours before `since` only serve for running
    means of its day and later. `long` (LONG_VALUES) are daily means for days without
    enough hours.
    """
    first = date.min if since is None else (since + CLOCK).date()
    later = hours if since is None else hours.filter(pl.col("time") >= since)
    make: dict[Average, Callable[[], pl.DataFrame]] = {
        "hour": lambda: _averages(valid_hours(later).rename({"time": "at"}), hour=True),
        "day": lambda: _averages(day_means(later, long).rename({"day": "at"})),
        "max_8h": lambda: _averages(
            daily_max_8h(hours).rename({"day": "at"}).filter(pl.col("at") >= first)
        ),
        "year": lambda: year_means(later, long),
    }
    chosen = [limit for limit in limits if limit.quantity == quantity]
    averages = {
        average: make[average]() for average in {limit.average for limit in chosen}
    }
    found = [
        _of_years(averages[limit.average], limit)
        if limit.average == "year"
        else _of_parts(averages[limit.average], limit)
        for limit in chosen
    ]
    return pl.concat([pl.DataFrame(schema=dict(COMPARISON)), *found])


def _averages(means: pl.DataFrame, *, hour: bool = False) -> pl.DataFrame:
    at = pl.col("at") + CLOCK if hour else pl.col("at")
    return means.select("channel_id", "at", at.dt.year().alias("year"), "mean")


def exceedances(averages: pl.DataFrame, limit: Limit) -> pl.DataFrame:
    """Return the rows (channel_id, at, year, mean) that exceed a limit.

    For a limit on several consecutive hours, only the hours with enough exceeding hours
    before them.
    """
    above = (pl.col("mean") + 0.5).floor() > limit.value
    if limit.hours == 1:
        return averages.filter(above)
    together = (
        averages.with_columns(above=above)
        .sort("channel_id", "at")
        .rolling("at", period=f"{limit.hours}h", closed="right", group_by="channel_id")
        .agg(pl.col("above").sum(), pl.col("year", "mean").last())
    )
    return together.filter(pl.col("above") == limit.hours).drop("above")


def _of_parts(averages: pl.DataFrame, limit: Limit) -> pl.DataFrame:
    length = pl.when(pl.date(pl.col("year"), 1, 1).dt.is_leap_year()).then(366)
    expected = _PARTS[limit.average] * length.otherwise(365)
    judged = averages.group_by("channel_id", "year").agg(
        pl.len().cast(pl.Int32).alias("judged"), greatest=pl.col("mean").max()
    )
    exceeded = (
        exceedances(averages, limit)
        .group_by("channel_id", "year")
        .agg(pl.len().cast(pl.Int32).alias("exceeded"))
    )
    known = judged.join(exceeded, on=["channel_id", "year"], how="left").with_columns(
        pl.col("exceeded").fill_null(0), capture=pl.col("judged") / expected
    )
    too_often = pl.col("exceeded") > limit.allowed
    met = (
        pl.when(too_often)
        .then(pl.lit(value=False))
        .when(pl.col("capture") >= _MIN_CAPTURE)
        .then(pl.lit(value=True))
    )
    return _described(known.with_columns(met=met), limit)


def _of_years(years: pl.DataFrame, limit: Limit) -> pl.DataFrame:
    above = (pl.col("mean") + 0.5).floor() > limit.value
    known = years.with_columns(
        judged=pl.lit(1, pl.Int32),
        exceeded=above.cast(pl.Int32),
        greatest=pl.col("mean"),
        met=pl.when("valid").then(~above),
    )
    return _described(known, limit)


def _described(known: pl.DataFrame, limit: Limit) -> pl.DataFrame:
    standard = STANDARDS[limit.standard]
    groups = {year: standard.group(year) for year in known["year"].unique()}
    return check(
        known.with_columns(
            group=pl.col("year").replace_strict(
                groups, default=None, return_dtype=pl.String
            )
        )
        .drop_nulls("group")
        .with_columns(
            standard=pl.lit(limit.standard),
            kind=pl.lit(limit.kind),
            average=pl.lit(limit.average),
            value=pl.lit(limit.value, pl.Float64),
            allowed=pl.lit(limit.allowed, pl.Int32),
        ),
        COMPARISON,
    )
