"""From a short count to the mean day of a year, with its uncertainty.

Instead of published factors it uses the permanent counters of the town, which counted
in the same hours. Its error is measured on them, each in turn treated as the short
count.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from analytics.flow.figure import Reason
from analytics.frames import TIME, Schema, check, mean

METHOD: Final = "short-count-1"

#: Whole hours of a permanent counter, or of the short count, with the local day and
#: hour of their start.
HOURS: Final[Schema] = {
    "time": TIME,
    "day": pl.Date(),
    "hour": pl.Int8(),
    "volume": pl.Float64(),
}

#: Permanent counters required to estimate the error.
MIN_REFERENCES: Final = 3
#: Other days required on which the same hours are tried.
MIN_TRIALS: Final = 5
_Z: Final = 1.96
#: The precision that planners require.
TARGET_PRECISION: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortCount:
    """Mean daily traffic from a short count; null if there is a reason."""

    dtv: float | None = None
    lower: float | None = None
    upper: float | None = None
    #: mean daily traffic over the volume of the counted hours
    factor: float | None = None
    #: relative standard errors: between sites, and of one day's count
    site_error: float | None = None
    day_error: float | None = None
    days_counted: int
    #: further days of the same hours needed to be within 5 %; null: days alone are not
    #: enough, as sites differ too much
    more_days: int | None = None
    references: int
    reason: Reason | None = None


def expand(
    counted: pl.DataFrame,
    references: Mapping[str, pl.DataFrame],
    means: Mapping[str, float],
) -> ShortCount:
    """Extrapolate counted HOURS to the mean daily traffic of a year.

    `references` are the HOURS of permanent counters over the year, `means` their mean
    daily traffic. For each day counted and reference, factor = mean / volume of the
    same hours of the same day; DTV = exp(mean of ln(volume · factor)) over days and
    references, so that weather and season, common to all, cancel out.

    Error: each reference in turn is expanded from the same local hours of each of its
    days by the others. The variance of its mean error is between sites, that within is
    of days; with n days it is site² + day²/n (in logarithms), the interval ± 1.96 times
    its root, and `more_days` solves 1.96 · √(site² + day²/n) = ln 1.05 for n.

    A day counts only if the short count and a reference have all of its counted hours.
    Source: the idea of expansion by permanent counters, FGSV/BASt V84 2001.
    """
    counted = check(counted, HOURS)
    days = counted["day"].n_unique()
    if len(references) < MIN_REFERENCES:
        reason = Reason("too-few-references", len(references), MIN_REFERENCES)
        return ShortCount(days_counted=days, references=len(references), reason=reason)
    if not (counted["volume"] > 0).any():
        nothing = Reason("no-traffic")
        return ShortCount(days_counted=days, references=len(references), reason=nothing)
    factors = _factors(counted, references, means)
    if factors.is_empty():
        return ShortCount(
            days_counted=days,
            references=len(references),
            reason=Reason("too-few-references", 0, MIN_REFERENCES),
        )
    errors = _errors(counted, references, means)
    if errors is None:
        return ShortCount(
            days_counted=days,
            references=len(references),
            reason=Reason("too-few-days", 0, MIN_TRIALS),
        )
    site, day = errors
    by_day = factors.group_by("day").agg(
        pl.col("estimate").log().mean(), pl.col("volume").first()
    )
    count = by_day.height
    dtv = math.exp(mean(by_day["estimate"]))
    error = _Z * math.sqrt(site**2 + day**2 / count)
    return ShortCount(
        dtv=dtv,
        lower=dtv * math.exp(-error),
        upper=dtv * math.exp(error),
        factor=dtv / mean(by_day["volume"]),
        site_error=site,
        day_error=day,
        days_counted=count,
        more_days=_more_days(site, day, count),
        references=factors["reference"].n_unique(),
    )


def _factors(
    counted: pl.DataFrame,
    references: Mapping[str, pl.DataFrame],
    means: Mapping[str, float],
) -> pl.DataFrame:
    """Return estimates of the short count by day and reference."""
    own = counted.group_by("day").agg(pl.col("volume").sum(), hours=pl.len())
    found = [
        check(hours, HOURS)
        .join(counted.select("time"), on="time", how="semi")
        .group_by("day")
        .agg(there=pl.col("volume").sum(), known=pl.len())
        .join(own, on="day")
        .filter(
            (pl.col("known") == pl.col("hours"))
            & (pl.col("there") > 0)
            & (pl.col("volume") > 0)
        )
        .select(
            "day",
            "volume",
            estimate=pl.col("volume") * means[key] / pl.col("there"),
            reference=pl.lit(key),
        )
        for key, hours in references.items()
    ]
    return pl.concat(found)


def _errors(
    counted: pl.DataFrame,
    references: Mapping[str, pl.DataFrame],
    means: Mapping[str, float],
) -> tuple[float, float] | None:
    """Return standard errors (in logarithms) between sites, and of one day."""
    pattern = counted.select("hour").unique()
    weekdays = counted.select(pl.col("day").dt.weekday()).unique()["day"].to_list()
    shares = pl.concat(
        check(hours, HOURS)
        .filter(pl.col("day").dt.weekday().is_in(weekdays))
        .join(pattern, on="hour", how="semi")
        .group_by("day")
        .agg(pl.col("volume").sum(), pl.len())
        .filter((pl.col("len") == pattern.height) & (pl.col("volume") > 0))
        .select(
            "day", reference=pl.lit(key), share=(pl.col("volume") / means[key]).log()
        )
        for key, hours in references.items()
    )
    others = (pl.col("share").sum().over("day") - pl.col("share")) / (
        pl.len().over("day") - 1
    )
    # the error, had the others expanded this one on this day
    trials = (
        shares.filter(pl.len().over("day") >= MIN_REFERENCES)
        .with_columns(error=pl.col("share") - others)
        .group_by("reference")
        .agg(pl.col("error").mean(), pl.col("error").var().alias("var"), pl.len())
        .filter(pl.col("len") >= MIN_TRIALS)
    )
    if trials.height < MIN_REFERENCES:
        return None
    mean, var = trials["error"].to_numpy(), trials["var"].to_numpy()
    # subtract the part of the means' variance that is due to days
    site = (mean**2 - var / trials["len"].to_numpy()).mean()
    return math.sqrt(max(0.0, site)), math.sqrt(var.mean())


def _more_days(site: float, day: float, count: int) -> int | None:
    left = (math.log1p(TARGET_PRECISION) / _Z) ** 2 - site**2
    if left <= 0:
        return None
    return max(0, math.ceil(day**2 / left - 1e-9) - count)
