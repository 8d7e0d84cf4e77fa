"""Distance of a point from all remembered points of its series."""

from typing import Final

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]

#: Rows compared at once; also the interval of looking for forgotten places.
BLOCK_ROWS: Final = 128


class Novelty:
    """A memory of points, one for each place that the series has visited.

    A point within `tolerance` (a share of the range) of a remembered one is not new:
    the place is visited again. Any other point is remembered, and its novelty is the
    distance to the nearest place as a share of the range, at most 1. A place not
    visited for `memory` rows is forgotten. Distance is the largest difference in any
    coordinate; the range is that of the places, unless given.
    """

    def __init__(self, *, tolerance: float, memory: int) -> None:
        self._tolerance = tolerance
        self._memory = memory
        self._places: Points = np.empty((0, 1))
        self._visited: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._rows = 0

    def update(self, points: Points, ranges: Points | None = None) -> Points:
        """Judge the next rows (rows × coordinates); zero is not new."""
        novelty = np.zeros(len(points))
        start = 0
        while start < len(points):
            # blocks end at fixed rows, independent of the split into calls
            end = min(start + BLOCK_ROWS - self._rows % BLOCK_ROWS, len(points))
            novelty[start:end] = self._judge(
                points[start:end], None if ranges is None else ranges[start:end]
            )
            start = end
        return novelty

    def _judge(self, points: Points, given: Points | None) -> Points:
        novelty = np.zeros(len(points))
        first = self._rows
        self._rows += len(points)
        if not first:
            self._places, self._visited = points[:1], np.zeros(1, np.int64)
        elif first % BLOCK_ROWS == 0:
            self._forget(first - self._memory)
        far = np.abs(points[:, None] - self._places).max(axis=2)
        nearest = far.argmin(axis=1)
        distance = far[np.arange(len(points)), nearest]
        ranges = np.full(len(points), self._range()) if given is None else given
        row = 0
        while row < len(points):
            new = distance[row:] > self._tolerance * ranges[row:]
            known = int(new.argmax()) if new.any() else len(new)
            # the last of several visits to a place counts
            self._visited[nearest[row : row + known]] = np.arange(
                first + row, first + row + known
            )
            row += known
            if row == len(points):
                break
            share = distance[row] / ranges[row] if ranges[row] else 1.0
            novelty[row] = min(share, 1.0)
            self._places = np.vstack([self._places, points[row]])
            self._visited = np.append(self._visited, first + row)
            if given is None:
                ranges = np.full(len(points), self._range())
            row += 1
            closer = np.abs(points[row:] - points[row - 1]).max(axis=1)
            nearest[row:][closer < distance[row:]] = len(self._places) - 1
            distance[row:] = np.minimum(distance[row:], closer)
        return novelty

    def _forget(self, before: int) -> None:
        kept = self._visited >= before
        self._places, self._visited = self._places[kept], self._visited[kept]

    def _range(self) -> float:
        return float(np.ptp(self._places, axis=0).max())
