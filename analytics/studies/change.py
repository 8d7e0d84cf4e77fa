"""The change between two groups of days, with its interval: common to all studies."""

import math
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Final

import polars as pl

from analytics.flow.figure import Reason
from analytics.studies.pairs import Pairs

#: Weeks required of each group: days of a week resemble each other, so weeks count.
MIN_WEEKS: Final = 3
CONFIDENCE: Final = 0.95
#: Probability of finding an effect of the detectable size.
POWER: Final = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A relative change: 0.1 is ten percent more.

    `[lower, upper]` contains the true change with 95 %. `detectable` is the least
    change that would be found with 80 %. Null if there is a reason.
    """

    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    detectable: float | None = None
    days_before: int
    days_after: int
    weeks_before: int
    weeks_after: int
    #: number of pairs of days, and of pairs left out because their days are of
    #: different types
    days_paired: int
    days_unlike: int
    reason: Reason | None = None

    @property
    def clear(self) -> bool:
        """Whether the interval excludes "no change"."""
        return (
            self.lower is not None
            and self.upper is not None
            and (self.lower > 0 or self.upper < 0)
        )


def change_of_pairs(
    pairs: Pairs, *, comparisons: int = 1, overlapping: bool = False
) -> Change:
    """Estimate how much the later day of pairs differs from the earlier one.

    The mean of the paired differences; their standard error is clustered by calendar
    week, because days of a week resemble each other, and the interval is Student's with
    weeks - 1 degrees of freedom; exp(difference) - 1 is the change.

    detectable = exp((t_0.975 + t_0.8) · standard error) - 1 (Bloom 1995). With several
    comparisons the interval is widened, so that it holds for all of them together
    (Bonferroni).

    If fewer than 90 % of the days have a partner, the periods are not comparable, and
    the change is null.
    """
    found = pairs.found.with_columns(week=pl.col("day").dt.truncate("1w"))
    weeks = found["week"].n_unique()
    nothing = Change(
        days_before=pairs.days_before,
        days_after=pairs.days_after,
        weeks_before=weeks,
        weeks_after=weeks,
        days_paired=found.height,
        days_unlike=pairs.unlike,
    )
    if not pairs.enough:
        few = Reason("too-few-pairs", found.height, pairs.needed)
        reason = Reason("periods-overlap") if overlapping else few
        return replace(nothing, reason=reason)
    if weeks < MIN_WEEKS:
        return replace(nothing, reason=Reason("too-few-weeks", weeks, MIN_WEEKS))
    difference, error = _of_weeks(found)
    t = student((1 + CONFIDENCE) / 2, weeks - 1)
    widened = student(1 - (1 - CONFIDENCE) / 2 / comparisons, weeks - 1)
    return replace(
        nothing,
        value=math.expm1(difference),
        lower=math.expm1(difference - widened * error),
        upper=math.expm1(difference + widened * error),
        detectable=math.expm1((t + student(POWER, weeks - 1)) * error),
    )


def _of_weeks(found: pl.DataFrame) -> tuple[float, float]:
    """Return the mean of `value`, and its standard error clustered by `week`."""
    values = found["value"].to_numpy()
    mean = float(values.mean())
    sums = (
        found.group_by("week").agg((pl.col("value") - mean).sum())["value"].to_numpy()
    )
    clusters = sums.size
    factor = clusters / (clusters - 1)
    return mean, math.sqrt(factor * float((sums**2).sum())) / values.size


def student(probability: float, freedom: int) -> float:
    """Return the quantile of Student's distribution.

    Expansion in 1/freedom, Abramowitz and Stegun 26.7.5: right to 0.3 % from four
    degrees of freedom on, at 97.5 %; with two its closed form.
    """
    if freedom == 2:
        return (2 * probability - 1) / math.sqrt(2 * probability * (1 - probability))
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return z + math.fsum(term / freedom**n for n, term in enumerate(terms, start=1))
