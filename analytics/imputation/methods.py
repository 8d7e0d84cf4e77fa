"""Methods of imputation: a grid with gaps in, an estimate of every row out.

Each is a function of a `Town`, so that all see the same and differ in one thing. NaN
is where a method knows nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.forecast.grid import Flags, Floats, Grid, Ints
from analytics.forecast.profile import median, profile
from analytics.forecast.ratio import network, ratio, smoothed, volume

#: How fast what was seen at the edges of a gap loses weight inside it (hours), the
#: half-life of the mean that is seen there, and how much of it is believed.
FADES_H: Final = 8.0
EDGE_H: Final = 2.0
BELIEVED: Final = 0.85
#: Neighbours whose regressions are asked, those that follow a channel closest.
NEIGHBOURS: Final = 7
#: A regression needs so many common hours.
COMMON_H: Final = 168


@dataclass(frozen=True, slots=True)
class Town:
    """What all methods start from."""

    values: Floats
    per_hour: int
    #: own profile, from like days before and after
    profile: Floats
    ratios: Floats
    #: ratio of all channels together: one column, bridged where none is known
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
    """Straight line between the hours before and after the gap."""
    rows = np.arange(len(town.values))
    found = np.full_like(town.values, np.nan)
    for column, values in enumerate(town.values.T):
        known = np.isfinite(values)
        if known.any():
            found[:, column] = np.interp(rows, rows[known], values[known])
    return found


def seasonal(town: Town) -> Floats:
    """Own profile: the median of like days before and after."""
    return town.profile


def seasonal_network(town: Town) -> Floats:
    """Own profile times the ratio of all channels together."""
    return volume(town.profile, np.broadcast_to(town.network, town.profile.shape))


def neighbours(town: Town) -> Floats:
    """Own profile times the median of regressions on the closest other channels.

    For each pair: own ratio = a + b · ratio of the other, over all hours that both
    know; the value is the median over the neighbours that are known (as PeMS does with
    volumes, DOMAIN.md 4.5).
    """
    own = np.nan_to_num(town.ratios)
    known = np.isfinite(town.ratios) * 1.0
    common = known.T @ known
    enough = common >= COMMON_H * town.per_hour
    # [i, j]: over the rows that i and j both know
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
        told = offset[near, column] + slope[near, column] * town.ratios[:, near]
        found[:, column] = median(told.T)
    return volume(town.profile, found)


def bridged(town: Town) -> Floats:
    """Own profile times the network's ratio, and what the channel differed from it.

    What it differed is carried in from both edges of the gap, and fades with the
    distance: the best linear estimate (kriging) between two points with a correlation
    of exp(-hours / 8).
    """
    own = _bridge(town.ratios - town.network, town.per_hour)
    return volume(town.profile, town.network + own)


#: In the order in which ties are settled.
METHODS: Final[Mapping[str, Callable[[Town], Floats]]] = {
    "linear": linear,
    "seasonal": seasonal,
    "seasonal-network": seasonal_network,
    "neighbours": neighbours,
    "bridged": bridged,
}


def _bridge(ratios: Floats, per_hour: int) -> Floats:
    """Carry ratios into gaps from both edges; zero where nothing is near."""
    known = np.isfinite(ratios)
    before, after = edges(known)
    rows, last = np.arange(len(ratios))[:, None], len(ratios) - 1
    fades = FADES_H * per_hour
    near_before = np.where(before >= 0, np.exp(-(rows - before) / fades), 0)
    near_after = np.where(after <= last, np.exp(-(after - rows) / fades), 0)
    # across the gap; never 1, also where a row is its own edge
    across = np.where(
        (before >= 0) & (after <= last), np.exp(-(after - before) / fades), 0
    )
    across = np.minimum(across, 0.999)
    seen = [
        np.take_along_axis(mean, at.clip(0, last), axis=0)
        for mean, at in (
            (smoothed(ratios, EDGE_H * per_hour), before),
            (smoothed(ratios[::-1], EDGE_H * per_hour)[::-1], after),
        )
    ]
    weight_before = (near_before - across * near_after) / (1 - across**2)
    weight_after = (near_after - across * near_before) / (1 - across**2)
    carried: Floats = weight_before * seen[0] + weight_after * seen[1]
    return BELIEVED * carried


def edges(known: Flags) -> tuple[Ints, Ints]:
    """Rows of the last known before and the first known after each row.

    -1 and the number of rows where there is none.
    """
    rows = np.arange(len(known))[:, None]
    before = np.maximum.accumulate(np.where(known, rows, -1), axis=0)
    after = np.where(known, rows, len(known))[::-1]
    return before, np.minimum.accumulate(after, axis=0)[::-1]
