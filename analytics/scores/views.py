"""Views of a time series: each turns rows into points, with a memory.

Row by row with plain floats, so that a series in pieces gives the very same points.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

import numpy as np

from analytics.scores.novelty import Points

#: Parts of a day with a usual value each: half hours.
HALF_HOURS: Final = 48
_DAY_S: Final = 86_400


class Level:
    """Mean of the last 20 and of the last 80 rows: detects slow or lasting shifts."""

    def __init__(self) -> None:
        self._windows = [(deque[float](), length) for length in (20, 80)]
        self._sums = [0.0, 0.0]

    def points(self, values: Iterable[float]) -> Points:
        """Return one point per row: the short mean and the long one."""
        return np.array([self._means(value) for value in values]).reshape(-1, 2)

    def _means(self, value: float) -> list[float]:
        means = []
        for number, (window, length) in enumerate(self._windows):
            window.append(value)
            self._sums[number] += value
            if len(window) > length:
                self._sums[number] -= window.popleft()
            means.append(self._sums[number] / len(window))
        return means


class Spread:
    """Smoothed value and smoothed deviation from it: unrest, or unusual calm."""

    def __init__(self, *, weight: float = 0.05) -> None:
        self._weight = weight
        self._mean: float | None = None
        self._deviation = 0.0

    def points(self, values: Iterable[float]) -> Points:
        """Return one point per row: the smoothed value and deviation."""
        return np.array([self._smoothed(value) for value in values]).reshape(-1, 2)

    def _smoothed(self, value: float) -> tuple[float, float]:
        mean = value if self._mean is None else self._mean
        self._deviation += self._weight * (abs(value - mean) - self._deviation)
        self._mean = mean + self._weight * (value - mean)
        return self._mean, self._deviation


class TimeOfDay:
    """Difference from the usual value of the half hour.

    The usual value is a running mean of the half hour over all days, drawn to that of
    the same weekday the more often it was seen (at most 4 to 1).
    """

    def __init__(self, *, by_day: float = 0.05, by_week: float = 0.1) -> None:
        self._day = _Profile(HALF_HOURS, by_day)
        self._week = _Profile(7 * HALF_HOURS, by_week)

    def points(self, seconds: Iterable[int], values: Iterable[float]) -> Points:
        """Return one point per row; NaN until the half hour was seen before."""
        return np.array(
            [
                [self._difference(second, value)]
                for second, value in zip(seconds, values, strict=True)
            ]
        ).reshape(-1, 1)

    def _difference(self, second: int, value: float) -> float:
        part = second % _DAY_S * HALF_HOURS // _DAY_S
        weekday = second // _DAY_S % 7 * HALF_HOURS + part
        trust = min(self._week.seen[weekday], 4)
        usual = (self._day.mean[part] + trust * self._week.mean[weekday]) / (1 + trust)
        known = self._day.seen[part] > 0
        self._day.add(part, value)
        self._week.add(weekday, value)
        return value - usual if known else float("nan")


class _Profile:
    """Running means, one for each part; from `weight` on the older count less."""

    def __init__(self, parts: int, weight: float) -> None:
        self.mean = [0.0] * parts
        self.seen = [0] * parts
        self._weight = weight

    def add(self, part: int, value: float) -> None:
        self.seen[part] += 1
        weight = max(self._weight, 1 / self.seen[part])
        self.mean[part] += weight * (value - self.mean[part])
