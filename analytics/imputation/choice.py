"""Choose the imputation method for gaps of a length: the one with the least error.

Artificial gaps are made in known data, about one in twelve hours of each channel,
filled by every method and compared with the counts. The measured errors also give the
interval of imputed values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.forecast.grid import Flags, Floats, Grid, Ints
from analytics.forecast.ratio import Bands, bands
from analytics.imputation.methods import METHODS, town

#: Lengths of artificial gaps in hours; a real gap uses the first that is as long.
GAP_LENGTHS_H: Final = (1, 4, 24, 168)


@dataclass(frozen=True, slots=True)
class Choice:
    """The measured errors for gaps of a length."""

    length_h: int
    method: str
    #: WAPE = sum of |estimate - counted| / sum of counted, by method
    errors: Mapping[str, float]
    bands: Bands


def length_class(hours: Ints) -> Ints:
    """Return the length of artificial gaps that represents gaps of these lengths."""
    known: Ints = np.array(GAP_LENGTHS_H)
    at = np.searchsorted(known, hours).clip(max=known.size - 1)
    return np.take(known, at)


#: Hidden hours required for a measurement; with fewer, the default is used: the best
#: method of Münster (docs/reference/imputation.md).
MIN_HIDDEN: Final = 200
DEFAULT: Final = "bridged"


def choose(grid: Grid, length_h: int, *, share: float) -> Choice:
    """Measure all methods on artificial gaps; bands contain `share` of the counts."""
    gaps = hide(grid, length_h)
    seen = town(grid.without(gaps))
    counted = grid.values[gaps]
    filled = {name: method(seen)[gaps] for name, method in METHODS.items()}
    errors = {name: wape(estimate, counted) for name, estimate in filled.items()}
    measured = {name: error for name, error in errors.items() if error == error}
    method = DEFAULT
    if counted.size >= MIN_HIDDEN and measured:
        method = min(measured, key=lambda name: measured[name])
    return Choice(length_h, method, errors, bands(filled[method], counted, share=share))


#: Share of the hours of a channel in artificial gaps.
HIDDEN_SHARE: Final = 0.08


def hide(grid: Grid, length_h: int, *, seed: int = 0) -> Flags:
    """Choose known hours to hide, in gaps of a length; deterministic by seed."""
    length = length_h * grid.per_hour
    rows, channels = grid.values.shape
    number = int(rows * HIDDEN_SHARE / length)
    hidden = np.zeros((rows, channels), dtype=bool)
    if rows <= length:
        return hidden
    for column, channel in enumerate(grid.channels):
        dice = np.random.default_rng([seed, length, channel])
        first = dice.integers(0, rows - length, max(number, 1))
        hidden[(first[:, None] + np.arange(length)).ravel(), column] = True
    return hidden & np.isfinite(grid.values)


def wape(estimate: Floats, counted: Floats) -> float:
    """Return the weighted absolute percentage error; NaN without comparable values."""
    known = np.isfinite(estimate) & np.isfinite(counted)
    total = counted[known].sum()
    if total <= 0:
        return float("nan")
    return float(np.abs(estimate - counted)[known].sum() / total)
