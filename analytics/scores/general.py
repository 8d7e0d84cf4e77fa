"""An anomaly score for any time series: the novelty of a row against all before it.

Four views of the series are each compared with its own past: the value itself, its
difference from the usual value at that time of day, its level, and its spread. The
novelties are added. A score is kept only if it exceeds the recent ones, so that one
incident is one alarm and not hundreds.

Causal: the score of a row depends on that row and on earlier ones only, and judging a
series in pieces gives the same as judging it at once. One set of parameters for all
series; they are shares of ranges and counts of rows, never values or units.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.scores.novelty import Novelty, Points
from analytics.scores.views import Level, Spread, TimeOfDay

#: Sum of novelties, in shares of the range, that raises an alarm.
ALARM: Final = 0.062
#: Rows for which a place stays in memory after its last visit.
MEMORY_ROWS: Final = 5000
#: Rows, and seconds for the time of day, that are learnt without being judged.
WARM_UP_ROWS: Final = 150
WARM_UP_S: Final = 3 * 86_400
#: An alarm suppresses smaller ones for 1/40 of the rows seen, from 20 to 200 rows.
SUPPRESSION: Final = (40, 20, 200)
#: Larger values are cut, so that no difference overflows.
MAX_VALUE: Final = 1e100

_Rows = npt.NDArray[np.int64]


class Judge:
    """Judges one series: keeps its past and scores the next rows."""

    def __init__(self) -> None:
        self._rows = 0
        self._began_s = 0
        self._low = self._high = 0.0
        self._time_of_day, self._level, self._spread = TimeOfDay(), Level(), Spread()
        self._new_value = Novelty(tolerance=0.02, memory=MEMORY_ROWS)
        self._new_difference = Novelty(tolerance=0.01, memory=MEMORY_ROWS)
        self._new_level = Novelty(tolerance=0.03, memory=MEMORY_ROWS)
        self._new_spread = Novelty(tolerance=0.05, memory=MEMORY_ROWS)
        self._peaks: deque[tuple[int, float]] = deque()

    def update(self, seconds: _Rows, values: Points) -> Points:
        """Score the next rows; a value that is not finite has no score, no effect.

        Seconds are of the wall clock, counted from the start of any day.
        """
        finite = np.isfinite(values)
        scores = np.full(len(values), np.nan)
        if finite.any():
            scores[finite] = self._scores(
                seconds[finite], np.clip(values[finite], -MAX_VALUE, MAX_VALUE)
            )
        return scores

    def _scores(self, seconds: _Rows, values: Points) -> Points:
        if not self._rows:
            self._began_s = int(seconds[0])
            self._low = self._high = float(values[0])
        rows = np.arange(self._rows, self._rows + len(values))
        self._rows += len(values)
        ranges = self._ranges(values)
        plain = values.tolist()
        difference = self._time_of_day.points(seconds.tolist(), plain)
        usual = np.isfinite(difference[:, 0])
        novelty = self._new_value.update(values[:, None])
        novelty += self._new_level.update(self._level.points(plain), ranges)
        novelty += self._new_spread.update(self._spread.points(plain), ranges)
        novelty[usual] += self._new_difference.update(difference[usual]) * (
            seconds[usual] - self._began_s >= WARM_UP_S
        )
        novelty[rows < WARM_UP_ROWS] = 0.0
        return self._leading(rows, novelty)

    def _ranges(self, values: Points) -> Points:
        """Return the range of all values before each row."""
        low = np.minimum.accumulate(np.append(self._low, values))
        high = np.maximum.accumulate(np.append(self._high, values))
        self._low, self._high = float(low[-1]), float(high[-1])
        return (high - low)[:-1]

    def _leading(self, rows: _Rows, novelty: Points) -> Points:
        """Keep the score where it exceeds those of the recent rows; else zero."""
        scores = np.zeros(len(rows))
        share, fewest, most = SUPPRESSION
        peaks = self._peaks
        for place in np.flatnonzero(novelty):
            row, size = int(rows[place]), float(novelty[place])
            while peaks and peaks[0][0] < row - min(max(row // share, fewest), most):
                peaks.popleft()
            if not peaks or size > peaks[0][1]:
                scores[place] = size / (size + ALARM)
            while peaks and peaks[-1][1] <= size:
                peaks.pop()
            peaks.append((row, size))
        return scores


def scores(frame: pl.DataFrame) -> pl.DataFrame:
    """Add the column `score` (0 to 1, alarm from 0.5) to rows of time, value, key.

    Each key is a separate series, judged in order of time; rows of one time in the
    given order, which the result keeps. Without a key the rows are one series. A
    missing value has no score.
    """
    keys = ["key"] if "key" in frame.columns else []
    rows = frame.with_row_index("_row").sort(*keys, "time", "_row")
    parts: Sequence[pl.DataFrame] = rows.partition_by(keys) if keys else [rows]
    judged = [part.with_columns(score=_score(part)) for part in parts]
    return pl.concat(judged or [rows]).sort("_row").drop("_row")


def _score(series: pl.DataFrame) -> pl.Series:
    clock = series["time"].dt.replace_time_zone(None).dt.epoch("s")
    values = series["value"].cast(pl.Float64).fill_null(float("nan"))
    found = Judge().update(clock.to_numpy(), values.to_numpy())
    return pl.Series("score", found).fill_nan(None)
