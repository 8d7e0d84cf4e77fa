"""The Numenta Anomaly Benchmark, scored by its published rules (standard profile).

- The first 15 % of a file, at most 750 rows, are not scored.
- In a labelled window the best placed alarm counts: 1 in its first row, falling by a
  sigmoid to almost 0 in its last one. A window without an alarm costs 1.
- An alarm outside costs 0.11, less when it follows shortly on a window.
- The sum is put on a scale from a detector without alarms (0) to one that marks the
  first row of each window (100).
- One threshold holds for all files; it is the one with the highest sum.

Source: Lavin, Ahmad: Evaluating real-time anomaly detection algorithms (2015), and the
rules of the repository numenta/NAB. Since windows, profile and threshold are contested,
the share of windows found at a budget of false alarms stands beside.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

Array = npt.NDArray[np.float64]

#: Maximum cost of an alarm outside of any window.
FALSE_COST: Final = 0.11
#: False alarms per 1000 rows at which the events found are counted.
FALSE_ALARM_BUDGET: Final = 0.5
ALARM: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """Rows of `time` and `value`, and the first and last row of each window."""

    name: str
    rows: pl.DataFrame
    windows: Sequence[tuple[int, int]]

    @property
    def unscored(self) -> int:
        """Number of rows at the beginning in which alarms do not count."""
        return min(int(0.15 * len(self.rows)), 750)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The change of the sum by each alarm, from the highest score down."""

    scores: Array
    changes: Array
    windows: int

    def at(self, threshold: float) -> float | None:
        """Return the result (at most 100) with alarms from `threshold` on."""
        if not self.windows:
            return None
        gained = self.changes[self.scores >= threshold].sum()
        return float(100 * gained / (2 * self.windows))

    def best_threshold(self) -> float:
        """Return the threshold with the highest sum."""
        if not len(self.scores):
            return ALARM
        # rows of equal score become alarms together
        last = np.append(self.scores[1:] != self.scores[:-1], True)
        sums = np.where(last, np.cumsum(self.changes), -np.inf)
        return float(self.scores[sums.argmax()]) if sums.max() > 0 else np.inf


def read(data: Path) -> list[File]:
    """Read all files of the folder that holds NAB's `data` and `labels`."""
    labels = json.loads((data / "labels" / "combined_windows.json").read_text())
    return [_file(data / "data" / name, name, labels[name]) for name in sorted(labels)]


def _file(path: Path, name: str, labels: Sequence[tuple[str, str]]) -> File:
    rows = pl.read_csv(path).select(
        time=pl.col("timestamp").str.to_datetime(), value=pl.col("value").cast(float)
    )
    times = rows["time"].to_numpy()
    windows = []
    for label in labels:
        began, ended = (np.datetime64(moment) for moment in label)
        inside = np.flatnonzero((times >= began) & (times <= ended))
        windows.append((int(inside[0]), int(inside[-1])))
    return File(name=name, rows=rows, windows=windows)


def worth(rows: int, windows: Sequence[tuple[int, int]]) -> Array:
    """Return an alarm's value in each row: up to 1 in a window, negative outside."""
    row, result = np.arange(rows), np.full(rows, -FALSE_COST)
    for first, last in windows:
        inside = slice(first, last + 1)
        length = last - first + 1
        result[inside] = _fading((row[inside] - last - 1) / length) / _fading(-1.0)
        # windows are in order: the next one overwrites the tail
        behind = (row[last + 1 :] - last) / max(length - 1, 1)
        result[last + 1 :] = FALSE_COST * _fading(behind)
    return result


def _fading(place: Array | float) -> Array:
    """Return 1 well before the end of a window (0), -1 well behind it."""
    bent = 2 / (1 + np.exp(5 * np.minimum(place, 3))) - 1
    return np.where(np.asarray(place) > 3, -1.0, bent)


def tally(files: Sequence[File], scores: Sequence[Array]) -> Tally:
    """Sum up the alarms of all files, for any threshold."""
    parts = [
        part
        for file, score in zip(files, scores, strict=True)
        for part in _changes(file, np.asarray(score, dtype=float))
    ]
    found, changes = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(-found, kind="stable")
    return Tally(
        scores=found[order],
        changes=changes[order],
        windows=sum(len(file.windows) for file in files),
    )


def _changes(file: File, score: Array) -> list[tuple[Array, Array]]:
    """Return scores and their changes: all false alarms, and those of each window."""
    value = worth(len(score), file.windows)
    counts = (np.arange(len(score)) >= file.unscored) & (score > 0)
    outside = counts.copy()
    parts = []
    for first, last in file.windows:
        outside[first : last + 1] = False
        rows = first + np.flatnonzero(counts[first : last + 1])
        rows = rows[np.argsort(-score[rows], kind="stable")]
        # the best so far, starting with the cost of a missed window
        best = np.maximum.accumulate(np.append(-1.0, value[rows]))
        parts.append((score[rows], np.diff(best)))
    return [*parts, (score[outside], value[outside])]


def events(
    files: Sequence[File],
    scores: Sequence[Array],
    *,
    budget: float = FALSE_ALARM_BUDGET,
) -> float:
    """Return the share of windows found at `budget` false alarms per 1000 rows.

    False alarms are rows outside of windows; the beginning of a file does not count.
    """
    false: list[Array] = []
    highest: list[float] = []
    for file, score in zip(files, scores, strict=True):
        outside = np.arange(len(score)) >= file.unscored
        for first, last in file.windows:
            highest.append(float(score[max(first, file.unscored) : last + 1].max()))
            outside[first : last + 1] = False
        false.append(score[outside])
    ordered = np.sort(np.concatenate(false))[::-1]
    allowed = int(budget / 1000 * len(ordered))
    bound = max(float(ordered[allowed]), 0.0) if allowed < len(ordered) else 0.0
    return float(np.mean(np.array(highest) > bound))


def measure(
    data: Path, score: Callable[[pl.DataFrame], pl.DataFrame]
) -> dict[str, Any]:
    """Score all files with `score` (adds `score` to `time` and `value`) and evaluate.

    `nab_standard` at the best single threshold of all files, as NAB reports it, and
    `nab_realtraffic` at the same one; `..._at_alarm` at 0.5; `nab_standard_halves`
    with the threshold of one half of the files on the other, both ways.
    """
    files = read(data)
    began = time.perf_counter()
    found = [score(file.rows)["score"].fill_null(0.0).to_numpy() for file in files]
    took_s = time.perf_counter() - began
    whole = tally(files, found)
    threshold = whole.best_threshold()
    folders = sorted({file.name.split("/")[0] for file in files})
    traffic = _part(files, found, "realTraffic")
    halves = [tally(files[half::2], found[half::2]) for half in (0, 1)]
    crossed = sum(
        half.changes[half.scores >= other.best_threshold()].sum()
        for half, other in zip(halves, halves[::-1], strict=True)
    )
    return {
        "nab_standard": whole.at(threshold),
        "nab_threshold": threshold,
        "nab_standard_at_alarm": whole.at(ALARM),
        "nab_standard_halves": float(100 * crossed / (2 * whole.windows)),
        "nab_realtraffic": traffic.at(threshold),
        "nab_realtraffic_at_alarm": traffic.at(ALARM),
        "nab_realtraffic_own_threshold": traffic.at(traffic.best_threshold()),
        "nab_folders": {
            folder: _part(files, found, folder).at(threshold) for folder in folders
        },
        "nab_event_recall": events(files, found),
        "nab_event_budget": FALSE_ALARM_BUDGET,
        "nab_rows_per_s": round(sum(map(len, found)) / took_s),
    }


def _part(files: Sequence[File], scores: Sequence[Array], folder: str) -> Tally:
    chosen = [file.name.startswith(f"{folder}/") for file in files]
    return tally(
        [file for file, there in zip(files, chosen, strict=True) if there],
        [score for score, there in zip(scores, chosen, strict=True) if there],
    )
