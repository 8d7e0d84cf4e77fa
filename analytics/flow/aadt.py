"""Annual average daily traffic (DTV of a year) by eight estimators, side by side."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.flow.figure import Figure, Reason, Result
from analytics.frames import FLOW_BINS, FLOW_DAYS, check
from analytics.quality.passport import of_days

METHOD: Final = "aadt-1"
#: Maximum period of a year's figure.
MAX_DAYS: Final = 366
#: Resamplings of weeks for the interval, with a generator of this seed.
RESAMPLINGS: Final = 400
SEED: Final = 20_260_301
#: Weeks required for an interval.
MIN_WEEKS: Final = 4

Floats = npt.NDArray[np.float64]

_MONTHS, _WEEKDAYS, _HOURS = 12, 7, 24


@dataclass(frozen=True, slots=True)
class Estimator:
    """An estimator: the sums it uses, and the cells it requires."""

    name: str
    by_hour: bool
    #: `days`, `months`, `weekdays` or `hours`: the units of the last mean
    kind: str
    months: int = 0
    weekdays: int = 0


ESTIMATORS: Final = (
    Estimator("aadt_mean_of_days", by_hour=False, kind="days"),
    Estimator("aadt_astm", by_hour=False, kind="months", months=12),
    Estimator("aadt_aashto", by_hour=False, kind="weekdays", months=12, weekdays=7),
    Estimator(
        "aadt_aashto_hours", by_hour=True, kind="weekdays", months=12, weekdays=7
    ),
    Estimator("aadt_mean_hours", by_hour=True, kind="hours"),
    Estimator("aadt_astm_11", by_hour=False, kind="months", months=11),
    Estimator("aadt_aashto_11", by_hour=False, kind="weekdays", months=11, weekdays=6),
    Estimator(
        "aadt_aashto_hours_11", by_hour=True, kind="weekdays", months=11, weekdays=6
    ),
)


def aadt(days: pl.DataFrame, hours: pl.DataFrame, *, unit: str) -> Result:
    """Estimate the AADT from FLOW_DAYS and FLOW_BINS of hours, in vehicles per 24 h.

    1. mean_of_days: mean of all valid days.
    2. astm (ASTM 1442): mean over the months of the mean over weekdays of the mean of
       the valid days of a month and weekday (MADW); all 12 months.
    3. aashto: 1/7 Σ_weekday 1/12 Σ_month MADW; all 84 MADW.
    4. aashto_hours (provisional AASHTO): as 3, with MADW = Σ_hour mean of the month,
       weekday and hour; robust to missing hours, because a day need not be valid.
    5. mean_hours: Σ_hour of the 24 mean hours of the year; all 24.
    6. astm_11: as 2, with 11 months or more.
    7. aashto_11: as 3, with 6 weekdays or more that have 11 months or more.
    8. aashto_hours_11: as 4, with the same.

    A missing requirement makes the figure null, with the number found. The period is a
    year at most. An hour counts where 75 % of it were observed.

    Interval, 95 %: the calendar weeks are resampled with replacement, 400 times with a
    fixed seed, in blocks as long as the longest run of missing weeks, because weeks
    resemble their neighbours. The 2.5 and 97.5 % quantiles of the estimates about their
    mean are narrowed by √(1 - known share of the period). So the interval is the error
    of the mean of *this* period due to missing days; it has zero width if none is
    missing, and excludes counting errors and other years. Null below four weeks. Source
    of the estimators: Caltrans PeMS (DOMAIN.md 4.2).
    """
    days, hours = check(days, FLOW_DAYS), check(hours, FLOW_BINS)
    valid = days.filter(pl.col("valid"))
    known = hours.filter(pl.col("flow").is_not_null())
    passport = of_days(
        days,
        method=METHOD,
        days_expected=days.height,
        days_used=valid.height,
        days_required=1,
    )
    weeks = days["day"].dt.truncate("1w").unique()
    by_day = _sums(valid, "volume", weeks=weeks, hours=1)
    by_hour = _sums(known, "flow", weeks=weeks, hours=_HOURS)
    shares = {
        False: valid.height / max(days.height, 1),
        True: min(1.0, known.height / max(_HOURS * days.height, 1)),
    }
    spreads: dict[tuple[bool, str], tuple[float, float] | None] = {}
    figures = []
    for one in ESTIMATORS:
        sums = by_hour if one.by_hour else by_day
        value, reason = _estimate(one, sums, days=days.height)
        kind = one.by_hour, one.kind
        if value is not None and kind not in spreads:
            spreads[kind] = _spread(one, sums, share=shares[one.by_hour])
        spread = None if value is None else spreads[kind]
        figures.append(
            Figure(
                name=one.name,
                unit=f"{unit}/24 h",
                passport=passport,
                value=value,
                lower=value + spread[0] if value is not None and spread else None,
                upper=value + spread[1] if value is not None and spread else None,
                reason=reason,
            )
        )
    return Result(tuple(figures))


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums and numbers of samples: (weeks, months, weekdays, hours)."""

    totals: Floats
    counts: Floats
    #: the longest run of unknown weeks
    gap: int


def _sums(rows: pl.DataFrame, value: str, *, weeks: pl.Series, hours: int) -> _Sums:
    monday = rows["day"].dt.truncate("1w")
    week = monday.rank("dense") - 1
    shape = (monday.n_unique(), _MONTHS, _WEEKDAYS, hours)
    runs = (~weeks.sort().is_in(monday.unique().implode())).rle().struct.unnest()
    gap = max(runs.filter("value")["len"], default=0)
    hour = rows["hour"] if hours > 1 else pl.zeros(rows.height, pl.Int8, eager=True)
    at = (
        week.to_numpy(),
        (rows["day"].dt.month() - 1).to_numpy(),
        (rows["weekday"] - 1).to_numpy(),
        hour.to_numpy(),
    )
    found = _Sums(np.zeros(shape), np.zeros(shape), gap)
    np.add.at(found.totals, at, rows[value].to_numpy())
    np.add.at(found.counts, at, 1.0)
    return found


def _estimate(
    one: Estimator, sums: _Sums, *, days: int
) -> tuple[float | None, Reason | None]:
    if days > MAX_DAYS:
        return None, Reason("too-long", days, MAX_DAYS)
    totals, counts = sums.totals.sum(axis=0), sums.counts.sum(axis=0)
    if not counts.any():
        return None, Reason("too-few-days", 0, 1)
    if one.kind == "hours":
        there = int((counts.sum(axis=(0, 1)) > 0).sum())
        if there < _HOURS:
            return None, Reason("too-few-hours", there, _HOURS)
    cells = np.isfinite(_cells(totals, counts))
    if one.kind == "months":
        months = int(cells.any(axis=-1).sum())
        if months < one.months:
            return None, Reason("too-few-months", months, one.months)
    if one.kind == "weekdays":
        weekdays = int((cells.sum(axis=0) >= one.months).sum())
        if weekdays < one.weekdays:
            return None, Reason("too-few-weekdays", weekdays, one.weekdays)
    value = float(_evaluate(one, totals, counts, months=one.months))
    return value, None


def _spread(one: Estimator, sums: _Sums, *, share: float) -> tuple[float, float] | None:
    """Return how far an interval reaches below and above the estimate of a kind."""
    weeks = len(sums.totals)
    if weeks < MIN_WEEKS:
        return None
    draws = _resampled(weeks, block=max(1, min(sums.gap, weeks // 2)))
    shape = (RESAMPLINGS, *sums.totals.shape[1:])
    totals = (draws @ sums.totals.reshape(weeks, -1)).reshape(shape)
    counts = (draws @ sums.counts.reshape(weeks, -1)).reshape(shape)
    # a sample may miss months; it is evaluated with those that it has
    estimates = _evaluate(one, totals, counts, months=1)
    estimates = estimates[np.isfinite(estimates)]
    if len(estimates) < RESAMPLINGS / 2:
        return None
    narrow = math.sqrt(max(0.0, 1 - share))
    lower, upper = np.quantile(estimates, (0.025, 0.975)) - estimates.mean()
    return narrow * float(lower), narrow * float(upper)


def _resampled(weeks: int, *, block: int) -> Floats:
    """Return how often each week is drawn, in circular blocks of consecutive weeks."""
    starts = np.random.default_rng(SEED).integers(
        weeks, size=(RESAMPLINGS, math.ceil(weeks / block), 1)
    )
    drawn = ((starts + np.arange(block)) % weeks).reshape(RESAMPLINGS, -1)[:, :weeks]
    found = np.zeros((RESAMPLINGS, weeks))
    np.add.at(found, (np.arange(RESAMPLINGS)[:, None], drawn), 1)
    return found


def _evaluate(one: Estimator, totals: Floats, counts: Floats, *, months: int) -> Floats:
    """Estimate from sums (…, months, weekdays, hours); weekdays with enough months."""
    if one.kind == "days":
        return _divide(totals.sum(axis=(-3, -2, -1)), counts.sum(axis=(-3, -2, -1)))
    if one.kind == "hours":
        hourly = _divide(totals.sum(axis=(-3, -2)), counts.sum(axis=(-3, -2)))
        return np.asarray(hourly.sum(axis=-1))
    cells = _cells(totals, counts)
    if one.kind == "months":
        return _mean(_mean(cells, axis=-1), axis=-1)
    weekdays = np.where(
        np.isfinite(cells).sum(axis=-2) >= months, _mean(cells, axis=-2), np.nan
    )
    return _mean(weekdays, axis=-1)


def _cells(totals: Floats, counts: Floats) -> Floats:
    """Return the mean day of each month and weekday; NaN with a missing hour."""
    return np.asarray(_divide(totals, counts).sum(axis=-1))


def _mean(values: Floats, *, axis: int) -> Floats:
    """Return the mean of the known values."""
    there = np.isfinite(values)
    return _divide(np.where(there, values, 0).sum(axis=axis), there.sum(axis=axis))


def _divide(over: Floats, under: Floats | npt.NDArray[np.int64]) -> Floats:
    nothing = np.full(np.shape(over), np.nan)
    np.divide(over, under, out=nothing, where=np.asarray(under) > 0)
    return nothing
