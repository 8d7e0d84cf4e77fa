"""Profiles: the volume of similar days at the same hour.

The median of the volumes at the same local time of the nearest similar days with data:
the same weekday for a workday (public holidays left out), else days of the same type
(Saturdays; Sundays with public holidays).
"""

from typing import Final, Literal

import numpy as np

from analytics.forecast.grid import Floats, Grid
from verkehrspuls import calendar

#: Days in the median (from each side, if both are used), and their maximum distance.
SIMILAR_DAYS: Final = 5
SIMILAR_DAYS_PER_SIDE: Final = 3
WEEKS: Final = 8
#: Known days required for a profile.
MIN_DAYS: Final = 2
#: Days between a profile and its forecast: the day before is not over yet when
#: forecasting a day ahead.
PAUSE_DAYS: Final = 2

Side = Literal["before", "around"]


def profile(grid: Grid, *, side: Side) -> Floats:
    """Return the profile of each row: from days before it, or from both sides.

    From `before`, nothing of the last 24 hours is used. Quarter-hours are smoothed over
    their neighbours (1/4, 1/2, 1/4).
    """
    bins = 86_400 // grid.interval_s
    by_day = np.full((len(grid.days), bins, len(grid.channels)), np.nan)
    by_day[grid.day, grid.bin] = grid.values
    found = np.full_like(by_day, np.nan)
    reach = 7 * WEEKS
    for number in range(len(grid.days)):
        first = max(0, number - reach)
        if side == "before":
            before = _alike(grid, number, range(number - PAUSE_DAYS, first - 1, -1))
            samples = _nearest(by_day[before], SIMILAR_DAYS)
        else:
            before = _alike(grid, number, range(number - 1, first - 1, -1))
            last = min(len(grid.days), number + reach + 1)
            after = _alike(grid, number, range(number + 1, last))
            samples = np.concatenate(
                [
                    _nearest(by_day[days], SIMILAR_DAYS_PER_SIDE)
                    for days in (before, after)
                ]
            )
        found[number] = median(samples, fewest=MIN_DAYS)
    rows = found[grid.day, grid.bin]
    return rows if grid.per_hour == 1 else _smooth(rows)


def median(samples: Floats, *, fewest: int = 1) -> Floats:
    """Return the median over the first axis without NaN; NaN if too few are known."""
    if len(samples) == 0:
        return np.full(samples.shape[1:], np.nan)
    known = np.isfinite(samples).sum(axis=0)
    ordered = np.sort(samples, axis=0)
    middle = [
        np.take_along_axis(ordered, np.maximum(at, 0)[None], axis=0)[0]
        for at in ((known - 1) // 2, known // 2)
    ]
    return np.where(known >= fewest, (middle[0] + middle[1]) / 2, np.nan)


def _alike(grid: Grid, number: int, others: range) -> list[int]:
    """Return the numbers of the days similar to a day of the grid."""
    day, state = grid.days[number], grid.place.state
    kind = calendar.day_type(day, state)
    same = [n for n in others if calendar.day_type(grid.days[n], state) == kind]
    if kind != "workday":
        return same
    weekday = [n for n in same if grid.days[n].weekday() == day.weekday()]
    return weekday if len(weekday) > MIN_DAYS else same


def _nearest(samples: Floats, number: int) -> Floats:
    """Keep only the first known samples of each bin."""
    rank = np.isfinite(samples).cumsum(axis=0)
    return np.where(rank <= number, samples, np.nan)


def _smooth(rows: Floats) -> Floats:
    around = rows.copy()
    around[1:-1] = rows[1:-1] / 2 + (rows[:-2] + rows[2:]) / 4
    return np.where(np.isfinite(around), around, rows)
