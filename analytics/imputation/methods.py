"""Imputation methods: functions from a grid with gaps to an estimate of every row.

Each is a function of a `Town`, so that all have the same inputs. NaN means that a
method has no estimate.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.forecast.grid import Flags, Floats, Grid, Ints
from analytics.forecast.profile import median, profile
from analytics.forecast.ratio import network, ratio, smoothed, volume


@dataclass(frozen=True, slots=True)
class Town:
    """The common inputs of all methods."""

    values: Floats
    per_hour: int
    #: own profile, from similar days before and after
    profile: Floats
    ratios: Floats
    #: ratio of all channels together: one column, bridged if none is known
    network: Floats


def town(grid: Grid) -> Town:
    """Prepare a grid."""
    usual = profile(grid, side="around")
    ratios = ratio(grid.values, usual)
    together = network(ratios, usual)
    bridged = np.where(
        np.isfinite(together), together, _bridge(together, grid.per_hour)
    )
    return Town(grid.values, grid.per_hour, usual, ratios, bridged)


def linear(town: Town) -> Floats:
    """Interpolate linearly between the hours before and after the gap."""
    rows = np.arange(len(town.values))
    found = np.full_like(town.values, np.nan)
    for column, values in enumerate(town.values.T):
        known = np.isfinite(values)
        if known.any():
            found[:, column] = np.interp(rows, rows[known], values[known])
    return found


def seasonal(town: Town) -> Floats:
    """Return the own profile: the median of similar days before and after."""
    return town.profile


def seasonal_network(town: Town) -> Floats:
    """Return the own profile times the ratio of all channels together."""
    return volume(town.profile, np.broadcast_to(town.network, town.profile.shape))


#: Number of neighbours with regressions: the most similar channels.
NEIGHBOURS: Final = 7
#: Common hours required for a regression.
MIN_COMMON_H: Final = 168


def neighbours(town: Town) -> Floats:
    """Return the own profile times the median of regressions on similar channels.

    For each pair: own ratio = a + b · ratio of the other, over all hours known in both;
    the value is the median over the known neighbours (as PeMS does with volumes,
    DOMAIN.md 4.5).
    """
    own = np.nan_to_num(town.ratios)
    known = np.isfinite(town.ratios) * 1.0
    common = known.T @ known
    enough = common >= MIN_COMMON_H * town.per_hour
    # [i, j]: over the rows known in both i and j
    sums, squares, products = own.T @ known, (own**2).T @ known, own.T @ own
    count = np.maximum(common, 1)
    variance = np.maximum(squares - sums**2 / count, 1e-9)
    covariance = products - sums * sums.T / count
    slope = covariance / variance
    offset = (sums.T - slope * sums) / count
    closeness = np.where(enough, covariance**2 / (variance * variance.T), -1)
    np.fill_diagonal(closeness, -1)
    found = np.full_like(town.ratios, np.nan)
    for column in range(found.shape[1]):
        near = np.argsort(-closeness[:, column], kind="stable")[:NEIGHBOURS]
        near = near[closeness[near, column] > 0]
        estimates = offset[near, column] + slope[near, column] * town.ratios[:, near]
        found[:, column] = median(estimates.T)
    return volume(town.profile, found)


def bridged(town: Town) -> Floats:
    """Return the own profile times network ratio, with the channel's deviation from it.

    The deviation is carried in from both edges of the gap, and decays with the
    distance: the best linear estimate (kriging) between two points with a correlation
    of exp(-hours / 8).
    """
    own = _bridge(town.ratios - town.network, town.per_hour)
    return volume(town.profile, town.network + own)


#: In order of preference for ties.
METHODS: Final[Mapping[str, Callable[[Town], Floats]]] = {
    "linear": linear,
    "seasonal": seasonal,
    "seasonal-network": seasonal_network,
    "neighbours": neighbours,
    "bridged": bridged,
}


#: Decay time of the weight of the edges inside a gap (hours), half-life of the mean at
#: the edges (hours), and the share of it that is used.
DECAY_H: Final = 8.0
EDGE_HALF_LIFE_H: Final = 2.0
EDGE_WEIGHT: Final = 0.85


def _bridge(ratios: Floats, per_hour: int) -> Floats:
    """Carry ratios into gaps from both edges; zero if nothing is near."""
    known = np.isfinite(ratios)
    before, after = edges(known)
    rows, last = np.arange(len(ratios))[:, None], len(ratios) - 1
    fades = DECAY_H * per_hour
    near_before = np.where(before >= 0, np.exp(-(rows - before) / fades), 0)
    near_after = np.where(after <= last, np.exp(-(after - rows) / fades), 0)
    # across the gap; never 1, even if a row is its own edge
    across = np.where(
        (before >= 0) & (after <= last), np.exp(-(after - before) / fades), 0
    )
    across = np.minimum(across, 0.999)
    seen = [
        np.take_along_axis(mean, at.clip(0, last), axis=0)
        for mean, at in (
            (smoothed(ratios, EDGE_HALF_LIFE_H * per_hour), before),
            (smoothed(ratios[::-1], EDGE_HALF_LIFE_H * per_hour)[::-1], after),
        )
    ]
    weight_before = (near_before - across * near_after) / (1 - across**2)
    weight_after = (near_after - across * near_before) / (1 - across**2)
    carried: Floats = weight_before * seen[0] + weight_after * seen[1]
    return EDGE_WEIGHT * carried


def edges(known: Flags) -> tuple[Ints, Ints]:
    """Return rows of the last known before and the first known after each row.

    -1 and the number of rows if there is none.
    """
    rows = np.arange(len(known))[:, None]
    before = np.maximum.accumulate(np.where(known, rows, -1), axis=0)
    after = np.where(known, rows, len(known))[::-1]
    return before, np.minimum.accumulate(after, axis=0)[::-1]
