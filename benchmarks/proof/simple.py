"""Simple anomaly scores that the published one must beat; input `key, time, value`.

- poisson: |count - expected| / √(expected + 1), with expected = the median of the same
  hour in the eight weeks before times the median ratio of all series in that hour,
  clipped to 0.3 … 3
- best_of: the greatest of |z| (spread 15 %), a leaky cumulative sum of z, and the
  length of a run of equal counts
- traffic_anomaly: what `anomaly` of the package of this name compares with its two
  thresholds, the lesser of GEH of count and prediction and of its multiple of the
  median GEH of all series in that hour; if it is installed. Prediction is that of
  `decompose` with one median for the whole table, so it looks ahead. Of 35 choices
  (windows of 3 to 28 days or none; GEH or z, its factor for low counts or none, alone
  or with a group's MAD or z) this one was best on the panels used for tuning.
"""

import warnings
from importlib import import_module
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]

WEEK: Final = 168
WEEKS: Final = 8


def poisson(rows: pl.DataFrame) -> Floats:
    """Score by a Poisson z of the weekly median times the network's ratio."""
    counts = _wide(rows)
    expected = _expected(counts)
    return np.asarray(np.abs(counts - expected) / np.sqrt(expected + 1)).ravel()


def best_of(rows: pl.DataFrame) -> Floats:
    """Score by the best of z, a leaky cumulative sum and the run of equal counts."""
    counts = _wide(rows)
    expected = _expected(counts)
    z = np.nan_to_num(
        (counts - expected) / np.sqrt(expected + 1 + (0.15 * expected) ** 2)
    )
    same = (counts[:, 1:] == counts[:, :-1]) & (expected[:, 1:] > 5)
    found = np.abs(z)
    up, down, run = np.zeros((3, len(counts)))
    for hour in range(1, counts.shape[1]):
        up = np.clip(0.95 * up + z[:, hour] - 0.5, 0, 50)
        down = np.clip(0.95 * down - z[:, hour] - 0.5, 0, 50)
        run = np.where(same[:, hour - 1], run + 1, 0)
        lasting = np.max([up / 2, down / 2, 4 * run], axis=0)
        found[:, hour] = np.maximum(found[:, hour], lasting)
    return found.ravel()


def traffic_anomaly(rows: pl.DataFrame) -> Floats:
    """Score by the package of this name; raise ImportError if it is not installed."""
    pandas = import_module("pandas")
    decompose = import_module("traffic_anomaly").decompose
    known = rows.drop_nulls("value")
    found = decompose(
        pandas.DataFrame(known.to_dict(as_series=False)),
        datetime_column="time",
        value_column="value",
        entity_grouping_columns=["key"],
        freq_minutes=60,
        rolling_window_enable=False,
    )
    count, usual, geh = pl.col("value"), pl.col("prediction"), pl.col("geh")
    scored = (
        pl.DataFrame(found[["key", "time", "value", "prediction"]].to_dict("list"))
        .select(
            "key",
            pl.col("time").cast(pl.Datetime("us")),
            geh=(count - usual).abs() * (2 / (count + usual + 1e-8)).sqrt(),
        )
        .with_columns(
            score=pl.min_horizontal(geh, geh / (2 * geh.median().over("time") + 1e-8))
        )
    )
    joined = rows.join(scored, on=["key", "time"], how="left", maintain_order="left")
    return joined["score"].fill_null(np.nan).to_numpy()


def _wide(rows: pl.DataFrame) -> Floats:
    """Pivot counts by series and hour; rows are complete and sorted."""
    series = rows["key"].n_unique()
    return rows["value"].fill_null(np.nan).to_numpy().reshape(series, -1)


def _expected(counts: Floats) -> Floats:
    expected = np.full(counts.shape, np.nan)
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        for hour in range(WEEK, counts.shape[1]):
            before = range(hour - WEEK, max(hour - WEEKS * WEEK, 0) - 1, -WEEK)
            expected[:, hour] = np.nanmedian(counts[:, before], axis=1)
        ratio = np.nanmedian((counts + 1) / (expected + 1), axis=0)
    return np.asarray(expected * np.clip(ratio, 0.3, 3))
