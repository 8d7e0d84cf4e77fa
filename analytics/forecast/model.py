"""The model of a forecast: a profile times a ratio that is predicted by regression.

The log-ratio to the profile, some rows ahead, is a linear function of data at the
origin: the last ratios of the channel and their means over several times, the same of
all channels together (the network), and the ratios at the same time yesterday and a
week ago. One set of weights serves all channels of a grid; it is fitted to the grid's
own past by ridge regression in closed form, rows weighted by the square root of their
profile. It uses nothing after the origin.
"""

from dataclasses import dataclass
from math import gcd
from typing import Final, NamedTuple

import numpy as np

from analytics.forecast.grid import Floats, Grid, Ints
from analytics.forecast.profile import profile
from analytics.forecast.ratio import Bands, bands, network, ratio, smoothed, volume


@dataclass(frozen=True, slots=True)
class Past:
    """A grid with its profile and terms computed from its ratios, row by row."""

    grid: Grid
    profile: Floats
    ratios: Floats
    #: terms read at the origin
    latest: tuple[Floats, ...]
    #: terms read at the same time of an earlier day
    daily: tuple[Floats, ...]


class Weights(NamedTuple):
    """Fitted weights for one forecast distance in rows."""

    steps: int
    weights: Floats
    bands: Bands


#: Number of latest ratios used as separate terms.
LAGS: Final = 3
#: Half-lives of the smoothed ratios of the channel and of the network, in hours.
OWN_H: Final = (1.5, 8, 48, 168)
NETWORK_H: Final = (3, 24)


def past(grid: Grid) -> Past:
    """Prepare a grid; the rows to forecast are unknown in it."""
    usual = profile(grid, side="before")
    own = ratio(grid.values, usual)
    town = network(own, usual)
    wide = np.broadcast_to(town, own.shape)
    hour = grid.per_hour
    latest = (
        *(_shift(own, lag) for lag in range(LAGS)),
        *(smoothed(own, half * hour) for half in OWN_H),
        *(_shift(wide, lag) for lag in range(2)),
        *(
            np.broadcast_to(smoothed(town, half * hour), own.shape)
            for half in NETWORK_H
        ),
    )
    return Past(grid, usual, own, latest, (own, wide))


#: Regularisation of a fit: added to the squares of each term, like this many rows of
#: ratio one.
RIDGE: Final = 50.0


def fit(known: Past, steps: int, *, until: int, share: float) -> Weights:
    """Fit the weights for `steps` rows ahead to the rows before `until`.

    Bands contain `share` of the observed volumes, measured on the rows of the fit.
    """
    usable = (np.isfinite(known.ratios) & (known.profile > 0))[:until]
    rows = np.flatnonzero(usable.any(axis=1) & (np.arange(len(usable)) >= steps))
    rows = rows[:: _stride(int(usable[rows].sum()), 7 * 24 * known.grid.per_hour)]
    usable = usable[rows]
    terms = _terms(known, rows, steps)[usable]
    target = known.ratios[rows][usable]
    weight = np.sqrt(known.profile[rows][usable])
    weighted = terms * weight[:, None]
    ridge = RIDGE * weight.mean() * np.eye(terms.shape[1])
    normal_matrix: Floats = weighted.T @ terms + ridge
    weights = np.linalg.solve(normal_matrix, weighted.T @ target).astype(np.float64)
    estimate = volume(known.profile[rows][usable], terms @ weights)
    counted = known.grid.values[rows][usable]
    return Weights(steps, weights, bands(estimate, counted, share=share))


def predict(known: Past, weights: Weights, rows: slice) -> Floats:
    """Forecast the volumes of rows from data `steps` rows before each."""
    numbers = np.arange(*rows.indices(len(known.ratios)))
    terms = _terms(known, numbers, weights.steps)
    return volume(known.profile[numbers], terms @ weights.weights)


#: Maximum number of volumes in a fit; with more, evenly spaced rows are used.
MAX_FIT_VOLUMES: Final = 100_000


def _stride(volumes: int, week: int) -> int:
    """Return the stride of the rows to fit, coprime to the rows of a week.

    So the rows cover all hours of the week.
    """
    stride = 1 + volumes // MAX_FIT_VOLUMES
    while gcd(stride, week) > 1:
        stride += 1
    return stride


def _terms(known: Past, rows: Ints, steps: int) -> Floats:
    """Return the terms as an array (rows, channels, terms); unknown ratios are 0."""
    day = 24 * known.grid.per_hour
    at = [(term, steps) for term in known.latest]
    at += [(term, back) for term in known.daily for back in (day, 7 * day)]
    found = np.zeros((len(rows), known.ratios.shape[1], len(at) + 1))
    found[..., 0] = 1
    for number, (term, back) in enumerate(at, start=1):
        there = rows >= back
        found[there, :, number] = np.nan_to_num(term[rows[there] - back])
    return found


def _shift(rows: Floats, by: int) -> Floats:
    """Shift rows down by a number; NaN before."""
    if by == 0:
        return rows
    return np.vstack([np.full((by, rows.shape[1]), np.nan), rows[:-by]])
