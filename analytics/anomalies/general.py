"""An anomaly score for any series: how new a value is, beside all that came before.

Causal: the score of a row depends on that row and on earlier ones only, and judging a
series in pieces gives the same as judging it at once.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence
from math import isfinite

import polars as pl


class Judge:
    """What has been seen of one series; judges row by row."""

    def __init__(self) -> None:
        self._seen: list[float] = []
        self._rows = 0
        self._peaks: deque[tuple[int, float]] = deque()

    def update(self, values: Iterable[float | None]) -> list[float | None]:
        """Score the next rows; a missing value has no score and leaves no trace."""
        return [self._judge(value) for value in values]

    def _judge(self, value: float | None) -> float | None:
        if value is None or not isfinite(value):
            return None
        self._rows += 1
        return self._leading(self._novelty(float(value)))

    def _novelty(self, value: float) -> float:
        """Distance to the nearest value seen, as a share of the range seen."""
        seen = self._seen
        if not seen:
            seen.append(value)
            return 0.0
        place = bisect_left(seen, value)
        distance = min(
            abs(value - near) for near in seen[max(place - 1, 0) : place + 1]
        )
        spread = seen[-1] - seen[0]
        if distance <= 0.01 * spread:
            return 0.0
        seen.insert(place, value)
        return distance / spread if spread and self._rows > 50 else 0.0

    def _leading(self, novelty: float) -> float:
        """The score, where it exceeds those of the recent rows; else zero."""
        peaks, row = self._peaks, self._rows
        while peaks and peaks[0][0] < row - min(max(row // 10, 30), 150):
            peaks.popleft()
        leads = not peaks or novelty > peaks[0][1]
        while peaks and peaks[-1][1] <= novelty:
            peaks.pop()
        peaks.append((row, novelty))
        return novelty / (novelty + 0.018) if leads else 0.0


def scores(frame: pl.DataFrame) -> pl.DataFrame:
    """Add the column `score` (0 to 1, alarm from 0.5) to rows of time, value, key.

    Each key is a series of its own, judged in order of time; rows of one time in the
    order given. The rows come back in the order given.
    """
    keys: Sequence[str] = ["key"] if "key" in frame.columns else []
    rows = frame.with_row_index("_row").sort(*keys, "time", "_row")
    parts = rows.partition_by(keys) if keys else [rows]
    return (
        pl.concat(
            part.with_columns(
                pl.Series(
                    "score",
                    Judge().update(part["value"].cast(pl.Float64).to_list()),
                    pl.Float64,
                )
            )
            for part in parts
        )
        .sort("_row")
        .drop("_row")
    )
