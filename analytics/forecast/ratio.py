"""Log-ratios of volumes to their profile, their means and bands.

ratio = ln((volume + 3) / (profile + 3)), clipped to ±1.5. The offset and the clip keep
the ratios of small counts at night from blowing up.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from analytics.forecast.grid import Floats, Ints

OFFSET: Final = 3.0
MAX_LOG_RATIO: Final = 1.5


def ratio(values: Floats, profile: Floats) -> Floats:
    """Return log-ratios of volumes to their profile; NaN if either is unknown."""
    found = np.log((values + OFFSET) / (profile + OFFSET))
    return np.clip(found, -MAX_LOG_RATIO, MAX_LOG_RATIO)


def volume(profile: Floats, log_ratio: Floats) -> Floats:
    """Return the volume with a log-ratio to a profile; never below zero."""
    scaled = (profile + OFFSET) * np.exp(
        np.clip(log_ratio, -MAX_LOG_RATIO, MAX_LOG_RATIO)
    ) - OFFSET
    return np.maximum(scaled, 0)


def network(ratios: Floats, profile: Floats) -> Floats:
    """Return the mean ratio of all channels in each row, weighted by the profile.

    One column; NaN if no channel is known.
    """
    known = np.isfinite(ratios)
    weight = np.where(known, profile, 0)
    total = weight.sum(axis=1)
    summed = (np.where(known, ratios, 0) * weight).sum(axis=1)
    found = np.full(len(ratios), np.nan)
    np.divide(summed, total, out=found, where=total > 0)
    return found[:, None]


def smoothed(ratios: Floats, half_life: float) -> Floats:
    """Return exponentially weighted means of each row and earlier ones.

    The half-life is in rows. Unknown rows have no weight. One additional row of ratio
    zero draws the mean to zero, so that it fades if little is known.
    """
    known = np.isfinite(ratios)
    alpha = 1 - 0.5 ** (1 / half_life)
    weighted, weight = (
        _recursive(part, alpha) for part in (np.where(known, ratios, 0), known * 1.0)
    )
    return weighted / (weight + 1)


def _recursive(rows: Floats, alpha: float) -> Floats:
    """Return x[t] = (1 - alpha)·x[t-1] + rows[t], down each column."""
    padded = pl.from_numpy(np.vstack([np.zeros((1, rows.shape[1])), rows]))
    found = padded.select(pl.all().ewm_mean(alpha=alpha, adjust=False))
    return found.to_numpy()[1:] / alpha


@dataclass(frozen=True, slots=True)
class Bands:
    """Quantiles of estimation errors in log-ratios, by size of the estimate."""

    #: one row per size class: lower and upper
    quantiles: Floats

    #: lower ends of the size classes
    EDGES = (0.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
    #: estimates required for the quantiles of a class; else those of all are used
    MIN_ESTIMATES = 200

    def around(self, estimate: Floats) -> tuple[Floats, Floats]:
        """Return the bounds of estimates."""
        chosen = self.quantiles[_size(estimate)]
        low, high = (
            np.maximum((estimate + OFFSET) * np.exp(chosen[..., side]) - OFFSET, 0)
            for side in (0, 1)
        )
        return low, high


def bands(estimate: Floats, counted: Floats, *, share: float) -> Bands:
    """Return bands around estimates that contain `share` of the errors."""
    known = np.isfinite(estimate) & np.isfinite(counted)
    missed = np.log((counted[known] + OFFSET) / (estimate[known] + OFFSET))
    size = _size(estimate[known])
    tails = [(1 - share) / 2, (1 + share) / 2]
    overall = (
        np.quantile(missed, tails)
        if missed.size
        else np.array([-MAX_LOG_RATIO, MAX_LOG_RATIO])
    )
    return Bands(
        np.array(
            [
                np.quantile(missed[size == number], tails)
                if (size == number).sum() >= Bands.MIN_ESTIMATES
                else overall
                for number in range(len(Bands.EDGES))
            ]
        )
    )


def _size(estimate: Floats) -> Ints:
    known = np.nan_to_num(estimate)
    found = np.searchsorted(Bands.EDGES, known, side="right") - 1
    return found.clip(0)
